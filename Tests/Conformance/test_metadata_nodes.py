"""The metadata service's API for storage nodes, as documented, against the real thing."""

import uuid

import pytest
import requests

from Harness import ports
from Harness.client import is_healthy
from Harness.daemon import wait_for
from Harness.shapes import assert_like

NODE = {
    "node_url": "http://storage-node-1:8081", "node_id": "storage-node-1", "last_heartbeat": "2024-11-06T10:35:00Z",
    "disk_usage_percent": 45.2, "chunk_count": 1250, "status": "healthy", "version": "1.0.0",
}


@pytest.fixture
def metadata(role, tmp_path) -> str:
    """A metadata service on its own, which gives a silent node up after a second."""
    block = ports.PortBlock()
    port = ports.METADATA + block.offset
    role("metadata", PORT=port, DB_PATH=tmp_path / "metadata.db", NODE_TIMEOUT=1, HEARTBEAT_INTERVAL=1)
    url = f"http://127.0.0.1:{port}"
    wait_for("the metadata service to answer", 30, lambda: is_healthy(url))
    yield url
    block.release()


def register(metadata: str, node: str, **changes: str) -> requests.Response:
    body = {"node_url": f"http://{node}:8081", "node_id": node} | changes
    return requests.post(f"{metadata}/nodes/register", params=body, timeout=10)


def heartbeat(metadata: str, node: str, **changes: object) -> requests.Response:
    body = {"disk_usage_percent": 45.2, "chunk_count": 1250} | changes
    return requests.post(f"{metadata}/nodes/{node}/heartbeat", json=body, timeout=10)


def node(metadata: str, name: str) -> dict:
    nodes = requests.get(f"{metadata}/nodes/all", timeout=10).json()["nodes"]
    return next(node for node in nodes if node["node_id"] == name)


def test_healthy(cluster):
    """GET /nodes/healthy lists the cluster's five nodes."""
    answer = requests.get(f"{cluster.metadata}/nodes/healthy", timeout=10)
    assert answer.status_code == 200
    assert_like(answer.json(), [NODE])
    assert sorted(node["node_url"].rsplit(":")[-1] for node in answer.json()) == sorted(
        url.rsplit(":")[-1] for url in cluster.storage)


def test_all(cluster):
    """GET /nodes/all lists them too."""
    answer = requests.get(f"{cluster.metadata}/nodes/all", timeout=10).json()
    assert_like(answer, {"nodes": [{key: value for key, value in NODE.items() if key != "version"}]})
    assert len(answer["nodes"]) == 5


def test_summary(cluster):
    """GET /nodes/health-summary counts them."""
    answer = requests.get(f"{cluster.metadata}/nodes/health-summary", timeout=10)
    assert answer.json() == {"healthy": 5, "degraded": 0, "down": 0}


@pytest.mark.parametrize("form", ["query", "json"])
def test_register(metadata, form):
    """A node registers by query parameters or by a JSON body, and again without harm."""
    node = {"node_url": "http://storage-node-9:8081", "node_id": "storage-node-9"}
    for _ in range(2):
        given = {"params": node} if form == "query" else {"json": node}
        answer = requests.post(f"{metadata}/nodes/register", timeout=10, **given)
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"status": "registered"} | node
    assert len(requests.get(f"{metadata}/nodes/all", timeout=10).json()["nodes"]) == 1


def test_register_moved(metadata):
    """A node that comes back at another address is the same node."""
    register(metadata, "mover")
    register(metadata, "mover", node_url="http://elsewhere:9000")
    assert node(metadata, "mover")["node_url"] == "http://elsewhere:9000"


@pytest.mark.parametrize(
    "changes", [
        {"node_url": "storage-node-1:8081"}, {"node_url": "ftp://storage-node-1"}, {"node_url": ""},
        {"node_url": "http://"}, {"node_id": ""}, {"node_id": "a b"}, {"node_id": "x" * 200}])
def test_register_nonsense(metadata, changes):
    """An address that is none, or an id that is none, is 400."""
    answer = register(metadata, "storage-node-1", **changes)
    assert answer.status_code == 400 and answer.json()["detail"]


def test_heartbeat(metadata):
    """A heartbeat is noted, with what it says."""
    register(metadata, "beating")
    answer = heartbeat(metadata, "beating", disk_usage_percent=12.5, chunk_count=7)
    assert answer.status_code == 200
    assert_like(answer.json(), {"status": "ok", "message": "…"})
    assert "beating" in answer.json()["message"]
    state = node(metadata, "beating")
    assert (state["disk_usage_percent"], state["chunk_count"]) == (12.5, 7)


def test_heartbeat_of_a_stranger(metadata):
    """A heartbeat of a node that never registered is 404, so that it registers."""
    answer = heartbeat(metadata, f"stranger-{uuid.uuid4()}")
    assert answer.status_code == 404 and answer.json()["detail"]


def test_heartbeat_nonsense(metadata):
    """A heartbeat that says nonsense is 400."""
    register(metadata, "confused")
    for changes in ({"chunk_count": "many"}, {"disk_usage_percent": None}):
        assert heartbeat(metadata, "confused", **changes).status_code == 400


@pytest.mark.parametrize(
    "changes, status", [
        ({}, "healthy"), ({"disk_usage_percent": 90.0}, "degraded"),
        ({"corrupt_chunks": ["a-chunk-000"]}, "degraded")])
def test_status(metadata, changes, status):
    """A node with a filling disk or corrupt chunks is degraded."""
    register(metadata, "judged")
    assert heartbeat(metadata, "judged", **changes).status_code == 200
    assert node(metadata, "judged")["status"] == status


def test_down(metadata):
    """A node that falls silent is down after NODE_TIMEOUT, and healthy again with its next heartbeat."""
    register(metadata, "silent")
    heartbeat(metadata, "silent")
    wait_for("the silent node to be down", 20, lambda: node(metadata, "silent")["status"] == "down")
    assert requests.get(f"{metadata}/nodes/health-summary", timeout=10).json()["down"] == 1
    assert requests.get(f"{metadata}/nodes/healthy", timeout=10).json() == []
    heartbeat(metadata, "silent")
    assert node(metadata, "silent")["status"] == "healthy"


def test_video_without_nodes(metadata):
    """Without enough nodes there is no place for a video: 503, in words."""
    answer = requests.post(f"{metadata}/video", json={"title": "Homeless"}, timeout=10)
    assert answer.status_code == 503 and "node" in answer.json()["detail"]


def test_metadata_service_lost_its_memory(separate_cluster):
    """Nodes register again by themselves with a metadata service that comes back without them."""
    cluster = separate_cluster()
    cluster.kill("metadata")
    for file in (cluster.data / "metadata").rglob("metadata.db*"):
        file.unlink()
    cluster.restart("metadata")
    cluster.wait_for_nodes(5)
