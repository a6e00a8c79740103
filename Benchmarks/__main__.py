"""Runs the comparisons and prints their table; a full run also writes it to docs/performance.md."""

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "Tests"))

from Harness.cluster import Cluster  # noqa: E402

from . import writes  # noqa: E402
from .commits import Commits  # noqa: E402
from .fleet import Fleet  # noqa: E402
from .ladder import Ladder  # noqa: E402
from .measure import Comparison, Scale  # noqa: E402
from .nginx import Nginx  # noqa: E402
from .players import Players  # noqa: E402
from .press_play import PressPlay  # noqa: E402
from .reads import Reads  # noqa: E402
from .report import keep, table  # noqa: E402
from .upkeep import Upkeep  # noqa: E402

LADDER = ["ladder", "ladder-likeness", "ladder-size"]
PLAYERS = ["players", "players-memory"]
PRESS_PLAY = ["press-play", "press-play-rung"]
# Comparisons of one and the same run.
TOGETHER = [LADDER, PLAYERS, PRESS_PLAY]
CASES = [
    "chunk", "bound", "single", "small", "ping", "manifest", "origin-segment", "origin-playlist", *PLAYERS, "scrubbing",
    "compacting", "put", "late-put", "upload", *PRESS_PLAY, "commit", "commit5", *LADDER, "fleet"]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m Benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="tiny sizes, to see that everything runs; writes no file")
    parser.add_argument("--only", nargs="+", choices=CASES, default=CASES, metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--rounds", type=int, help="instead of 5")
    options = parser.parse_args()
    scale = Scale.quick() if options.quick else Scale.full()
    if options.rounds:
        scale = Scale(**{**vars(scale), "rounds": options.rounds})

    # Beside the build, which is on a real disk; /tmp may be memory, where fsync costs nothing.
    scratch = ROOT / ".build/bench"
    scratch.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=scratch) as folder:
        tempfile.tempdir = folder
        comparisons = run(options.only, scale, Path(folder))
        text = table(comparisons, scale.rounds, Path(folder))
    print("\n" + text)
    if not options.quick and options.only == CASES:
        keep(text, ROOT / "docs/performance.md")
        print("\nwritten to docs/performance.md")
    return 0


def run(names: list[str], scale: Scale, folder: Path) -> list[Comparison]:
    cluster, nginx = Cluster(LOG_LEVEL="warning"), Nginx(folder)
    reads = Reads(cluster, nginx, scale)
    upkeep = Upkeep(folder, scale)
    commits = Commits(folder, scale)
    ladder = Ladder(folder, scale)
    press_play = PressPlay(folder, ladder, scale)
    players = Players(folder, nginx, scale)
    cases: dict[str, Callable[[], Comparison]] = {
        "chunk": reads.chunk, "bound": lambda: reads.bound(folder), "single": reads.single, "small": reads.small_chunk,
        "ping": reads.ping, "manifest": reads.manifest, "origin-segment": reads.segment, "origin-playlist": reads.playlist,
        "players": players.punctuality, "players-memory": players.memory,
        "scrubbing": upkeep.scrubbing, "compacting": upkeep.compacting,
        "put": lambda: writes.put(cluster, folder, scale),
        "late-put": lambda: writes.late_put(folder, scale),
        "upload": lambda: writes.upload(cluster, folder, scale),
        "press-play": press_play.source, "press-play-rung": press_play.lowest_rung,
        "commit": lambda: commits.compare(3),
        "commit5": lambda: commits.compare(5),
        "ladder": ladder.processor, "ladder-likeness": ladder.likeness, "ladder-size": ladder.size,
        "fleet": Fleet(ladder, scale).speed,
    }
    try:
        nginx.start()
        cluster.start()
        for group in TOGETHER:
            names = names + group if group[0] in names else names
        return [cases[name]() for name in CASES if name in names]
    finally:
        cluster.process.kill()
        cluster.remove()
        nginx.stop()


if __name__ == "__main__":
    sys.exit(main())
