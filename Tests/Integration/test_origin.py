"""The streaming service under many players, and under readers who do not read."""

import re
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from Harness import raw
from Harness.client import is_healthy
from Harness.daemon import Daemon, wait_for
from Harness.ports import STREAMING, PortBlock

sys.path.append(str(Path(__file__).parents[2]))

from Benchmarks.players import compile_client, play  # noqa: E402

MEBIBYTE = 2**20
CACHE_BYTES = 16 * MEBIBYTE
# For all answers together, where the cache is small.
MEMORY_BYTES = 64 * MEBIBYTE


def test_a_hundred_players_see_no_segment_late(cluster, sample_video, tmp_path):
    """Each has a connection of its own and plays in real time, at one of three places of the film."""
    film = sample_video(width=640, height=360, seconds=36, bitrate="1M")
    playlist = f"{cluster.streaming}/stream/{cluster.store(film, title='Played')}/source/playlist.m3u8"
    figures = play(
        compile_client(tmp_path), playlist, players=100, seconds=10, server=[cluster.process.pid], places=3, spread=1)
    print(figures.text())
    assert figures.late == 0
    assert figures.segments == 200


@pytest.fixture
def small_origin(cluster, role: Callable[..., Daemon]) -> Iterator[tuple[str, Daemon]]:
    """A streaming service with little memory, over the system's metadata service."""
    block = PortBlock()
    port = STREAMING + block.offset
    url = f"http://127.0.0.1:{port}"
    daemon = role("stream", PORT=port, METADATA_SERVICE_URL=cluster.metadata, STREAM_CACHE_BYTES=CACHE_BYTES)
    wait_for("the streaming service to answer /health", 60, lambda: is_healthy(url))
    yield url, daemon
    block.release()


def test_memory_stays_within_its_bound_whatever_readers_do(cluster, sample_video, small_origin):
    """Ten segments of some 12 MB: one fits into the cache, five into the memory for all answers."""
    url, daemon = small_origin
    film = sample_video(width=1280, height=720, seconds=60, bitrate="16M", audio=None)
    folder = f"/stream/{cluster.store(film, title='Large segments')}/source"
    before = daemon.peak_resident_bytes()
    names = [line for line in requests.get(f"{url}{folder}/playlist.m3u8", timeout=30).text.split() if line[0] != "#"]
    size = len(requests.get(f"{url}{folder}/{names[0]}", timeout=60).content)
    assert len(names) * size > MEMORY_BYTES + 2 * size, "the film is too small for this test"

    for name in names:
        assert requests.get(f"{url}{folder}/{name}", timeout=60).status_code == 200
        assert figure(url, "vstack_stream_cache_bytes") <= CACHE_BYTES
        assert figure(url, "vstack_stream_memory_bytes") <= MEMORY_BYTES

    readers = [Stalled(url, f"{folder}/{name}") for name in names]
    statuses = [reader.status() for reader in readers]
    assert set(statuses) == {200, 503}
    assert figure(url, "vstack_stream_memory_bytes") <= MEMORY_BYTES
    assert daemon.peak_resident_bytes() - before <= 2 * MEMORY_BYTES
    # What is sent again and again is in nobody's way.
    assert requests.get(f"{url}{folder}/playlist.m3u8", timeout=30).status_code == 200

    for reader in readers:
        reader.leave()
    for name in names:
        wait_for(f"{name} to be sent again", 60, lambda: requests.get(f"{url}{folder}/{name}", timeout=60).status_code == 200)


class Stalled:
    """Asks for something large and takes the head of the answer only."""

    def __init__(self, url: str, path: str) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self._socket.settimeout(60)
        self._socket.connect((host, int(port)))
        self._socket.sendall(raw.head("GET", path, {}))

    def status(self) -> int:
        return int(self._socket.recv(64).split()[1])

    def leave(self) -> None:
        self._socket.close()


def figure(url: str, name: str) -> float:
    text = requests.get(f"{url}/metrics", timeout=30).text
    return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])
