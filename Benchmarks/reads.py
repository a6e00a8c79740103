"""Reads, beside nginx serving the same bytes."""

import random
import statistics
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import requests

from Harness.cluster import Cluster
from Harness.videos import Clip, sample

from .load import CONNECTIONS, read_load
from .measure import Comparison, Sample, Scale, compare
from .nginx import Nginx
from .send_loop import SendLoop

CHUNK_BYTES = 2 * 1024 * 1024
SMALL_BYTES = 2048
# Together more than the processor's caches hold, and far less than memory.
CHUNK_COUNT = 64
# Viewers are more than readers of chunks.
STREAM_CONNECTIONS = 64


@dataclass
class Reads:
    """The system and nginx, under the same load in turns."""

    cluster: Cluster
    nginx: Nginx
    scale: Scale

    def chunk(self) -> Comparison:
        ours, theirs = self._chunks("bench")
        return self._compare("GET a 2 MiB chunk", "nginx, sendfile", "≥ 1.7", ours, theirs)

    def bound(self, folder: Path) -> Comparison:
        """What a server could reach that had nothing to do but to send."""
        theirs = [
            self.nginx.add(f"bound-{index}", random.Random(index).randbytes(CHUNK_BYTES)) for index in range(CHUNK_COUNT)]
        with SendLoop(folder, CHUNK_COUNT, CHUNK_BYTES) as loop:
            return compare(
                "GET 2 MiB from a loop in C that only sends memory", "nginx, sendfile", "requests/s", "the bound",
                self.scale.rounds, lambda: self._load(loop.urls, [loop.pid]),
                lambda: self._load(theirs, self.nginx.workers()))

    def single(self) -> Comparison:
        ours, theirs = self._chunks("single")
        return compare(
            "p99 of GET a 2 MiB chunk, one connection", "nginx, sendfile", "ms", "≤ 1.0", self.scale.rounds,
            lambda: self._p99(ours, [self.cluster.process.pid]), lambda: self._p99(theirs, self.nginx.workers()))

    def small_chunk(self) -> Comparison:
        ours, theirs = self._stored("bench-small", SMALL_BYTES)
        return self._compare("GET a 2 KiB chunk", "nginx, sendfile", "≥ 1.0", [ours], [theirs])

    def ping(self) -> Comparison:
        ours, theirs = f"{self.cluster.storage[0]}/ping", f"{self.nginx.url}/ping"
        return self._compare("HEAD /ping", "nginx, the same headers", "≥ 1.0", [ours], [theirs], "HEAD")

    def manifest(self) -> Comparison:
        # One chunk for every 10 s: few bytes, many chunks.
        seconds = self.scale.manifest_video_seconds
        film = sample(Clip(width=160, height=90, seconds=seconds, rate=5, gop=50, audio=None))
        ours = f"{self.cluster.metadata}/manifest/{self.cluster.store(film, title='Many chunks')}"
        answer = requests.get(ours, timeout=30)
        answer.raise_for_status()
        theirs = self.nginx.add("manifest.json", answer.content)
        name = f"GET /manifest of {answer.json()['total_chunks']} chunks"
        return self._compare(name, "nginx, the same JSON", "≥ 0.5", [ours], [theirs])

    def segment(self) -> Comparison:
        video, segments = self._film
        pairs = [self._kept(f"source/{name}", name) for name in segments]
        ours, theirs = [ours for ours, _ in pairs], [theirs for _, theirs in pairs]
        size = statistics.mean(len(self._read(url)) for url in ours)
        return self._compare(
            f"GET a segment of {size / 1e6:.1f} MB, {STREAM_CONNECTIONS} connections", "nginx, the same files", "≥ 1.0",
            ours, theirs, connections=STREAM_CONNECTIONS)

    def playlist(self) -> Comparison:
        ours, theirs = self._kept("source/playlist.m3u8", "playlist.m3u8")
        return self._compare(
            f"GET a playlist, {STREAM_CONNECTIONS} connections", "nginx, the same file", "≥ 1.0", [ours], [theirs],
            connections=STREAM_CONNECTIONS)

    @cached_property
    def _film(self) -> tuple[str, list[str]]:
        """A video of ten minutes or less, and the names of its segments."""
        film = sample(Clip(
            width=640, height=360, seconds=self.scale.stream_video_seconds, rate=25, gop=50, bitrate="1500k"))
        video = self.cluster.store(film, title="Watched")
        lines = self._read(f"{self.cluster.streaming}/stream/{video}/source/playlist.m3u8").decode().splitlines()
        return video, [line for line in lines if line and not line.startswith("#")]

    def _kept(self, path: str, name: str) -> tuple[str, str]:
        """An asset of the film at the streaming service and in nginx's folder: its two addresses."""
        ours = f"{self.cluster.streaming}/stream/{self._film[0]}/{path}"
        return ours, self.nginx.add(name, self._read(ours))

    @staticmethod
    def _read(url: str) -> bytes:
        answer = requests.get(url, timeout=30)
        answer.raise_for_status()
        return answer.content

    def _compare(
        self, name: str, peer: str, wanted: str, ours: list[str], theirs: list[str], method: str = "GET",
        connections: int = CONNECTIONS
    ) -> Comparison:
        return compare(
            name, peer, "requests/s", wanted, self.scale.rounds,
            lambda: self._load(ours, [self.cluster.process.pid], method, connections),
            lambda: self._load(theirs, self.nginx.workers(), method, connections))

    def _load(self, urls: list[str], server: list[int], method: str = "GET", connections: int = CONNECTIONS) -> Sample:
        return read_load(urls, self.scale.load_seconds, method, connections, server)

    def _p99(self, urls: list[str], server: list[int]) -> Sample:
        load = self._load(urls, server, connections=1)
        return Sample(load.p99_milliseconds, processor_microseconds=load.processor_microseconds)

    def _chunks(self, name: str) -> tuple[list[str], list[str]]:
        pairs = [self._stored(f"{name}-{index}", CHUNK_BYTES) for index in range(CHUNK_COUNT)]
        return [ours for ours, _ in pairs], [theirs for _, theirs in pairs]

    def _stored(self, name: str, size: int) -> tuple[str, str]:
        """The same bytes on the first storage node and in nginx's folder: their two addresses."""
        content = random.Random(name).randbytes(size)
        url = f"{self.cluster.storage[0]}/chunk/{name}"
        answer = requests.put(url, data=content, timeout=30)
        answer.raise_for_status()
        return url, self.nginx.add(name, content)
