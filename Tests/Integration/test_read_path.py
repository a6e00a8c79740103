"""What a storage node and the origin ask of the heap and of the kernel to answer a read: counted, as times tell little."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests

from Harness.client import is_healthy
from Harness.counting import Counting
from Harness.daemon import BINARY, Daemon, wait_for
from Harness.ports import STORAGE, STREAMING, PortBlock

# What the node's other threads may ask for while the requests are answered.
NOISE = 0.2
# Of an answer made before: what the placeholders of the route capture, and the video's id.
HOT_ALLOCATIONS = 5
IS_OPTIMIZED = "release" in Path(os.path.realpath(BINARY)).parts


class CountedNode:
    def __init__(self, folder: Path) -> None:
        self.counting = Counting(folder)
        self.block = PortBlock()
        port = STORAGE[0] + self.block.offset
        self.url = f"http://127.0.0.1:{port}"
        self.daemon = Daemon(
            "storage", ["storage"],
            {"PORT": port, "HOST": "127.0.0.1", "DATA_DIR": folder / "data", "METADATA_SERVICE_URL": "",
             "LOG_LEVEL": "warning"} | self.counting.settings, folder)

    def store(self, name: str, size: int) -> str:
        requests.put(f"{self.url}/chunk/{name}", data=os.urandom(size), timeout=30).raise_for_status()
        return f"/chunk/{name}"

    def per_request(self, method: str, path: str, headers: dict[str, object] | None = None) -> dict[str, float]:
        return self.counting.per_request(self.url, method, path, headers)


class CountedOrigin:
    """A streaming service of its own over a system whose other roles are not counted."""

    def __init__(self, folder: Path, metadata: str) -> None:
        self.counting = Counting(folder)
        self.block = PortBlock()
        port = STREAMING + self.block.offset
        self.url = f"http://127.0.0.1:{port}"
        self.daemon = Daemon(
            "streaming", ["stream"],
            {"PORT": port, "HOST": "127.0.0.1", "METADATA_SERVICE_URL": metadata, "LOG_LEVEL": "warning"}
            | self.counting.settings, folder)


@contextmanager
def running(service: CountedNode | CountedOrigin) -> Iterator[None]:
    service.daemon.start()
    try:
        wait_for("the service to answer /health", 60, lambda: is_healthy(service.url))
        yield
    finally:
        service.daemon.kill()
        service.block.release()


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[CountedNode]:
    node = CountedNode(tmp_path_factory.mktemp("counted"))
    with running(node):
        yield node


@pytest.fixture(scope="module")
def origin(cluster, tmp_path_factory) -> Iterator[CountedOrigin]:
    origin = CountedOrigin(tmp_path_factory.mktemp("counted-origin"), cluster.metadata)
    with running(origin):
        yield origin


# Allocations for a request: by the optimized binary, and by the one made for debugging, which keeps much on the heap that
# the other does not. Of the optimized one's, the HTTP library makes 24 for an answer that is not ready.
@pytest.mark.parametrize(
    "what, optimized, debugging", [("ping", 0, 80), ("small", 0, 160), ("large", 27, 300), ("range", 33, 300)])
def test_reads(node, what, optimized, debugging):
    """A read is one receive and one send, and few allocations; of an answer that is ready, none."""
    counts = {
        "ping": lambda: node.per_request("HEAD", "/ping"),
        "small": lambda: node.per_request("GET", node.store("small", 2048)),
        "large": lambda: node.per_request("GET", node.store("large", 100_000)),
        "range": lambda: node.per_request("GET", node.store("range", 100_000), {"Range": "bytes=0-99999"}),
    }[what]()
    print(what, counts)
    assert 1 <= counts["receives"] <= 1 + NOISE
    assert 1 <= counts["sends"] <= 1 + NOISE
    assert counts["allocations"] <= (optimized if IS_OPTIMIZED else debugging) + NOISE


@pytest.fixture(scope="module")
def video(cluster, sample_video) -> str:
    return cluster.store(sample_video(seconds=8, bitrate="2M"), title="Counted")


@pytest.mark.parametrize("asset", ["master.m3u8", "source/playlist.m3u8", "source/init.mp4", "source/segment-00000.m4s"])
def test_hot_assets(origin, video, asset):
    """What is hot at the origin is answered by an answer made before."""
    counts = origin.counting.per_request(origin.url, "GET", f"/stream/{video}/{asset}")
    print(asset, counts)
    assert 1 <= counts["receives"] <= 1 + NOISE
    assert counts["allocations"] <= (HOT_ALLOCATIONS if IS_OPTIMIZED else 1000)
