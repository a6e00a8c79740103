"""What the disk itself can do, by fio."""

import json
import subprocess
from pathlib import Path

from .measure import Sample


def grouped_writes(folder: Path, chunk_bytes: int, group: int, count: int, run: int) -> Sample:
    """Chunks a second that one process writes one after the other, with one fdatasync for every `group` of them.

    Every run has a file of its own, which stays: a store that keeps what it is given writes to new memory and blocks too.
    """
    file = folder / f"fio-{run}.data"
    result = subprocess.run(
        ["fio", "--name=grouped", f"--filename={file}", "--rw=write", f"--bs={chunk_bytes}", f"--size={chunk_bytes * count}",
         "--ioengine=psync", "--direct=0", f"--fdatasync={group}", "--end_fsync=1", "--output-format=json"],
        capture_output=True, text=True, timeout=600)
    if result.returncode:
        raise RuntimeError(f"fio: {result.stderr}{result.stdout}")
    job = json.loads(result.stdout)["jobs"][0]
    return Sample(job["write"]["total_ios"] * 1000 / job["job_runtime"])
