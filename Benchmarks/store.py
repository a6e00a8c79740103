"""Takes a chunk store through its life: filled, opened, half deleted, compacted, verified. Prints a table of figures.

Each phase is a run of `store-bench`, so that memory and opening are those of a fresh process. A full run writes the
table to docs/storage.md.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from .report import keep, machine

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m Benchmarks.store", description=__doc__)
    parser.add_argument("--chunks", type=int, default=1_000_000, help="instead of 1,000,000; then no file is written")
    parser.add_argument("--bytes", type=int, default=4096, help="of each chunk, instead of 4096; likewise")
    options = parser.parse_args()
    binary = Path(os.environ.get("STORE_BENCH_BINARY", ROOT / ".build/release/store-bench"))
    scratch = ROOT / ".build/bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        store = Store(binary, Path(folder) / "store", options.chunks, options.bytes)
        text = table(store.live(), options.chunks, options.bytes, Path(folder))
    print(text)
    if (options.chunks, options.bytes) == (1_000_000, 4096):
        keep(text, ROOT / "docs/storage.md")
        print("\nwritten to docs/storage.md")
    return 0


class Store:
    """A store in a folder of its own, and the tool that works on it."""

    def __init__(self, binary: Path, folder: Path, chunks: int, chunk_bytes: int):
        self.binary, self.folder, self.chunks, self.chunk_bytes = binary, folder, chunks, chunk_bytes

    def phase(self, name: str) -> dict:
        print(f"{name} …", file=sys.stderr, flush=True)
        command = [str(self.binary), name, str(self.folder), str(self.chunks), str(self.chunk_bytes)]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    def live(self) -> dict[str, dict]:
        figures = {"fill": self.phase("fill"), "open": self.phase("open")}
        checkpoint = self.folder / "checkpoint"
        aside = checkpoint.with_suffix(".aside")
        checkpoint.rename(aside)
        figures["scan"] = self.phase("open")
        aside.rename(checkpoint)
        for name in ["delete", "contend", "compact"]:
            figures[name] = self.phase(name)
        figures["reopen"] = self.phase("open")
        figures["verify"] = self.phase("verify")
        return figures


def table(figures: dict[str, dict], chunks: int, chunk_bytes: int, folder: Path) -> str:
    put, opened, scan = figures["fill"]["puts_per_second"], figures["open"], figures["scan"]
    cost = [1e6 * seconds for seconds in figures["fill"]["processor_seconds_per_put"]]
    contend, compact, verify = figures["contend"], figures["compact"], figures["verify"]
    quiet, busy = (statistics.median(contend[f"reads_per_second_{name}"]) for name in ["quiet", "compacting"])
    rows = [
        ("PUTs a second, 256 under way: first tenth, last tenth", f"{put[0]:,.0f}, {put[-1]:,.0f}"),
        ("what a PUT costs: first tenth, last tenth", f"{cost[0]:.1f} µs, {cost[-1]:.1f} µs of a core"),
        ("PUTs for each fsync", f"{chunks / max(figures['fill']['synchronizations'], 1):,.1f}"),
        ("opening from the checkpoint", spent(opened)),
        ("opening without it, by one scan", spent(scan)),
        ("checkpoint, bytes a chunk", f"{opened['checkpoint_bytes'] / chunks:.1f}"),
        ("memory of an open store, bytes a chunk (anonymous)", f"{opened['anonymous_bytes'] / chunks:.1f}"),
        ("the same with mapped pages of files", f"{opened['resident_bytes'] / chunks:.1f}"),
        ("the same after a scan", f"{scan['resident_bytes'] / chunks:.1f}"),
        ("deletions a second", f"{figures['delete']['deletes_per_second']:,.0f}"),
        ("reads while compaction runs at its rate, against without it", f"{busy / quiet:.2f}"),
        ("compaction at full speed", spent(compact)),
        ("what compaction at its rate of 32 MiB/s takes",
         f"{100 * 2**25 * compact['processor_seconds'] / max(compact['bytes_moved'], 1):.0f} % of a core"),
        ("bytes copied", f"{compact['bytes_moved'] / 1e6:,.0f} MB"),
        ("disk before and after", f"{compact['disk_bytes_before'] / 1e6:,.0f} MB, "
                                  f"{compact['disk_bytes_after'] / 1e6:,.0f} MB"),
        ("memory after that, bytes a chunk that is left",
         f"{figures['reopen']['anonymous_bytes'] / max(figures['reopen']['chunks'], 1):.1f}"),
        ("every chunk read and compared", f"{verify['seconds']:.1f} s, {verify['intact']:,} intact, none wrong"),
    ]
    lines = [f"{chunks:,} chunks of {chunk_bytes:,} bytes, half of them deleted at random; {machine(folder)}.", "",
             "| what | figure |", "| --- | ---: |"]
    return "\n".join(lines + [f"| {name} | {figure} |" for name, figure in rows])


def spent(figures: dict) -> str:
    return f"{figures['seconds']:.2f} s ({figures['processor_seconds']:.2f} s of a core)"


if __name__ == "__main__":
    sys.exit(main())
