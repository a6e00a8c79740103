"""The video backend's list of videos (8003) and its admin service (8005), over the one catalog."""

import pytest
import requests

from Harness import ports
from Harness import videos as videos_harness
from Harness.client import is_healthy
from Harness.daemon import Daemon, wait_for

TIMEOUT = 30
# A video that never was.
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(scope="module")
def video(cluster, sample_video) -> str:
    return cluster.store(sample_video(width=320, height=180, seconds=2, rate=25), title="In the library")


@pytest.fixture(params=["library", "admin"])
def videos(request, cluster) -> str:
    """The list, at its own service and at the gateway."""
    return f"{getattr(cluster, request.param)}/videos"


def test_list(videos, video):
    row = next(row for row in requests.get(videos, timeout=TIMEOUT).json()["videos"] if row["id"] == video)
    assert row["hash"] == video.replace("-", "")
    assert row["title"] == "In the library" and row["filename"].endswith(".mp4")
    assert row["original_resolution"] == "320x180" and row["stopped"] is False and row["status"] == "active"
    for name in (video, row["hash"], video.upper()):
        assert requests.get(f"{videos}/{name}", timeout=TIMEOUT).json()["id"] == video


def test_entering_again_changes_nothing(videos, video):
    before = requests.get(f"{videos}/{video}", timeout=TIMEOUT).json()
    for _ in range(2):
        answer = requests.post(videos, json={
            "hash": video.replace("-", ""), "filename": "other.mp4", "thumbnail_filename": "t.jpg"}, timeout=TIMEOUT)
        assert (answer.status_code, answer.json()) == (200, {"id": video, "hash": video.replace("-", "")})
    after = requests.get(f"{videos}/{video}", timeout=TIMEOUT).json()
    assert after | {"thumbnail_filename": None} == before | {"thumbnail_filename": None}


def test_rename(videos, video):
    names = {"title": f"Named at {videos[-12:]}", "filename": "new name.mp4"}
    answer = requests.put(f"{videos}/{video}", json=names, timeout=TIMEOUT)
    assert answer.json() == {"status": "updated"}, answer.text
    row = requests.get(f"{videos}/{video}", timeout=TIMEOUT).json()
    assert {name: row[name] for name in names} == names
    assert requests.put(f"{videos}/{video}", json={"title": "In the library"}, timeout=TIMEOUT).status_code == 200


def test_stop_and_resume(cluster, videos, video):
    assert requests.put(f"{videos}/{video}/stop", timeout=TIMEOUT).json() == {"status": "stopped"}
    assert requests.get(f"{videos}/{video}/stopped", timeout=TIMEOUT).json() == {"stopped": True}
    assert requests.put(f"{videos}/{video}/resume", timeout=TIMEOUT).json() == {"status": "resumed"}
    assert requests.get(f"{videos}/{video}/stopped", timeout=TIMEOUT).json() == {"stopped": False}
    url = f"{cluster.admin}/admin/videos/{video}"
    assert requests.post(f"{url}/stop", timeout=TIMEOUT).json() == {"status": "stopped", "video_id": video}
    assert requests.post(f"{url}/resume", timeout=TIMEOUT).json() == {
        "status": "resumed", "video_id": video, "transcoding_started": True}
    assert requests.post(f"{cluster.admin}/admin/resume_all", timeout=TIMEOUT).json()["status"] == "resumed"


def test_delete(cluster, videos, sample_video):
    video = cluster.store(sample_video(width=320, height=180, seconds=2, rate=25))
    assert requests.delete(f"{videos}/{video}", timeout=TIMEOUT).json() == {"status": "deleted"}
    assert requests.get(f"{videos}/{video}", timeout=TIMEOUT).status_code == 404
    video = cluster.store(sample_video(width=320, height=180, seconds=2, rate=25))
    answer = requests.delete(f"{cluster.admin}/admin/videos/{video}", timeout=TIMEOUT)
    assert answer.json() == {"status": "deleted", "video_id": video}
    assert requests.get(f"{cluster.metadata}/manifest/{video}", timeout=TIMEOUT).status_code == 404


@pytest.mark.parametrize("method, path, body, status, word", [
    ("get", "/videos/nonsense", None, 400, "UUID"),
    ("get", f"/videos/{NOBODY}", None, 404, "no video"),
    ("post", "/videos", {"filename": "a.mp4"}, 400, "hash"),
    ("post", "/videos", {"hash": NOBODY, "filename": "a.mp4"}, 404, "no video"),
    ("put", f"/videos/{NOBODY}", {"title": "T"}, 404, "no video"),
    ("put", f"/videos/{NOBODY}/stop", None, 404, "no video"),
    ("delete", f"/videos/{NOBODY}", None, 404, "no video"),
    ("patch", "/videos", None, 405, ""),
])
def test_bad_input(cluster, method, path, body, status, word):
    for service in (cluster.library, cluster.admin):
        answer = requests.request(method, service + path, json=body, timeout=TIMEOUT)
        assert (answer.status_code, word in answer.json()["detail"]) == (status, True), answer.text


def test_status(cluster, video):
    status = requests.get(f"{cluster.admin}/admin/status", timeout=TIMEOUT).json()
    assert {name: service["status"] for name, service in status["services"].items()} == dict.fromkeys(
        ["catalog", "uploader", "transcoding", "metadata", "streaming"], "healthy"), status
    assert status["services"]["streaming"]["response"]["service"] == "streaming_service"
    assert len(status["storage"]["nodes"]) == 5

    known = requests.get(f"{cluster.admin}/admin/videos/{video}/status", timeout=TIMEOUT).json()
    assert (known["video_id"], known["metadata"]["hash"]) == (video, video.replace("-", ""))
    assert known["transcoding"]["overall"] in ("queued", "running", "ok")
    assert known["files"]["originals"][0]["size_bytes"] == known["metadata"]["size_bytes"]
    assert "source" in known["files"]["hls"]
    listed = requests.get(f"{cluster.admin}/admin/videos", timeout=TIMEOUT).json()["videos"]
    assert video in [row["id"] for row in listed]


def test_a_service_that_is_gone_is_named(cluster, tmp_path):
    """An admin service says which of the others do not answer."""
    block = ports.PortBlock()
    url = f"http://localhost:{ports.ADMIN + block.offset}"
    nobody = f"http://localhost:{ports.LIBRARY + block.offset}"
    admin = Daemon("admin", ["admin"], {
        "PORT": ports.ADMIN + block.offset, "METADATA_SERVICE_URL": cluster.metadata,
        "UPLOADER_SERVICE_URL": cluster.uploader, "STREAMING_SERVICE_URL": cluster.streaming,
        "TRANSCODE_SERVICE_URL": nobody, "LIBRARY_SERVICE_URL": nobody}, tmp_path)
    try:
        admin.start()
        wait_for("the admin service", TIMEOUT, lambda: is_healthy(url))
        status = requests.get(f"{url}/admin/status", timeout=TIMEOUT).json()
        assert {name: service["status"] for name, service in status["services"].items()} == {
            "catalog": "healthy", "uploader": "healthy", "streaming": "healthy", "transcoding": "unreachable",
            "metadata": "unreachable"}
        assert status["overall"] == "degraded" and status["services"]["metadata"]["error"]
    finally:
        admin.kill()
        block.release()


def test_gateway(cluster, video):
    """One address plays a video, shows its picture and starts its transcoding, as the services behind it do."""
    compact = video.replace("-", "")
    for name in (video, compact):
        master = requests.get(f"{cluster.admin}/video/{name}", timeout=TIMEOUT)
        assert master.url == f"{cluster.admin}/video/{video}/master.m3u8" and master.text.startswith("#EXTM3U")
    decoded = videos_harness.decode(f"{cluster.admin}/video/{video}/master.m3u8")
    assert (decoded.frames, decoded.errors) == (50, "")

    direct = requests.get(f"{cluster.streaming}/stream/{video}/original", timeout=TIMEOUT)
    through = requests.get(f"{cluster.admin}/video/{video}/original", timeout=TIMEOUT)
    assert through.content == direct.content and through.headers["ETag"] == direct.headers["ETag"]
    part = requests.get(f"{cluster.admin}/video/{video}/original", headers={"Range": "bytes=5-9"}, timeout=TIMEOUT)
    assert (part.status_code, part.content) == (206, direct.content[5:10])
    assert part.headers["Content-Range"] == f"bytes 5-9/{len(direct.content)}"
    same = requests.get(
        f"{cluster.admin}/video/{video}/original", headers={"If-None-Match": direct.headers["ETag"]}, timeout=TIMEOUT)
    assert (same.status_code, same.content) == (304, b"")
    head = requests.head(f"{cluster.admin}/video/{video}/master.m3u8", timeout=TIMEOUT)
    assert (head.status_code, head.content) == (200, b"")

    def thumbnail() -> requests.Response | None:
        answer = requests.get(f"{cluster.admin}/thumbnail/{compact}", timeout=TIMEOUT)
        return answer if answer.status_code == 200 else None

    picture = wait_for("the thumbnail", TIMEOUT, thumbnail)
    assert picture.headers["Content-Type"] == "image/jpeg" and picture.content[:2] == b"\xff\xd8"
    assert requests.post(f"{cluster.admin}/transcode/{video}", timeout=TIMEOUT).json() == {
        "status": "started", "upload_id": compact}
    assert requests.get(f"{cluster.admin}/transcode/{compact}/status", timeout=TIMEOUT).json()["upload_id"] == compact
    assert "qualities" in requests.get(f"{cluster.admin}/transcode/{video}/qualities", timeout=TIMEOUT).json()
    for path in (f"video/{NOBODY}/master.m3u8", f"thumbnail/{NOBODY}", f"transcode/{NOBODY}/status"):
        answer = requests.get(f"{cluster.admin}/{path}", timeout=TIMEOUT)
        assert (answer.status_code, NOBODY in answer.json()["detail"]) == (404, True), answer.text
    assert requests.get(f"{cluster.admin}/video/{video}/..%2f..%2fhealth", timeout=TIMEOUT).status_code == 404
