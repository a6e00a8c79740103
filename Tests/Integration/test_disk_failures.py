"""A storage node whose disk fails: what it refuses, what it says of itself, and how it comes back."""

import hashlib
import random
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import requests

from Harness import ports
from Harness.client import is_healthy
from Harness.daemon import Daemon, wait_for
from Harness.faults import FaultyDisk, small_disk

MEBIBYTE = 1 << 20


class Node:
    """A storage node of its own, and the metadata service that it tells how it is."""

    def __init__(self, role: Callable[..., Daemon], folder: Path, offset: int) -> None:
        self.folder = folder
        self.url, self.metadata = (f"http://127.0.0.1:{port + offset}" for port in (ports.STORAGE[0], ports.METADATA))
        self._role, self._offset = role, offset
        role("metadata", PORT=ports.METADATA + offset, DB_PATH=folder / "metadata.db", NODE_TIMEOUT=60)
        wait_for("the metadata service", 30, lambda: is_healthy(self.metadata))
        self.random = random.Random(7)

    def start(self, **settings: object) -> None:
        common = {
            "PORT": ports.STORAGE[0] + self._offset, "DATA_DIR": self.folder / "node",
            "METADATA_SERVICE_URL": self.metadata, "HEARTBEAT_INTERVAL": 0.1, "SCRUB_BYTES_PER_SEC": 0,
        }
        self.process = self._role("storage", **common | settings)
        wait_for("the node to answer", 30, lambda: self.process.is_running() and self._answers())

    def restart(self) -> None:
        """Ends it as an operator would, and starts it without what was wrong with its disk."""
        assert self.process.stop() == 0
        self.start()

    def put(self, chunk: str, content: bytes) -> requests.Response:
        return requests.put(f"{self.url}/chunk/{chunk}", data=content, timeout=30)

    def get(self, chunk: str) -> requests.Response:
        return requests.get(f"{self.url}/chunk/{chunk}", timeout=30)

    def health(self) -> tuple[int, dict]:
        answer = requests.get(f"{self.url}/health", timeout=30)
        return answer.status_code, answer.json()

    def fill(self, count: int, size: int = 100_000) -> dict[str, bytes]:
        contents = {f"c{index}": self.random.randbytes(size) for index in range(count)}
        for chunk, content in contents.items():
            assert self.put(chunk, content).status_code == 201
        return contents

    def as_metadata_sees_it(self) -> dict:
        return requests.get(f"{self.metadata}/nodes/all", timeout=30).json()["nodes"][0]

    def wait_for_status(self, status: str) -> dict:
        def seen() -> dict | None:
            node = self.as_metadata_sees_it()
            return node if node["status"] == status else None

        return wait_for(lambda: f"{status}: {self.as_metadata_sees_it()}", 30, seen)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/ping", timeout=5).status_code == 200
        except requests.RequestException:
            return False


@pytest.fixture
def node(role, tmp_path) -> Iterator[Node]:
    block = ports.PortBlock()
    yield Node(role, tmp_path, block.offset)
    block.release()


def flip(path: Path, content: bytes, at: int = 100) -> None:
    """Changes one byte of a chunk's content where it lies."""
    whole = path.read_bytes()
    place = whole.index(content[:64]) + at
    with open(path, "r+b") as file:
        file.seek(place)
        file.write(bytes([whole[place] ^ 1]))


def scrub(node: Node) -> dict:
    """One whole pass; what `GET /scrub` says then."""
    assert requests.post(f"{node.url}/scrub", params={"bytes_per_sec": 1 << 30}, timeout=30).status_code == 202

    def finished() -> dict | None:
        progress = requests.get(f"{node.url}/scrub", timeout=30).json()
        return progress if progress["status"] in ("idle", "off") else None

    return wait_for("the pass to end", 60, finished)


def test_failed_synchronization(node, tmp_path):
    """After a failed fsync the node takes nothing more, says why, serves what it has, and is well after a restart."""
    disk = FaultyDisk(tmp_path)
    node.start(**disk.settings)
    contents = node.fill(3)
    node.wait_for_status("healthy")
    disk.fail("sync")
    refused = node.put("refused", b"not durable")
    assert refused.status_code == 503 and "read-only" in refused.json()["detail"]
    disk.mend("sync")
    for answer in (node.put("later", b"also refused"), requests.delete(f"{node.url}/chunk/c0", timeout=30)):
        assert answer.status_code == 503 and "Input/output error" in answer.json()["detail"]
    code, health = node.health()
    assert code == 503 and health["status"] == "critical"
    assert "read-only until restarted" in health["reason"] and "Input/output error" in health["reason"]
    assert "vstack_storage_read_only 1.0" in requests.get(f"{node.url}/metrics", timeout=30).text
    assert "read-only until restarted" in node.wait_for_status("degraded")["impairment"]
    assert all(node.get(chunk).content == content for chunk, content in contents.items())
    assert node.get("refused").status_code == 404

    node.restart()
    assert node.health()[1]["status"] == "healthy"
    assert node.put("later", b"taken now").status_code == 201
    assert all(node.get(chunk).content == content for chunk, content in contents.items())
    assert "impairment" not in node.wait_for_status("healthy")


def test_disk_that_refuses_writes_for_want_of_space(node, tmp_path):
    """ENOSPC is 507 and critical; when there is room again the node finds it without a client's write."""
    disk = FaultyDisk(tmp_path)
    node.start(**disk.settings)
    contents = node.fill(3)
    disk.fail("full")
    refused = node.put("refused", b"no room")
    assert refused.status_code == 507 and "full" in refused.json()["detail"]
    code, health = node.health()
    assert code == 503 and health["status"] == "critical" and "want of space" in health["reason"]
    assert "want of space" in node.wait_for_status("degraded")["impairment"]
    assert all(node.get(chunk).content == content for chunk, content in contents.items())
    disk.mend("full")
    # The heartbeat finds out; nobody writes, and nobody asks for the health.
    node.wait_for_status("healthy")
    assert node.health()[0] == 200
    assert node.put("refused", b"room now").status_code == 201


def test_full_disk(node, tmp_path):
    """A file system that is really full: 507, nothing lost, and well again when space is freed."""
    prefix = small_disk(tmp_path / "node", 24)
    node.start(prefix=prefix, DISK_WARNING_PERCENT=100, DISK_CRITICAL_PERCENT=100, DATA_DIR=tmp_path / "node/data")
    inside = Path(f"/proc/{node.process.pid}/root{tmp_path}/node")
    ballast = inside / "ballast"
    ballast.write_bytes(bytes(10 * MEBIBYTE))
    kept: dict[str, str] = {}
    for index in range(40):
        content = node.random.randbytes(MEBIBYTE)
        answer = node.put(f"c{index}", content)
        if answer.status_code == 507:
            break
        assert answer.status_code == 201, answer.text
        kept[f"c{index}"] = hashlib.sha256(content).hexdigest()
    assert answer.status_code == 507 and 2 < len(kept) < 24
    code, health = node.health()
    assert code == 503 and health["status"] == "critical", health
    assert "critical" not in node.wait_for_status("degraded")["status"]
    for chunk, checksum in kept.items():
        assert hashlib.sha256(node.get(chunk).content).hexdigest() == checksum
    ballast.unlink()
    wait_for("the node to find the space", 30, lambda: node.health()[0] == 200)
    assert node.put(f"c{index}", content).status_code == 201
    for chunk, checksum in kept.items():
        assert hashlib.sha256(node.get(chunk).content).hexdigest() == checksum


def test_rotten_chunk(node):
    """A chunk that rots is found by scrubbing, named everywhere, never served, and healed by its bytes."""
    node.start()
    contents = node.fill(5)
    assert scrub(node)["damaged_found"] == 0
    flip(node.folder / "node/superblocks/000001.vsb", contents["c3"])
    progress = scrub(node)
    assert progress["damaged_found"] == 1 and progress["corrupt_chunks"] == ["c3"]
    assert progress["chunks_done"] == 4 and progress["chunks_total"] == 5
    assert progress["bytes_done"] == progress["bytes_total"] > 500_000

    def assert_quarantined() -> None:
        answer = node.get("c3")
        assert answer.status_code == 500 and "another node" in answer.json()["detail"]
        code, health = node.health()
        assert code == 200 and health["status"] == "degraded" and health["corrupt"] == ["c3"]
        assert node.wait_for_status("degraded")["corrupt_chunks"] == ["c3"]
        assert "vstack_storage_corrupt_chunks 1.0" in requests.get(f"{node.url}/metrics", timeout=30).text
        assert all(node.get(chunk).content == contents[chunk] for chunk in contents if chunk != "c3")

    assert_quarantined()
    # The disk has a good day: what was bad once is not trusted any more, by this process or the next.
    flip(node.folder / "node/superblocks/000001.vsb", contents["c3"])
    assert_quarantined()
    node.restart()
    assert_quarantined()
    assert node.put("c3", contents["c3"]).status_code == 201
    assert node.get("c3").content == contents["c3"]
    assert node.health()[1]["status"] == "healthy"
    node.wait_for_status("healthy")
    node.restart()
    assert node.health()[1]["status"] == "healthy"


def test_lost_record(node):
    """A damaged head loses the chunk and the node's vote; the node says so, after a restart too."""
    node.start()
    contents = node.fill(3)
    path = node.folder / "node/superblocks/000001.vsb"
    # The id stands before the content, and the header before that: its sequence number goes.
    flip(path, contents["c1"], at=-192 + 24)
    assert scrub(node)["damaged_found"] == 1
    for _ in range(2):
        _, health = node.health()
        assert health["status"] == "degraded" and health["corrupt_records"] == 1 and "no vote" in health["reason"]
        assert node.get("c1").status_code in (404, 500)
        assert "no vote" in node.wait_for_status("degraded")["impairment"]
        body = {"ballot": "1.a", "configuration": {"version": 0, "members": [{"node_id": node.health()[1]["node_id"]}]}}
        promise = requests.post(f"{node.url}/paxos/c0/prepare", json=body, timeout=30)
        assert promise.status_code == 503, promise.text
        node.restart()
    assert node.put("c1", contents["c1"]).status_code == 201
    assert node.get("c1").content == contents["c1"]
