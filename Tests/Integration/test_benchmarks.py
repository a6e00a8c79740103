"""The benchmarks still run; no figure is judged here."""

import os
import subprocess
import sys
from pathlib import Path

from Harness.daemon import BINARY

ROOT = Path(__file__).parents[2]


def test_quick_run():
    """A quick run measures every case and prints a table with a ratio in each row."""
    result = subprocess.run(
        [sys.executable, "-m", "Benchmarks", "--quick"], cwd=ROOT, env=os.environ | {"VSTACK_BINARY": str(BINARY)},
        capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")][1:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if not row.startswith("| ---")]
    assert len(rows) == 8, result.stdout
    for row in rows:
        assert float(row[4]) > 0, row
