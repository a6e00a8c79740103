"""The metadata service's API for videos and chunks, as documented, against the real thing."""

import hashlib
import uuid

import pytest
import requests

from Harness.shapes import assert_like

UNKNOWN = "550e8400-e29b-41d4-a716-446655440000"
BODY = b"0123456789" * 500
CHECKSUM = "sha256:" + hashlib.sha256(BODY).hexdigest()


class Created:
    """A video made by hand, with its first chunk stored on the nodes of its group but not committed."""

    def __init__(self, metadata: str, title: str) -> None:
        self.metadata = metadata
        answer = requests.post(f"{metadata}/video", json={"title": title, "duration_sec": 600}, timeout=10)
        assert answer.status_code in (200, 201), answer.text
        self.answer = answer.json()
        self.video = self.answer["video_id"]
        self.chunk = f"{self.video}-chunk-000"
        self.nodes = [member["node_url"] for member in self.answer["placement_group"]["nodes"]]
        for node in self.nodes:
            assert requests.put(f"{node}/chunk/{self.chunk}", data=BODY, timeout=10).status_code == 201

    def commit(self, **changes: object) -> requests.Response:
        body = {
            "node_urls": self.nodes, "checksum": CHECKSUM, "size_bytes": len(BODY), "video_id": self.video,
            "sequence_num": 0, "redundancy_mode": "replication", "fragments_metadata": None,
        }
        return requests.post(f"{self.metadata}/chunk/{self.chunk}/commit", json=body | changes, timeout=20)


@pytest.fixture
def created(cluster) -> Created:
    return Created(cluster.metadata, f"Made by hand {uuid.uuid4()}")


@pytest.fixture(scope="module")
def uploaded(cluster, sample_video) -> str:
    return cluster.store(sample_video(), title="Conformance")


def test_root(cluster):
    """GET / tells what it is."""
    answer = requests.get(f"{cluster.metadata}/", timeout=10)
    assert answer.status_code == 200
    assert_like(answer.json(), {"message": "V-Stack Metadata Service", "version": "1.0.0"})
    assert answer.json()["message"] == "V-Stack Metadata Service"


def test_health(cluster):
    """GET /health is as documented."""
    health = requests.get(f"{cluster.metadata}/health", timeout=10).json()
    assert_like(
        health, {
            "status": "healthy", "service": "metadata-service", "healthy_nodes": 3, "total_nodes": 3,
            "database_status": "healthy"})
    assert health["service"] == "metadata-service" and health["database_status"] == "healthy"
    assert health["healthy_nodes"] == health["total_nodes"] == 5


def test_stats(cluster, uploaded):
    """GET /stats counts videos, chunks and replicas."""
    stats = requests.get(f"{cluster.metadata}/stats", timeout=10).json()
    assert_like(
        stats, {
            "total_videos": 42, "total_chunks": 2520, "total_replicas": 7560, "healthy_nodes": 3,
            "service_version": "1.0.0"})
    assert stats["total_videos"] >= 1 and stats["total_replicas"] >= 3 * stats["total_chunks"] > 0


def test_create(created):
    """POST /video gives the video its id and its place."""
    assert_like(created.answer, {"video_id": UNKNOWN, "upload_url": f"/upload/{UNKNOWN}"})
    assert created.answer["upload_url"] == f"/upload/{created.video}"
    assert len(created.nodes) == 3


def test_created_video_is_uploading(cluster, created):
    """A video begins as `uploading`."""
    video = requests.get(f"{cluster.metadata}/video/{created.video}", timeout=10).json()
    assert video["status"] == "uploading" and video["duration_sec"] == 600


def test_list(cluster, uploaded):
    """GET /videos lists them as documented."""
    answer = requests.get(f"{cluster.metadata}/videos", timeout=10)
    assert answer.status_code == 200
    assert_like(
        answer.json(), [{
            "video_id": UNKNOWN, "title": "My Video", "duration_sec": 600.0, "total_chunks": 60, "status": "active",
            "created_at": "2024-11-06T10:30:00Z"}])
    mine = next(video for video in answer.json() if video["video_id"] == uploaded)
    assert mine["title"] == "Conformance" and mine["status"] == "active" and mine["total_chunks"] > 0


def test_pages(cluster, created):
    """limit and offset page through the list without gaps or repeats."""
    Created(cluster.metadata, "Second")
    whole = [video["video_id"] for video in requests.get(f"{cluster.metadata}/videos?limit=1000", timeout=10).json()]
    paged = []
    for offset in range(len(whole)):
        page = requests.get(f"{cluster.metadata}/videos", params={"limit": 1, "offset": offset}, timeout=10).json()
        paged += [video["video_id"] for video in page]
    assert paged == whole and len(set(whole)) == len(whole)
    assert requests.get(f"{cluster.metadata}/videos", params={"offset": 10**6}, timeout=10).json() == []


@pytest.mark.parametrize("query", ["limit=0", "limit=1001", "limit=-1", "limit=abc", "offset=-1", "offset=x", "limit=1e3"])
def test_pages_that_are_none(cluster, query):
    """A limit outside 1 to 1000 or an offset below 0 is 400."""
    answer = requests.get(f"{cluster.metadata}/videos?{query}", timeout=10)
    assert answer.status_code == 400 and answer.json()["detail"]


def test_manifest(cluster, uploaded):
    """GET /manifest is as documented, and each chunk also says when it plays."""
    manifest = cluster.manifest(uploaded)
    assert_like(
        manifest, {
            "video_id": UNKNOWN, "title": "My Video", "duration_sec": 600.0, "total_chunks": 60,
            "chunk_duration_sec": 10.0, "chunk_size_bytes": 2097152, "created_at": "2024-11-06T10:30:00Z",
            "status": "active",
            "chunks": [{
                "chunk_id": "a-chunk-000", "sequence_num": 0, "size_bytes": 2097152, "checksum": "sha256:" + "a1" * 32,
                "redundancy_mode": "replication", "replicas": ["http://localhost:8081"], "start_sec": 0.0,
                "duration_sec": 9.6}]})
    assert manifest["chunks"] and manifest["chunk_size_bytes"] == 2097152 and manifest["chunk_duration_sec"] == 10
    assert all(chunk["redundancy_mode"] == "replication" for chunk in manifest["chunks"])


@pytest.mark.parametrize(
    "method, path", [
        ("GET", "/manifest/%s"), ("GET", "/video/%s"), ("GET", "/video/%s/popularity"), ("POST", "/video/%s/view"),
        ("DELETE", "/video/%s"), ("GET", "/video/%s/layout")])
def test_unknown_video(cluster, method, path):
    """A video that does not exist is 404, and the sentence names it."""
    answer = requests.request(method, cluster.metadata + path % UNKNOWN, timeout=10)
    assert answer.status_code == 404 and UNKNOWN in answer.json()["detail"]


def test_views(cluster, created):
    """POST …/view counts, GET …/popularity tells."""
    for _ in range(3):
        answer = requests.post(f"{cluster.metadata}/video/{created.video}/view", timeout=10)
        assert answer.status_code == 200
        assert_like(answer.json(), {"status": "ok", "message": "View count incremented"})
        assert created.video in answer.json()["message"]
    popularity = requests.get(f"{cluster.metadata}/video/{created.video}/popularity", timeout=10).json()
    assert popularity == {"video_id": created.video, "view_count": 3}


def test_status(cluster, created):
    """PATCH …/status sets the status; one that does not exist is 400."""
    url = f"{cluster.metadata}/video/{created.video}/status"
    assert requests.patch(url, json={"status": "failed", "error": "no reason"}, timeout=10).status_code in (200, 204)
    video = requests.get(f"{cluster.metadata}/video/{created.video}", timeout=10).json()
    assert video["status"] == "failed" and video["error"] == "no reason"
    wrong = requests.patch(url, json={"status": "sleeping"}, timeout=10)
    assert wrong.status_code == 400 and wrong.json()["detail"]


def test_delete(cluster, created):
    """DELETE removes the video from the list."""
    answer = requests.delete(f"{cluster.metadata}/video/{created.video}", timeout=10)
    assert answer.status_code in (200, 204)
    listed = requests.get(f"{cluster.metadata}/videos?limit=1000", timeout=10).json()
    assert created.video not in [video["video_id"] for video in listed if video["status"] != "deleted"]
    assert requests.get(f"{cluster.metadata}/manifest/{created.video}", timeout=10).status_code == 404


def test_commit(cluster, created):
    """A chunk that lies on its nodes is committed, shows in the manifest, and may be committed again."""
    answer = created.commit()
    assert answer.status_code == 200, answer.text
    assert_like(answer.json(), {"success": True, "committed_nodes": ["http://storage-node-1:8081"], "message": "…"})
    assert answer.json()["success"] and sorted(answer.json()["committed_nodes"]) == sorted(created.nodes)
    again = created.commit()
    assert again.status_code == 200 and again.json()["success"]
    chunks = cluster.manifest(created.video)["chunks"]
    assert [(chunk["chunk_id"], chunk["checksum"]) for chunk in chunks] == [(created.chunk, CHECKSUM)]
    assert sorted(chunks[0]["replicas"]) == sorted(created.nodes)


def test_commit_of_another_value(created):
    """Once a value is chosen, another one is 409, and the body has the chosen one."""
    assert created.commit().status_code == 200
    other = "sha256:" + "0" * 64
    answer = created.commit(checksum=other)
    assert answer.status_code == 409 and answer.json()["detail"]
    assert CHECKSUM in answer.text


def test_commit_of_bytes_nobody_has(created):
    """A value whose bytes no node holds is never chosen."""
    answer = created.commit(checksum="sha256:" + "1" * 64)
    assert answer.status_code in (409, 503) and answer.json()["detail"]
    assert created.commit().status_code == 200


@pytest.mark.parametrize(
    "changes", [
        {"checksum": "md5:abc"}, {"checksum": None}, {"size_bytes": -1}, {"size_bytes": "many"}, {"node_urls": "x"},
        {"video_id": "none"}, {"sequence_num": -1}, {"redundancy_mode": "hope"}])
def test_commit_that_is_none(created, changes):
    """A commit that says nonsense is 400."""
    answer = created.commit(**changes)
    assert answer.status_code == 400 and answer.json()["detail"]


def test_commit_to_an_unknown_video(created):
    """A chunk of a video that does not exist is 404."""
    answer = created.commit(video_id=UNKNOWN)
    assert answer.status_code in (400, 404) and answer.json()["detail"]


def test_consensus(cluster, created):
    """GET /consensus shows what was decided."""
    assert created.commit().status_code == 200
    state = requests.get(f"{cluster.metadata}/consensus/{created.chunk}", timeout=10).json()
    assert_like(state, {"chunk_id": "…", "promised_ballot": None, "accepted_ballot": None, "accepted_value": "…", "phase": "…"})
    assert state["chunk_id"] == created.chunk and state["phase"] == "committed"
    assert requests.get(f"{cluster.metadata}/consensus/no-such-chunk", timeout=10).status_code == 404


def test_fragments(cluster, created):
    """A replicated chunk has no fragments."""
    assert created.commit().status_code == 200
    answer = requests.get(f"{cluster.metadata}/chunk/{created.chunk}/fragments", timeout=10)
    assert answer.status_code == 200 and answer.json() == {"chunk_id": created.chunk, "fragments": []}


def test_commit_without_a_majority(separate_cluster):
    """With two of a chunk's three nodes gone a commit is 503; with one gone it is 200 and names the two."""
    cluster = separate_cluster()
    one_gone, two_gone = Created(cluster.metadata, "One gone"), Created(cluster.metadata, "Two gone")
    cluster.kill(cluster.name_at(one_gone.nodes[0]))
    answer = one_gone.commit()
    assert answer.status_code == 200, answer.text
    assert sorted(answer.json()["committed_nodes"]) == sorted(one_gone.nodes[1:])
    for node in two_gone.nodes[:2]:
        if cluster.processes[cluster.name_at(node)].is_running():
            cluster.kill(cluster.name_at(node))
    answer = two_gone.commit()
    assert answer.status_code == 503 and answer.json()["detail"]


def test_external_urls(separate_cluster, sample_video):
    """EXTERNAL_URL_MAP rewrites the nodes' addresses in manifests, unless that is turned off."""
    cluster = separate_cluster()
    video = cluster.store(sample_video())
    # Nothing of the upload is left to do when the service is killed.
    cluster.assert_nothing_temporary()
    service = cluster.processes["metadata"]
    service.settings["EXTERNAL_URL_MAP"] = ",".join(
        f"{url}=https://cdn.example.com/{index}" for index, url in enumerate(cluster.storage))
    cluster.kill("metadata")
    cluster.restart("metadata")
    replicas = {url for chunk in cluster.manifest(video)["chunks"] for url in chunk["replicas"]}
    assert len(replicas) == 3 and all(url.startswith("https://cdn.example.com/") for url in replicas)
    service.settings["ENABLE_EXTERNAL_TRANSLATION"] = "false"
    cluster.kill("metadata")
    cluster.restart("metadata")
    replicas = {url for chunk in cluster.manifest(video)["chunks"] for url in chunk["replicas"]}
    assert replicas <= set(cluster.storage)
