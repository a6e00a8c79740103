"""What the HTTP server refuses, and whom it drops."""

import json
import os
import time

import pytest
import requests

from Harness import ports, raw
from Harness.client import is_healthy
from Harness.daemon import Daemon, wait_for

CHUNK_SIZE_MAX = 2 * 1024 * 1024
IMPATIENT = {"HTTP_HEADER_TIMEOUT": 2, "HTTP_IDLE_TIMEOUT": 2, "HTTP_MIN_RATE": 1024}
# How long an impatient server may take to be rid of a client, on a busy machine.
PATIENCE_SECONDS = 30
CROWD = 50


class Node:
    """A storage node on its own, which knows no metadata service."""

    def __init__(self, process: Daemon, url: str) -> None:
        self.process, self.url = process, url

    def answers(self) -> bool:
        return requests.head(f"{self.url}/ping", timeout=2).status_code == 200


@pytest.fixture
def node(role, tmp_path):
    """Starts a storage node with these settings."""
    blocks: list[ports.PortBlock] = []

    def start(**settings: object) -> Node:
        blocks.append(ports.PortBlock())
        port = ports.STORAGE[0] + blocks[-1].offset
        process = role(
            "storage", PORT=port, NODE_ID="alone", DATA_DIR=tmp_path / "node", METADATA_SERVICE_URL="", **settings)
        url = f"http://127.0.0.1:{port}"
        wait_for("the node to answer", 30, lambda: is_healthy(url))
        return Node(process, url)

    yield start
    for block in blocks:
        block.release()


def test_headers_too_large(cluster):
    """More headers than any client needs are 431 (or an end), by every role, which goes on answering."""
    for url in cluster.addresses.all().values():
        answer = raw.exchange(url, raw.head("GET", "/health", {f"X-Filler-{n}": "x" * 1000 for n in range(200)}))
        assert answer is None or answer.status == 431, answer
        assert is_healthy(url)


def test_headers_a_little_too_large(cluster):
    """Headers just over the limit are told so, in words."""
    answer = raw.exchange(cluster.metadata, raw.head("GET", "/health", {"X-Filler": "x" * 40_000}))
    assert answer is not None and answer.status == 431


def test_uri_too_long(cluster):
    """An address of 100 KB is a 4xx, or an end."""
    answer = raw.exchange(cluster.metadata, raw.head("GET", "/" + "x" * 100_000, {}))
    assert answer is None or 400 <= answer.status < 500


def test_413_before_the_body_with_expect(cluster):
    """Who asks first (Expect: 100-continue) is told 413 without having sent anything."""
    with raw.connect(cluster.storage[0]) as connection:
        connection.sendall(
            raw.head("PUT", "/chunk/too-large", {"Content-Length": CHUNK_SIZE_MAX + 1, "Expect": "100-continue"}))
        answer = raw.read_response(connection)
    assert answer is not None and answer.status == 413
    assert json.loads(answer.body)["detail"]


def test_413_before_the_body_without_expect(cluster):
    """Who does not ask is told 413 from the Content-Length alone."""
    with raw.connect(cluster.storage[0]) as connection:
        connection.sendall(raw.head("PUT", "/chunk/too-large", {"Content-Length": 10_000_000_000}))
        answer = raw.read_response(connection)
    assert answer is not None and answer.status == 413


def test_413_of_a_body_without_a_length(cluster):
    """A chunked body is cut off at the limit."""
    part = b"10000\r\n" + b"x" * 0x10000 + b"\r\n"
    body = part * (CHUNK_SIZE_MAX // 0x10000 + 1) + b"0\r\n\r\n"
    answer = raw.exchange(cluster.storage[0], raw.head("PUT", "/chunk/too-large", {"Transfer-Encoding": "chunked"}) + body)
    assert answer is None or answer.status == 413
    assert requests.get(f"{cluster.storage[0]}/chunk/too-large", timeout=10).status_code == 404


def test_largest_chunk(cluster):
    """Exactly the limit is accepted, with and without a Content-Length."""
    body = b"x" * CHUNK_SIZE_MAX
    assert requests.put(f"{cluster.storage[0]}/chunk/largest", data=body, timeout=30).status_code in (200, 201)
    answer = requests.put(f"{cluster.storage[0]}/chunk/largest-chunked", data=iter([body]), timeout=30)
    assert answer.status_code in (200, 201)
    assert requests.get(f"{cluster.storage[0]}/chunk/largest-chunked", timeout=30).content == body


def test_continue(cluster):
    """Who asks first and may go on is told 100, and then how it went."""
    with raw.connect(cluster.storage[0]) as connection:
        connection.sendall(raw.head("PUT", "/chunk/asked-first", {"Content-Length": 5, "Expect": "100-continue"}))
        go_on = raw.read_response(connection)
        assert go_on is not None and go_on.status == 100
        connection.sendall(b"hello")
        answer = raw.read_response(connection)
    assert answer is not None and answer.status in (200, 201)


@pytest.mark.parametrize(
    "method, path, allowed",
    [("DELETE", "/videos", {"GET"}), ("POST", "/nodes/all", {"GET"}), ("GET", "/nodes/register", {"POST"})])
def test_405(cluster, method, path, allowed):
    """A known path with the wrong method is 405 and says which are right."""
    answer = requests.request(method, f"{cluster.metadata}{path}", timeout=10)
    assert answer.status_code == 405 and answer.json()["detail"]
    assert allowed <= {name.strip() for name in answer.headers["Allow"].split(",")}


def test_404(cluster):
    """An unknown path is 404 with a sentence, by every role."""
    for url in cluster.addresses.all().values():
        answer = requests.get(f"{url}/no/such/thing", timeout=10)
        assert answer.status_code == 404 and "detail" in answer.json()


def test_unknown_method(cluster):
    """A method that HTTP does not have is refused, not followed."""
    answer = raw.exchange(cluster.metadata, raw.head("BREW", "/videos", {"Connection": "close"}))
    assert answer is None or answer.status in (400, 405, 501)


def test_head(cluster):
    """HEAD has the headers of GET and no body."""
    for path in ("/health", "/videos"):
        get = requests.get(f"{cluster.metadata}{path}", timeout=10)
        head = requests.head(f"{cluster.metadata}{path}", timeout=10)
        assert head.status_code == 200 and head.content == b""
        assert head.headers["Content-Type"] == get.headers["Content-Type"]


# A page of the same machine, on another port, as the web role's is; and a page of somebody else.
NEIGHBOUR, STRANGER = "http://127.0.0.1:5000", "http://example.com"


def preflight(url: str, origin: str, method: str) -> requests.Response:
    return requests.options(
        url, timeout=10,
        headers={"Origin": origin, "Access-Control-Request-Method": method,
                 "Access-Control-Request-Headers": "content-type"})


@pytest.mark.parametrize(
    "role, path, method",
    [("metadata", "/videos", "GET"), ("uploader", "/upload", "POST"), ("streaming", "/stream/x/master.m3u8", "GET")])
def test_cors_preflight(cluster, role, path, method):
    """A page of the same host may ask beforehand, and is told what it may do; a stranger's page is not."""
    answer = preflight(getattr(cluster, role) + path, NEIGHBOUR, method)
    assert answer.status_code in (200, 204)
    assert answer.headers["Access-Control-Allow-Origin"] == NEIGHBOUR
    assert method in answer.headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Origin" not in preflight(getattr(cluster, role) + path, STRANGER, method).headers


def test_cors_answer(cluster):
    """An answer says that a page of the same host may read it, and does not say so of a stranger's."""
    for origin, allowed in ((NEIGHBOUR, NEIGHBOUR), (STRANGER, None)):
        answer = requests.get(f"{cluster.metadata}/videos", headers={"Origin": origin}, timeout=10)
        assert answer.status_code == 200
        assert answer.headers.get("Access-Control-Allow-Origin") == allowed


@pytest.mark.parametrize("setting", ["*", f"http://other.example,{STRANGER}"])
def test_cors_setting(node, setting):
    """CORS_ALLOWED_ORIGINS lets other pages in."""
    server = node(CORS_ALLOWED_ORIGINS=setting)
    answer = requests.get(f"{server.url}/ping", headers={"Origin": STRANGER}, timeout=10)
    assert answer.headers["Access-Control-Allow-Origin"] in ("*", STRANGER)


def test_byte_a_second(node):
    """Fifty clients that send their headers byte by byte hold up nobody, cost no thread each, and are dropped."""
    server = node(**IMPATIENT)
    threads_before = server.process.thread_count()
    crowd = [raw.connect(server.url) for _ in range(CROWD)]
    data = raw.head("GET", "/ping", {"X-Slow": "x" * 200})
    sent, dropped = 0, set()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(dropped) < CROWD:
        assert time.monotonic() < deadline, f"{CROWD - len(dropped)} slow clients are still connected"
        for index, connection in enumerate(crowd):
            if index not in dropped and not trickle(connection, data[sent % len(data):][:1]):
                dropped.add(index)
        sent += 1
        assert server.answers()
        assert server.process.thread_count() < threads_before + CROWD // 2
        # The pace of the slow clients.
        time.sleep(0.5)
    for connection in crowd:
        connection.close()


def trickle(connection, byte: bytes) -> bool:
    """Sends a byte; whether the peer is still there."""
    try:
        connection.sendall(byte)
        connection.setblocking(False)
        try:
            return connection.recv(4096) != b""
        except BlockingIOError:
            return True
        finally:
            connection.setblocking(True)
    except OSError:
        return False


def test_body_a_byte_a_second(node):
    """A body that comes at a byte a second is dropped too, though the connection is never idle."""
    server = node(**IMPATIENT)
    with raw.connect(server.url) as connection:
        connection.sendall(raw.head("PUT", "/chunk/slow", {"Content-Length": 1_000_000}))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while trickle(connection, b"x"):
            assert time.monotonic() < deadline, "the slow body was never refused"
            assert server.answers()
            time.sleep(0.5)
    assert requests.get(f"{server.url}/chunk/slow", timeout=10).status_code == 404


def test_clients_that_stop_reading(node):
    """Fifty clients that ask for a chunk and do not read it hold up nobody and are dropped."""
    server = node(**IMPATIENT)
    body = bytes(CHUNK_SIZE_MAX)
    assert requests.put(f"{server.url}/chunk/large", data=body, timeout=30).status_code == 201
    # Small windows, so that the chunk does not fit into the kernel's buffers on the way.
    crowd = [raw.connect(server.url, receive_buffer=4096) for _ in range(CROWD)]
    for connection in crowd:
        connection.sendall(raw.head("GET", "/chunk/large", {}))
    assert requests.get(f"{server.url}/chunk/large", timeout=30).content == body
    assert server.answers()

    def connections() -> int:
        return len(open_sockets(server.process.pid))

    wait_for("the clients that do not read to be dropped", PATIENCE_SECONDS, lambda: connections() < CROWD // 2)
    assert server.answers()
    for connection in crowd:
        connection.close()


def open_sockets(pid: int) -> list[str]:
    found = []
    for entry in os.scandir(f"/proc/{pid}/fd"):
        try:
            target = os.readlink(entry.path)
        except FileNotFoundError:
            continue
        if target.startswith("socket:"):
            found.append(target)
    return found


def test_many_connections(cluster):
    """A thousand idle connections leave the service answering."""
    crowd = []
    try:
        for _ in range(1000):
            crowd.append(raw.connect(cluster.storage[1]))
        assert requests.head(f"{cluster.storage[1]}/ping", timeout=10).status_code == 200
    except (ConnectionError, requests.RequestException, TimeoutError):
        # A limit on connections from one client is right, too, as long as it is not for ever.
        pass
    finally:
        for connection in crowd:
            connection.close()
    wait_for("the node to answer", 30, lambda: is_healthy(cluster.storage[1]))
