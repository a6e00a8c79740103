"""What is measured and how the two sides take turns."""

import statistics
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """How large a run is."""

    rounds: int
    # How long each side of a round is put under load.
    load_seconds: int
    # How much each side writes in a round of the durable writes.
    write_chunks: int
    # Playing time of the video whose upload is timed, and of the one that has a manifest of one chunk per 10 s.
    upload_video_seconds: int
    manifest_video_seconds: int
    # The same of the video whose segments and playlist many read.
    stream_video_seconds: int
    # How many players, how long the video they play is, and how much of it each plays in real time.
    players: int
    played_video_seconds: int
    played_seconds: int
    # Playing time of the video that is watched as soon as it can be, and of the part of it that the peer encodes.
    pressed_video_seconds: int
    peer_ladder_seconds: int
    # How many chunks a node has that counts as full, and one that counts as new.
    many_chunks: int
    few_chunks: int
    # How many chunks of 2 MiB a node has that scrubs or compacts: more work than is done during the load.
    upkeep_chunks: int
    # How fast it does so, in bytes a second; None where nobody says.
    upkeep_rate: int | None
    # Playing time and height of the video whose ladder is made.
    ladder_video_seconds: int
    ladder_video_height: int

    @staticmethod
    def full() -> "Scale":
        return Scale(
            rounds=5, load_seconds=4, write_chunks=800, upload_video_seconds=60, manifest_video_seconds=1000,
            stream_video_seconds=300, players=1000, played_video_seconds=600, played_seconds=60,
            pressed_video_seconds=600, peer_ladder_seconds=20, many_chunks=1_000_000, few_chunks=1000, upkeep_chunks=384, upkeep_rate=None,
            ladder_video_seconds=60, ladder_video_height=1080)

    @staticmethod
    def quick() -> "Scale":
        """As small as can be: shows that everything still runs, and nothing else."""
        return Scale(
            rounds=1, load_seconds=1, write_chunks=16, upload_video_seconds=2, manifest_video_seconds=30,
            stream_video_seconds=12, players=20, played_video_seconds=30, played_seconds=6, pressed_video_seconds=2,
            peer_ladder_seconds=1, many_chunks=500, few_chunks=50, upkeep_chunks=80, upkeep_rate=8 * 2**20,
            ladder_video_seconds=1, ladder_video_height=360)


@dataclass(frozen=True)
class Sample:
    """One side of one round."""

    # In the comparison's unit.
    value: float
    # 99th percentile of the requests' latencies, where there were requests.
    p99_milliseconds: float | None = None
    # What the server's processes used of the processor for one request, where that was looked at. Other work on the
    # machine moves it less than it moves the clock's figures.
    processor_microseconds: float | None = None


@dataclass(frozen=True)
class Comparison:
    """A measurement, its peer, and what we want of their ratio."""

    name: str
    peer: str
    unit: str
    wanted: str
    ours: list[Sample]
    theirs: list[Sample]

    @property
    def ratio(self) -> float:
        return median(self.ours) / median(self.theirs)


def median(samples: list[Sample]) -> float:
    return statistics.median(sample.value for sample in samples)


def compare(
    name: str, peer: str, unit: str, wanted: str, rounds: int, ours: Callable[[], Sample], theirs: Callable[[], Sample]
) -> Comparison:
    """Both sides in turns, a different one first each round, so that neither always has the warmer machine."""
    print(f"==> {name}, beside {peer}", flush=True)
    mine, other = [], []
    for turn in range(rounds):
        sides = [(ours, mine), (theirs, other)]
        for run, samples in sides if turn % 2 == 0 else reversed(sides):
            samples.append(run())
        print(f"    round {turn + 1}: {mine[-1].value:,.1f} beside {other[-1].value:,.1f} {unit}", flush=True)
    return Comparison(name, peer, unit, wanted, mine, other)
