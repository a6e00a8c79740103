"""docs/formats/superblock.md: a reader that knows nothing but the document finds what the node was given."""

import base64
import hashlib
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import requests

from Harness import superblocks
from Harness.daemon import Daemon, wait_for
from Harness.ports import STORAGE, PortBlock
from Harness.uploader import canonical

VIDEO = "550e8400-e29b-41d4-a716-446655440000"


@dataclass
class Node:
    """A storage node that serves alone, and its folder."""

    daemon: Daemon
    url: str
    folder: Path

    def restart(self) -> None:
        self.daemon.start()
        self.wait()

    def wait(self) -> None:
        wait_for("the storage node to answer", 60, self._answers)

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/health", timeout=5).status_code == 200
        except requests.ConnectionError:
            return False

    def put(self, name: str, content: bytes, accepting: bool = False) -> int:
        headers = {}
        if accepting:
            value = base64.b64encode(canonical(chunk_value(content))).decode()
            headers = {"X-Paxos-Ballot": "0.a", "X-Paxos-Value": value}
        return requests.put(f"{self.url}/chunk/{name}", data=content, headers=headers, timeout=60).status_code

    def delete(self, name: str) -> int:
        return requests.delete(f"{self.url}/chunk/{name}", timeout=60).status_code

    def get(self, name: str) -> bytes | None:
        answer = requests.get(f"{self.url}/chunk/{name}", timeout=60)
        return answer.content if answer.status_code == 200 else None

    def paxos(self, name: str, phase: str, **body: object) -> bool:
        """Whether it is granted."""
        members = [{"node_id": "n1"}]
        body["configuration"] = {"version": 0, "members": members}
        answer = requests.post(f"{self.url}/paxos/{name}/{phase}", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["granted"]

    def listing(self) -> list[dict]:
        answer = requests.get(f"{self.url}/paxos?limit=2000", timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.json()["entries"]


def chunk_value(content: bytes) -> dict:
    return {
        "video_id": VIDEO, "stream": "source", "sequence": 0, "size_bytes": len(content),
        "checksum": "sha256:" + hashlib.sha256(content).hexdigest(), "redundancy_mode": "replication", "group": "g1",
        "nodes": ["n1"], "start_sec": 0, "duration_sec": 0,
    }


@pytest.fixture
def node(role: Callable[..., Daemon], tmp_path: Path) -> Iterator[Node]:
    block = PortBlock()
    port, folder = STORAGE[0] + block.offset, tmp_path / "data"
    try:
        daemon = role(
            "storage", NODE_ID="n1", PORT=port, DATA_DIR=folder, METADATA_SERVICE_URL="", MAX_CHUNK_SIZE=65536,
            MAX_SUPERBLOCK_SIZE=200_000)
        node = Node(daemon, f"http://127.0.0.1:{port}", folder)
        node.wait()
        yield node
    finally:
        block.release()


def fill(node: Node, chance: random.Random) -> dict[str, bytes]:
    """Stores, replaces and deletes; what must be there in the end."""
    held: dict[str, bytes] = {}
    # Ballot 0 is for those of whom the acceptor knows nothing yet.
    touched: set[str] = set()
    for step in range(120):
        name = f"chunk-{chance.randrange(25)}"
        if name in held and chance.random() < 0.6:
            assert node.delete(name) in (200, 204)
            del held[name]
        elif name not in held:
            content = chance.randbytes(chance.choice([1, 63, 64, 65, 1000, 4096, 20_000, 65_536]))
            assert node.put(name, content, accepting=name not in touched) == 201
            held[name] = content
            if name in touched and chance.random() < 0.5:
                # Whoever proposes later has the higher round: nothing that was accepted before stands in the way.
                assert node.paxos(name, "accept", ballot=f"{step + 1}.a", value=chunk_value(content))
        touched.add(name)
        if chance.random() < 0.2:
            promised = f"chunk-{chance.randrange(30)}"
            assert node.paxos(promised, "prepare", ballot=f"{step + 1}.b")
            touched.add(promised)
    return held


def assert_same(node: Node, held: dict[str, bytes], listing: list[dict]) -> superblocks.Folder:
    read = superblocks.read_folder(node.folder)
    assert read.damage == []
    assert read.chunks == held
    stored = {entry["chunk_id"] for entry in listing if entry.get("stored_checksum")}
    assert stored == held.keys()
    for entry in listing:
        state = read.acceptors.get(entry["chunk_id"])
        assert (str(state.promised) if state and state.promised else None) == entry.get("promised_ballot")
        assert (str(state.accepted) if state and state.accepted else None) == entry.get("accepted_ballot")
        assert (state.value.decode() if state and state.accepted else None) == entry.get("accepted_value")
        if state:
            assert state.configuration and state.configuration.version == 0 and state.configuration.base == b""
            assert [node for node, _ in state.configuration.members] == ["n1"]
    assert read.acceptors.keys() <= {entry["chunk_id"] for entry in listing}
    return read


def test_everything_is_found(node):
    """Every chunk that was stored, deleted or replaced comes out the same, and so does what acceptors said."""
    chance = random.Random(7)
    held = fill(node, chance)
    listing = node.listing()
    assert any(entry.get("accepted_ballot") for entry in listing) and any(
        entry.get("promised_ballot") and not entry.get("accepted_ballot") for entry in listing)
    running = assert_same(node, held, listing)
    assert len(running.superblocks) > 2

    node.daemon.kill()
    assert_same(node, held, listing)
    node.restart()
    held |= fill_more(node, chance)
    listing = node.listing()
    node.daemon.stop(seconds=60)
    closed = assert_same(node, held, listing)
    assert closed.superblocks[-1].records[-1].is_marker
    assert closed.identity == running.identity


def fill_more(node: Node, chance: random.Random) -> dict[str, bytes]:
    more = {f"more-{number}": chance.randbytes(3000) for number in range(10)}
    assert [node.put(name, content) for name, content in more.items()] == [201] * 10
    return more


def test_damage_is_found(node):
    """A flipped bit anywhere in a record is seen by the reader, as it is by the node."""
    content = b"precious " * 500
    assert node.put("first", content) == 201 and node.put("second", b"after it") == 201
    node.daemon.stop(seconds=60)
    path = node.folder / "superblocks" / "000001.vsb"
    whole = path.read_bytes()
    first = superblocks.read_superblock(path).records[0]
    assert first.id == "first" and first.payload == content
    # In its magic, its head's fields, its id, and its payload.
    for offset in (0, 30, 129, 192 + 77):
        damaged = bytearray(whole)
        damaged[first.offset + offset] ^= 4
        path.write_bytes(damaged)
        read = superblocks.read_folder(node.folder)
        assert len(read.damage) == 1, f"byte {offset}: {read.damage}"
        assert read.chunks["second"] == b"after it"
    node.restart()
    assert node.get("first") is None and node.get("second") == b"after it"


def test_compaction_is_understood(node):
    """What compaction moved and removed is found, and nothing that it left behind comes back."""
    chance = random.Random(11)
    contents = {f"chunk-{number}": chance.randbytes(20_000) for number in range(40)}
    assert [node.put(name, content) for name, content in contents.items()] == [201] * 40
    kept = {name: contents.pop(name) for name in list(contents)[::7]}
    files = node.folder / "superblocks"
    assert len(list(files.iterdir())) >= 4
    for name in contents:
        assert node.delete(name) in (200, 204)
    wait_for("compaction to remove superblocks", 120, lambda: len(list(files.iterdir())) <= 2)
    node.daemon.stop(seconds=60)
    read = superblocks.read_folder(node.folder)
    assert read.damage == [] and read.chunks == kept
    kinds = {record.kind for superblock in read.superblocks for record in superblock.records}
    assert superblocks.REMOVAL in kinds
