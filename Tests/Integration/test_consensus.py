"""Consensus between real processes: rivals, kill -9, two metadata services over one catalog, and what a commit costs."""

import random
import re
import threading
import time
from collections.abc import Callable, Iterator

import pytest
import requests

from Harness.client import sha256_bytes
from Harness.daemon import wait_for
from Harness.pair import NODES, SERVICES, MetadataPair
from Harness.uploader import Uploader, create

# Requests and answers of an uncontended commit, beyond the requests that carry the data.
MESSAGES_MAX = 6


@pytest.fixture
def pair() -> Iterator[Callable[..., MetadataPair]]:
    made: list[MetadataPair] = []

    def make(**settings: object) -> MetadataPair:
        made.append(MetadataPair(**settings))
        made[-1].start()
        return made[-1]

    try:
        yield make
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.kill_all()
            one.remove()


def kill_until(pair: MetadataPair, dice: random.Random, is_over: Callable[[], bool]) -> int:
    """Kills one process after the other and starts it again; how many. Everybody is up in the end.

    Runs in the test's own thread: a process ends with the thread that started it.
    """
    kills = 0
    while not is_over():
        time.sleep(dice.uniform(0.05, 0.5))
        # Nodes mostly; at times a metadata service.
        name = dice.choice(NODES * 3 + SERVICES)
        pair.kill(name)
        kills += 1
        time.sleep(dice.uniform(0, 0.6))
        pair.restart(name)
    return kills


def race(pair: MetadataPair, chunks: int, seconds: float, seed: int) -> int:
    """Two uploaders with different bytes for each of `chunks` chunks, and on until `seconds` are over, under kills.

    Each learns what each chunk came to; how many chunks there were in the end.
    """
    print(f"seed {seed}")
    video = create(pair.services[0])
    learned: list[dict[int, str]] = [{}, {}]
    acknowledged: dict[int, bytes] = {}
    errors: list[BaseException] = []
    begun = time.monotonic()
    barrier = threading.Barrier(2)
    goes_on = [True]

    def contend(side: int) -> None:
        dice = random.Random(seed * 2 + side)
        uploader = Uploader(pair.services[side], video, is_creator=side == 0)
        sequence = 0
        try:
            while True:
                if barrier.wait() == 0:
                    goes_on[0] = sequence < chunks or time.monotonic() - begun < seconds
                barrier.wait()
                if not goes_on[0]:
                    return
                content = dice.randbytes(dice.randrange(100, 5000))
                checksum = uploader.upload(sequence, content, lambda: time.sleep(dice.uniform(0, 0.1)))
                learned[side][sequence] = checksum
                if checksum == "sha256:" + sha256_bytes(content):
                    acknowledged[sequence] = content
                sequence += 1
        except BaseException as error:  # Raised in the test's own thread.
            errors.append(error)
            barrier.abort()

    threads = [threading.Thread(target=contend, args=(side,)) for side in (0, 1)]
    for thread in threads:
        thread.start()
    kills = kill_until(pair, random.Random(seed), lambda: not any(thread.is_alive() for thread in threads))
    for thread in threads:
        thread.join()
    real = [error for error in errors if not isinstance(error, threading.BrokenBarrierError)]
    assert not real, real
    print(f"{len(acknowledged)} chunks, {kills} kills, {time.monotonic() - begun:.0f} s")
    assert kills > 0
    assert_agreed(pair, video, learned, acknowledged)
    return len(acknowledged)


def assert_agreed(pair: MetadataPair, video, learned: list[dict[int, str]], acknowledged: dict[int, bytes]) -> None:
    assert learned[0] == learned[1], "the two uploaders were told different values"
    assert set(acknowledged) == set(learned[0]), "a chunk has a value that nobody proposed"
    manifests = [pair.get_json(f"{service}/manifest/{video.id}") for service in pair.services]
    for manifest in manifests:
        assert {chunk["sequence_num"]: chunk["checksum"] for chunk in manifest["chunks"]} == learned[0]
    for chunk in manifests[0]["chunks"]:
        content = acknowledged[chunk["sequence_num"]]
        assert len(chunk["replicas"]) >= 2
        for replica in chunk["replicas"]:
            answer = requests.get(f"{replica}/chunk/{chunk['chunk_id']}", timeout=10)
            assert answer.content == content, f"{replica} holds other bytes of {chunk['chunk_id']}"
        assert_chosen(pair.get_json(f"{pair.services[1]}/consensus/{chunk['chunk_id']}"), chunk["checksum"])


def assert_chosen(consensus: dict, checksum: str) -> None:
    """A majority holds the value, and whoever accepted another did so under a lower ballot."""
    assert consensus["phase"] == "committed"
    accepted = [one for one in consensus["acceptors"] if one.get("accepted_ballot")]
    agreeing = [one for one in accepted if one["accepted_value"]["checksum"] == checksum]
    assert len(agreeing) >= consensus["quorum"], consensus
    highest = max(ballot(one) for one in agreeing)
    for one in accepted:
        assert one in agreeing or ballot(one) < highest, consensus


def ballot(acceptor: dict) -> tuple[int, int]:
    number, proposer = acceptor["accepted_ballot"].split(".")
    return int(number), int(proposer, 16)


def test_rivals_under_kills(pair):
    """For 10 s, two uploaders race for the same chunks through two services while processes are killed."""
    race(pair(), chunks=5, seconds=10, seed=random.randrange(1 << 30))


@pytest.mark.soak
@pytest.mark.timeout(1800)
def test_rivals_under_kills_for_two_minutes(pair):
    race(pair(), chunks=200, seconds=120, seed=random.randrange(1 << 30))


def test_a_wiped_node_has_no_vote(pair):
    """A node that comes back with an empty disk is another acceptor: two of three go on without it, and it says why."""
    pair = pair()
    video = create(pair.services[0])
    uploader = Uploader(pair.services[0], video, is_creator=True)
    first = uploader.upload(0, b"before", lambda: None)
    former = video.nodes[0]["acceptor_id"]
    name = next(name for name in NODES if pair.url(name) == video.nodes[0]["node_url"])
    pair.kill(name)
    for path in sorted((pair.data / name).rglob("*"), reverse=True):
        path.unlink() if path.is_file() else path.rmdir()
    pair.restart(name)
    present = pair.get_json(f"{pair.url(name)}/health")["acceptor_id"]
    assert present != former

    def is_known() -> bool:
        return all(
            any(node.get("acceptor_id") == present for node in pair.get_json(f"{service}/nodes/all")["nodes"])
            for service in pair.services)

    wait_for("both services to know of the new disk", 30, is_known)
    assert uploader.put(1, b"after", video.nodes[0]) is None
    assert uploader.upload(1, b"after", lambda: None) == "sha256:" + sha256_bytes(b"after")
    body = {"configuration": {"version": 0, "members": [
        {"node_id": node["node_id"], "acceptor_id": node["acceptor_id"]} for node in video.nodes]}, "ballot": "9.1"}
    refusal = requests.post(f"{pair.url(name)}/paxos/{video.chunk(2)}/prepare", json=body, timeout=10)
    assert refusal.status_code == 409 and former in refusal.json()["detail"] and present in refusal.json()["detail"]
    for service in pair.services:
        chunks = pair.get_json(f"{service}/manifest/{video.id}")["chunks"]
        assert [chunk["checksum"] for chunk in chunks] == [first, "sha256:" + sha256_bytes(b"after")]
        assert all(pair.url(name) not in chunk["replicas"] and len(chunk["replicas"]) == 2 for chunk in chunks)
        acceptor = pair.get_json(f"{service}/consensus/{video.chunk(0)}")["acceptors"][0]
        assert (acceptor["acceptor_id"], acceptor["present_acceptor_id"]) == (former, present)
        assert "replaced" in acceptor["error"]
    # A video that is made now has the new disk among its acceptors.
    assert present in [node["acceptor_id"] for node in create(pair.services[1]).nodes]


def requests_answered(url: str) -> int:
    text = requests.get(f"{url}/metrics", timeout=10).text
    return sum(int(float(value)) for value in re.findall(r"^http_requests_total\{[^}]*\} (\S+)", text, re.MULTILINE))


def test_messages_of_a_commit(pair):
    """An uncontended commit is a PUT to each node, which carries the data, and one request to the metadata service.

    A message is a request or an answer on a connection, counted by the servers themselves.
    """
    # Nothing but the commits is on the wire.
    pair = pair(HEARTBEAT_INTERVAL=3000, NODE_TIMEOUT=3600)
    video = create(pair.services[0])
    journal = f"{video.id}-catalog-000"
    wait_for("the video's journal", 30, lambda: all(
        requests.head(f"{url}/chunk/{journal}", timeout=10).status_code == 200 for url in pair.nodes_urls))
    servers = [pair.services[0], *pair.nodes_urls]
    before = [requests_answered(url) for url in servers]
    uploader = Uploader(pair.services[0], video, is_creator=True)
    count = 40
    for sequence in range(count):
        uploader.upload(sequence, f"chunk {sequence}".encode(), lambda: None)
    # The last look at the figures was a request too.
    answered = [requests_answered(url) - 1 - old for url, old in zip(servers, before, strict=True)]
    assert uploader.commits == count
    assert answered == [count] * 4, "requests to the metadata service and to each node"
    messages = 2 * sum(answered) / count - len(pair.nodes_urls)
    print(f"{messages} messages for each commit, beyond the {len(pair.nodes_urls)} that carry the data")
    assert messages <= MESSAGES_MAX
