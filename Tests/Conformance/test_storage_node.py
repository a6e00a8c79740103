"""The storage node's API, as documented, against a real node."""

import hashlib
import uuid

import pytest
import requests

from Harness import raw
from Harness.shapes import assert_like

BODY = b"the bytes of a chunk " * 1000
SHA256 = hashlib.sha256(BODY).hexdigest()


@pytest.fixture
def url(cluster) -> str:
    """A chunk's address that no test has used."""
    return f"{cluster.storage[0]}/chunk/conformance-{uuid.uuid4()}"


@pytest.fixture
def stored(url) -> str:
    assert requests.put(url, data=BODY, timeout=10).status_code == 201
    return url


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_store(url, method):
    """A new chunk is 201, with its place, checksum and size."""
    answer = requests.request(method, url, data=BODY, headers={"Content-Type": "application/octet-stream"}, timeout=10)
    assert answer.status_code == 201
    assert answer.headers["Location"] == "/" + url.split("/", 3)[3]
    assert answer.headers["ETag"] == f'"{SHA256}"'
    assert answer.headers["X-Chunk-Size"] == str(len(BODY))


def test_store_again(stored):
    """The same bytes again are 200; other bytes are 409, and the first stay."""
    assert requests.put(stored, data=BODY, timeout=10).status_code == 200
    other = requests.put(stored, data=b"other bytes", timeout=10)
    assert other.status_code == 409 and other.json()["detail"]
    assert requests.get(stored, timeout=10).content == BODY


def test_store_with_checksum(url):
    """A checksum that does not fit is 400 and nothing is stored; one that fits is no obstacle."""
    wrong = requests.put(url, data=BODY, headers={"X-Chunk-Checksum": "0" * 64}, timeout=10)
    assert wrong.status_code == 400 and wrong.json()["detail"]
    assert requests.get(url, timeout=10).status_code == 404
    assert requests.put(url, data=BODY, headers={"X-Chunk-Checksum": SHA256}, timeout=10).status_code == 201


def test_store_with_nonsense_for_a_checksum(url):
    """What is no checksum at all is 400."""
    assert requests.put(url, data=BODY, headers={"X-Chunk-Checksum": "nonsense"}, timeout=10).status_code == 400


def test_store_nothing(url):
    """An empty chunk is 400."""
    for body in (b"", iter([])):
        answer = requests.put(url, data=body, timeout=10)
        assert answer.status_code == 400 and answer.json()["detail"]


def test_store_chunked(url):
    """Chunked transfer encoding is accepted."""
    assert requests.put(url, data=iter([BODY[:10], BODY[10:]]), timeout=10).status_code == 201
    assert requests.get(url, timeout=10).content == BODY


def test_store_too_much(url):
    """More than 2 MiB is 413."""
    answer = raw.exchange(url, raw.head("PUT", "/" + url.split("/", 3)[3], {"Content-Length": 2 * 1024 * 1024 + 1}))
    assert answer is not None and answer.status == 413


@pytest.mark.parametrize("identity", ["a", "x" * 64, "A-Z_a-z_0-9"])
def test_ids_at_the_limits(cluster, identity):
    """Ids of one and of 64 characters are ids."""
    url = f"{cluster.storage[2]}/chunk/{identity}"
    assert requests.put(url, data=BODY, timeout=10).status_code in (200, 201)
    assert requests.get(url, timeout=10).content == BODY


@pytest.mark.parametrize("identity", ["x" * 65, "a.b", "a%20b", "a:b", "%C3%BC"])
def test_ids_that_are_none(cluster, identity):
    """Anything else is 400."""
    for method in ("PUT", "GET", "DELETE"):
        answer = requests.request(method, f"{cluster.storage[0]}/chunk/{identity}", data=BODY, timeout=10)
        assert answer.status_code == 400 and answer.json()["detail"]


def test_fetch(stored):
    """A chunk comes back with its size, checksum and superblock."""
    answer = requests.get(stored, timeout=10)
    assert answer.status_code == 200 and answer.content == BODY
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Content-Length"] == str(len(BODY))
    assert answer.headers["ETag"] == f'"{SHA256}"'
    assert answer.headers["X-Chunk-Size"] == str(len(BODY))
    assert answer.headers["X-Superblock-ID"]


def test_head(stored):
    """HEAD has the headers of GET and no body."""
    get, head = requests.get(stored, timeout=10), requests.head(stored, timeout=10)
    assert head.status_code == 200 and head.content == b""
    for name in ("Content-Type", "Content-Length", "ETag", "X-Chunk-Size", "X-Superblock-ID"):
        assert head.headers[name] == get.headers[name]


def test_missing(url):
    """A chunk that is not there is 404, for GET, HEAD and DELETE."""
    assert requests.head(url, timeout=10).status_code == 404
    for method in ("GET", "DELETE"):
        answer = requests.request(method, url, timeout=10)
        assert answer.status_code == 404 and answer.json()["detail"]


@pytest.mark.parametrize(
    "header, first, end",
    [("bytes=0-0", 0, 1), ("bytes=5-14", 5, 15), ("bytes=-7", -7, None), ("bytes=100-", 100, None),
     ("bytes=10-99999999", 10, None)])
def test_range(stored, header, first, end):
    """A range is 206 with exactly those bytes."""
    answer = requests.get(stored, headers={"Range": header}, timeout=10)
    expected = BODY[first:end]
    begin = first % len(BODY)
    assert answer.status_code == 206 and answer.content == expected
    assert answer.headers["Content-Range"] == f"bytes {begin}-{begin + len(expected) - 1}/{len(BODY)}"


@pytest.mark.parametrize("header", [f"bytes={len(BODY)}-", "bytes=99999999-", "bytes=-0"])
def test_range_past_the_end(stored, header):
    """A range that holds nothing is 416 and says how much there is."""
    answer = requests.get(stored, headers={"Range": header}, timeout=10)
    assert answer.status_code == 416 and answer.headers["Content-Range"] == f"bytes */{len(BODY)}"


@pytest.mark.parametrize("header", ["bytes=abc", "lines=1-2", "bytes=9-3", "bytes="])
def test_range_that_is_none(stored, header):
    """A Range header that makes no sense is ignored, as HTTP says."""
    answer = requests.get(stored, headers={"Range": header}, timeout=10)
    assert answer.status_code == 200 and answer.content == BODY


@pytest.mark.parametrize("tag", [f'"{SHA256}"', SHA256, f'"{"0" * 64}", "{SHA256}"', f'W/"{SHA256}"', "*"])
def test_not_modified(stored, tag):
    """Who has the bytes already is told so: 304, without them; with or without quotes."""
    answer = requests.get(stored, headers={"If-None-Match": tag}, timeout=10)
    assert answer.status_code == 304 and answer.content == b""
    assert answer.headers["ETag"] == f'"{SHA256}"'


def test_modified(stored):
    """Who has other bytes gets these."""
    assert requests.get(stored, headers={"If-None-Match": '"other"'}, timeout=10).status_code == 200


def test_delete(stored):
    """DELETE is 204, then 404, and the id can be used again."""
    answer = requests.delete(stored, timeout=10)
    assert answer.status_code == 204 and answer.content == b""
    assert requests.delete(stored, timeout=10).status_code == 404
    assert requests.get(stored, timeout=10).status_code == 404
    assert requests.put(stored, data=b"something else", timeout=10).status_code == 201
    assert requests.get(stored, timeout=10).content == b"something else"


@pytest.mark.parametrize("method", ["HEAD", "GET"])
def test_ping(cluster, method):
    """Ping answers with the node's figures in headers."""
    answer = requests.request(method, f"{cluster.storage[0]}/ping", timeout=10)
    assert answer.status_code == 200
    assert answer.headers["X-Node-ID"]
    assert 0 <= float(answer.headers["X-Disk-Usage-Percent"]) <= 100
    assert int(answer.headers["X-Chunk-Count"]) >= 0
    assert float(answer.headers["X-Response-Time"].removesuffix("ms")) >= 0
    assert answer.headers["Cache-Control"] == "no-cache"


def test_chunk_count(cluster):
    """The number of chunks goes up with a store and down with a delete."""
    node = cluster.storage[3]
    url = f"{node}/chunk/counted-{uuid.uuid4()}"

    def count() -> int:
        return requests.get(f"{node}/health", timeout=10).json()["chunk_count"]

    before = count()
    assert requests.put(url, data=BODY, timeout=10).status_code == 201
    assert count() == before + 1
    requests.delete(url, timeout=10)
    assert count() == before


def test_health(cluster):
    """/health is as documented."""
    answer = requests.get(f"{cluster.storage[0]}/health", timeout=10)
    assert answer.status_code == 200
    assert_like(
        answer.json(),
        {"status": "healthy", "disk_usage": 45.2, "chunk_count": 1250, "uptime": 86400.0, "node_id": "storage-node-1"})
