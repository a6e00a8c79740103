"""`vstack store`: looking into the folder of a storage node that does not run."""

import json
import random
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from Harness import ports
from Harness.daemon import BINARY, environment, wait_for


def store(*arguments: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BINARY, "store", *map(str, arguments)], env=environment(), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=60)


def report(*arguments: object, code: int = 0) -> dict:
    result = store(*arguments, "--json")
    assert result.returncode == code, result.stdout + result.stderr
    return json.loads(result.stdout)


class Folder:
    """What a node left behind: ten chunks, of which one was deleted."""

    def __init__(self, role, path: Path) -> None:
        block = ports.PortBlock()
        self.path = path
        self.superblock = path / "superblocks/000001.vsb"
        self.role, self.port = role, ports.STORAGE[0] + block.offset
        self.url = f"http://127.0.0.1:{self.port}"
        self.contents = {f"c{index}": random.Random(index).randbytes(50_000) for index in range(10)}
        node = self.start()
        for chunk, content in self.contents.items():
            assert requests.put(f"{self.url}/chunk/{chunk}", data=content, timeout=30).status_code == 201
        assert requests.delete(f"{self.url}/chunk/c4", timeout=30).status_code == 204
        assert node.stop() == 0
        self.block = block

    def start(self):
        node = self.role(
            "storage", PORT=self.port, DATA_DIR=self.path, METADATA_SERVICE_URL="", SCRUB_BYTES_PER_SEC=0)
        wait_for("the node to answer", 30, lambda: node.is_running() and self._answers())
        return node

    def damage(self, chunk: str) -> None:
        whole = self.superblock.read_bytes()
        place = whole.index(self.contents[chunk][:64]) + 100
        with open(self.superblock, "r+b") as file:
            file.seek(place)
            file.write(bytes([whole[place] ^ 1]))

    def _answers(self) -> bool:
        try:
            return requests.get(f"{self.url}/ping", timeout=5).status_code == 200
        except requests.RequestException:
            return False


@pytest.fixture
def folder(role, tmp_path) -> Iterator[Folder]:
    folder = Folder(role, tmp_path / "node")
    yield folder
    folder.block.release()


def state_of(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_inspect(folder):
    """The superblocks with what is live and dead in them; nothing is changed by looking."""
    before = state_of(folder.path)
    found = report("inspect", folder.path)
    block = found["superblocks"][0]
    assert (block["number"], block["chunk_records"], block["tombstone_records"]) == (1, 10, 1)
    assert found["chunk_count"] == 9 and found["chunk_bytes"] == 450_000
    assert 450_000 < block["live_bytes"] < 460_000 and 50_000 < block["dead_bytes"] < 52_000
    assert block["size_bytes"] == folder.superblock.stat().st_size
    assert found["damage"] == [] and not found["is_in_use"]
    table = store("inspect", folder.path)
    assert table.returncode == 0 and "SUPERBLOCK" in table.stdout and "9 chunks" in table.stdout
    assert state_of(folder.path) == before


def test_inspect_a_chunk(folder):
    """The records of one chunk, and which of them count."""
    deleted = report("inspect", folder.path, "c4", code=1)
    assert [record["kind"] for record in deleted] == ["chunk", "tombstone"]
    assert not any(record["is_current_chunk"] for record in deleted)
    kept = report("inspect", folder.path, "c5")
    assert len(kept) == 1 and kept[0]["is_current_chunk"] and kept[0]["is_whole"] and kept[0]["size_bytes"] == 50_000
    folder.damage("c5")
    result = store("inspect", folder.path, "c5")
    assert result.returncode == 1 and "DAMAGED" in result.stdout
    assert store("inspect", folder.path, "nobody").returncode == 1
    assert store("inspect", folder.path, "no/id").returncode == 64


def test_check(folder):
    """Every record's bytes are compared; what is damaged is listed, with its chunk, and is exit code 1."""
    before = state_of(folder.path)
    whole = store("check", folder.path)
    assert whole.returncode == 0 and "all intact" in whole.stdout, whole.stdout + whole.stderr
    assert "100 %" in whole.stderr
    assert state_of(folder.path) == before
    folder.damage("c5")
    folder.damage("c4")
    result = store("check", folder.path)
    assert result.returncode == 1 and "c5" in result.stdout and "intact" not in result.stdout
    found = report("check", folder.path, code=1)
    damage = {entry["chunk"]: entry for entry in found["damage"]}
    assert damage["c5"]["kind"] == "payload" and damage["c5"]["is_current"]
    assert not damage["c4"]["is_current"], "a deleted chunk is no loss"
    # Heads alone do not tell.
    assert report("inspect", folder.path)["damage"] == []


def test_check_finds_lost_stretches_and_files(folder):
    """Zeroed stretches, cut files and damaged file headers are damage."""
    with open(folder.superblock, "r+b") as file:
        file.seek(200_000)
        file.write(bytes(60_000))
    found = report("check", folder.path, code=1)
    assert {entry["kind"] for entry in found["damage"]} == {"payload", "stretch"}
    assert report("inspect", folder.path, code=1)["damage"]
    with open(folder.superblock, "r+b") as file:
        for offset in (0, 4096):
            file.seek(offset)
            file.write(b"x")
    found = report("check", folder.path, code=1)
    assert [entry["kind"] for entry in found["damage"]] == ["superblock"]


def test_compact(folder):
    """What was deleted is given back; what is left is whole, and a node serves it."""
    kept = {chunk: content for index, (chunk, content) in enumerate(folder.contents.items()) if index in (1, 8)}
    node = folder.start()
    for chunk in folder.contents:
        if chunk not in kept:
            requests.delete(f"{folder.url}/chunk/{chunk}", timeout=30)
    assert store("compact", folder.path).returncode == 1, "a node is running"
    assert node.stop() == 0
    done = report("compact", folder.path, "--live-percent", 99)
    assert done["superblocks_removed"] == 1 and 100_000 < done["moved_bytes"] < 110_000
    assert done["freed_bytes"] > 390_000 and done["corrupt_records"] == 0
    assert not folder.superblock.exists()
    assert report("check", folder.path)["chunk_count"] == 2
    again = store("compact", folder.path)
    assert again.returncode == 0 and "0 superblocks removed" in again.stdout
    node = folder.start()
    for chunk, content in kept.items():
        assert requests.get(f"{folder.url}/chunk/{chunk}", timeout=30).content == content
    assert node.stop() == 0
    # The record that says so is what makes a missing superblock no loss.
    superblocks = sorted((folder.path / "superblocks").iterdir())
    superblocks[-1].rename(superblocks[-1].with_name("000009.vsb"))
    lost = report("check", folder.path, code=1)
    assert {entry["kind"] for entry in lost["damage"]} >= {"superblock", "lost"}


def test_a_running_node(folder):
    """A check is refused while a node has the folder open; a look is allowed, and leaves the node alone."""
    node = folder.start()
    refused = store("check", folder.path)
    assert refused.returncode == 1 and "running" in refused.stderr and refused.stdout == ""
    looked = store("inspect", folder.path)
    assert looked.returncode == 0 and "has this folder open" in looked.stdout
    assert node.stop() == 0
    assert store("check", folder.path).returncode == 0


def test_no_store(tmp_path):
    """A folder without a store, and one that lost its parts, are named as such."""
    for verb in ("inspect", "check", "compact"):
        result = store(verb, tmp_path)
        assert result.returncode == 1 and "no chunk store" in result.stderr
        assert store(verb, tmp_path / "nothing").returncode == 1
    assert list(tmp_path.iterdir()) == []


def test_lost_parts(folder):
    """Superblocks without an identity and an identity without superblocks are errors, never an empty store."""
    identity = (folder.path / "store.id").read_bytes()
    (folder.path / "store.id").unlink()
    result = store("check", folder.path)
    assert result.returncode == 1 and "store.id" in result.stderr
    (folder.path / "store.id").write_bytes(identity)
    folder.superblock.unlink()
    result = store("check", folder.path)
    assert result.returncode == 1 and "not one superblock" in result.stderr


@pytest.mark.parametrize("arguments", [[], ["chekc", "x"], ["check"], ["check", "x", "y"], ["inspect", "x", "--jsno"]])
def test_usage(arguments):
    """What cannot be understood ends with code 64 and the nearest real name."""
    result = store(*arguments)
    assert result.returncode == 64 and result.stderr.startswith("vstack: ")


def test_help():
    """The verbs have help of their own, by either spelling."""
    help = subprocess.run([BINARY, "help", "store", "check"], capture_output=True, text=True, timeout=30)
    assert help.returncode == 0 and "DATA_DIR" in help.stdout
    assert store("check", "--help").stdout == help.stdout
    assert "inspect" in store("--help").stdout
