"""Many players of one video in real time, at the streaming service and at nginx with the same files."""

import json
import subprocess
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import requests

from Harness.cluster import SeparateCluster
from Harness.videos import Clip, sample

from .load import processor_seconds
from .measure import Comparison, Sample, Scale
from .nginx import Nginx

SOURCE = Path(__file__).parent / "players.c"
# Less than the film, so that what is kept changes while it is played.
CACHE_BYTES = 64 * 2**20
# Where in the film players begin, how much of it they keep ahead, and within what time they begin.
PLACES, AHEAD_SECONDS, SPREAD_SECONDS = 10, 18, 5


@dataclass(frozen=True)
class Figures:
    """What the players saw, and what the server took for it."""

    players: int
    segments: int
    late: int
    lateness_max_ms: float
    start_p99_ms: float
    fetch_p99_ms: float
    seconds: float
    bytes: int
    processor_seconds: float

    def sample(self) -> Sample:
        """The share of segments that came in time."""
        return Sample(
            100 * (1 - self.late / self.segments), self.fetch_p99_ms, self.processor_seconds * 1e6 / self.segments)

    def text(self) -> str:
        return (
            f"{self.segments:,} segments, {self.bytes * 8 / self.seconds / 1e6:,.0f} Mbit/s; late: {self.late}, the worst by "
            f"{self.lateness_max_ms:.0f} ms; first picture within {self.start_p99_ms:.0f} ms, a segment within "
            f"{self.fetch_p99_ms:.1f} ms (p99); {self.processor_seconds:.1f} s of the processor")


def compile_client(folder: Path) -> Path:
    client = folder / "players"
    if not client.exists():
        subprocess.run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", client, SOURCE], check=True)
    return client


def play(
    client: Path, playlist: str, players: int, seconds: float, server: list[int], places: int = PLACES,
    spread: float = SPREAD_SECONDS,
) -> Figures:
    """Plays so many seconds of the video; `server` are the process ids of who answers."""
    address = urlsplit(playlist)
    folder = address.path.rpartition("/")[0]
    used = processor_seconds(server)
    result = subprocess.run(
        [client, *map(str, (address.port, folder, players, places, seconds, spread, AHEAD_SECONDS))],
        capture_output=True, text=True, timeout=10 * (seconds + spread) + 60)
    if result.returncode:
        raise RuntimeError(f"players of {playlist}: {result.stderr}")
    figures = json.loads(result.stdout)
    del figures["start_p50_ms"], figures["fetch_p50_ms"]
    return Figures(**figures, processor_seconds=processor_seconds(server) - used)


class Players:
    """Both comparisons are of one run, with a streaming service that is a process of its own."""

    def __init__(self, folder: Path, nginx: Nginx, scale: Scale) -> None:
        self._folder, self._nginx, self._scale = folder, nginx, scale

    def punctuality(self) -> Comparison:
        ours, theirs, _ = self._run
        print(f"    V-Stack: {ours.text()}\n    nginx:   {theirs.text()}", flush=True)
        return Comparison(
            f"segments in time for {ours.players:,} players", "nginx, the same files", "%", "≥ 1",
            [ours.sample()], [theirs.sample()])

    def memory(self) -> Comparison:
        *_, grown_bytes = self._run
        return Comparison(
            "memory that those players cost the streaming service", "its configured cache", "MiB", "≤ 2",
            [Sample(grown_bytes / 2**20)], [Sample(CACHE_BYTES / 2**20)])

    @cached_property
    def _run(self) -> tuple[Figures, Figures, int]:
        client = compile_client(self._folder)
        cluster = SeparateCluster(LOG_LEVEL="warning", STREAM_CACHE_BYTES=CACHE_BYTES)
        try:
            cluster.start()
            film = sample(Clip(
                width=640, height=360, seconds=self._scale.played_video_seconds, rate=25, gop=50, bitrate="1M"))
            playlist = f"{cluster.streaming}/stream/{cluster.store(film, title='Played by many')}/source/playlist.m3u8"
            copy = self._copy(playlist)
            # Again, so that it has kept nothing yet.
            cluster.kill("streaming")
            cluster.restart("streaming")
            service = cluster.processes["streaming"]
            before = service.peak_resident_bytes()
            ours = self._play(client, playlist, [service.pid])
            theirs = self._play(client, copy, self._nginx.workers())
            return ours, theirs, service.peak_resident_bytes() - before
        finally:
            cluster.kill_all()
            cluster.remove()

    def _play(self, client: Path, playlist: str, server: list[int]) -> Figures:
        print(f"==> {self._scale.players:,} players of {playlist}", flush=True)
        return play(client, playlist, self._scale.players, self._scale.played_seconds, server)

    def _copy(self, playlist: str) -> str:
        """The same files at nginx."""
        folder = playlist.rpartition("/")[0]
        text = requests.get(playlist, timeout=30).text
        names = ["init.mp4"] + [line for line in text.splitlines() if line and not line.startswith("#")]
        for name in names:
            answer = requests.get(f"{folder}/{name}", timeout=30)
            answer.raise_for_status()
            self._nginx.add(f"played/{name}", answer.content)
        return self._nginx.add("played/playlist.m3u8", text.encode())
