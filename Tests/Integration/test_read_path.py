"""What a storage node asks of the heap and of the kernel to answer a read: counted, as times tell little."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from Harness import raw
from Harness.client import is_healthy
from Harness.counting import Counting
from Harness.daemon import BINARY, Daemon, wait_for
from Harness.ports import STORAGE, PortBlock

REQUESTS = 1000
# What the node's other threads may ask for while the requests are answered.
NOISE = 0.2
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
        """Counts for one of many requests on one connection, each sent when the one before is answered."""
        request = raw.head(method, path, headers or {})
        connection = raw.connect(self.url)

        def ask(times: int) -> None:
            for _ in range(times):
                connection.sendall(request)
                answer = raw.read_response(connection, has_body=method != "HEAD")
                assert answer and answer.status in (200, 206)

        # What is made once, and once for each core.
        ask(200)
        before = self.counting.now()
        ask(REQUESTS)
        counts = self.counting.now() - before
        connection.close()
        return {name: count / REQUESTS for name, count in vars(counts).items()}


@pytest.fixture(scope="module")
def node(tmp_path_factory) -> Iterator[CountedNode]:
    node = CountedNode(tmp_path_factory.mktemp("counted"))
    node.daemon.start()
    try:
        wait_for("the node to answer /health", 60, lambda: is_healthy(node.url))
        yield node
    finally:
        node.daemon.kill()
        node.block.release()


# Allocations: of the optimized binary, and of the one made for debugging, which keeps on the heap what the other does not.
@pytest.mark.parametrize("what, optimized, debugging", [("ping", 1, 30), ("small", 4, 90), ("large", 32, 200), ("range", 38, 200)])
def test_reads(node, what, optimized, debugging):
    """A read is one receive and one send, and few allocations; of an answer that is ready, next to none."""
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
