"""The benchmarks still run; no figure is judged here."""

import os
import subprocess
import sys
from pathlib import Path

from Harness.daemon import BINARY

ROOT = Path(__file__).parents[2]


def test_quick_run():
    """A quick run measures every case and prints a table with a ratio in each row."""
    binaries = {"VSTACK_BINARY": str(BINARY), "LADDER_BENCH_BINARY": str(BINARY.parent / "ladder-bench")}
    result = subprocess.run(
        [sys.executable, "-m", "Benchmarks", "--quick"], cwd=ROOT, env=os.environ | binaries,
        capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    rows = [line for line in result.stdout.splitlines() if line.startswith("| ")][1:]
    rows = [[cell.strip() for cell in row.strip("|").split("|")] for row in rows if not row.startswith("| ---")]
    assert len(rows) == 23, result.stdout
    for row in rows:
        assert float(row[4]) > 0, row


def test_store_life():
    """A small store goes through all phases of its life, opens from its checkpoint and without, and shrinks."""
    result = subprocess.run(
        [sys.executable, "-m", "Benchmarks.store", "--chunks", "3000"], cwd=ROOT,
        env=os.environ | {"STORE_BENCH_BINARY": str(BINARY.parent / "store-bench")},
        capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "none wrong" in result.stdout
