"""A real video in, agreed chunks on five nodes, the same video out."""

import hashlib
import subprocess
import threading
from pathlib import Path

import pytest
import requests

from Harness import videos
from Harness.client import UPLOAD_STATES, sha256
from Harness.cluster import Cluster
from Harness.daemon import wait_for


class Upload:
    """The upload that the tests of this file look at: 60 s of 1080p at 8 Mbit/s with AAC, sent by curl."""

    def __init__(self, cluster: Cluster, file: Path) -> None:
        self.file = file
        answer = cluster.curl_video(file, title="The main job")
        self.answer = answer
        self.reports: list[dict] = []

        def finished() -> bool:
            self.reports.append(cluster.status(answer["upload_session_id"]))
            return self.reports[-1]["status"] in ("completed", "failed")

        wait_for("the upload to complete", 120, finished)
        assert self.reports[-1]["status"] == "completed", self.reports[-1]
        self.video = answer["video_id"]


@pytest.fixture(scope="module")
def upload(cluster, sample_video) -> Upload:
    file = sample_video(width=1920, height=1080, seconds=60, rate=30, gop=60, bitrate="8M")
    assert file.stat().st_size > 55_000_000, "the sample does not have its 8 Mbit/s"
    return Upload(cluster, file)


def test_answer(upload):
    """The upload is answered with what is needed to follow it."""
    assert upload.answer["title"] == "The main job"
    assert upload.answer["status"] in UPLOAD_STATES
    assert upload.answer["status_url"] == f"/upload/status/{upload.answer['upload_session_id']}"
    assert upload.answer["message"]


def test_progress(upload):
    """Status and progress only go forward, through the states' own percentages, to completed and 100."""
    percents = {
        "uploading": (0, 10), "processing": (10, 20), "chunking": (20, 40), "registering": (40, 50),
        "uploading_chunks": (50, 90), "finalizing": (90, 100), "completed": (100, 100),
    }
    states = [report["status"] for report in upload.reports]
    assert [UPLOAD_STATES.index(state) for state in states] == sorted(UPLOAD_STATES.index(state) for state in states)
    progress = [report["progress"] for report in upload.reports]
    assert progress == sorted(progress)
    for report in upload.reports:
        low, high = percents[report["status"]]
        assert low <= report["progress"] <= high, report
    assert (states[-1], progress[-1]) == ("completed", 100)


def test_final_report(upload, cluster):
    """The last report names the video, the file and how many chunks it became."""
    report = upload.reports[-1]
    assert report["filename"] == upload.file.name
    assert report["error"] is None
    assert report["total_chunks"] >= len(cluster.manifest(upload.video)["chunks"])


def test_manifest(upload, cluster):
    """The manifest's chunks are numbered without gaps, small enough, three times there, and cover the film."""
    manifest = cluster.manifest(upload.video)
    chunks = manifest["chunks"]
    assert manifest["status"] == "active" and manifest["total_chunks"] == len(chunks)
    assert manifest["duration_sec"] == pytest.approx(60, abs=0.2)
    assert [chunk["sequence_num"] for chunk in chunks] == list(range(len(chunks)))
    assert [chunk["chunk_id"] for chunk in chunks] == [f"{upload.video}-chunk-{n:03}" for n in range(len(chunks))]
    for chunk in chunks:
        assert 0 < chunk["size_bytes"] <= manifest["chunk_size_bytes"] == 2 * 1024 * 1024
        assert len(set(chunk["replicas"])) == 3 and set(chunk["replicas"]) <= set(cluster.storage)
    assert chunks[0]["start_sec"] == 0
    assert sum(chunk["duration_sec"] for chunk in chunks) == pytest.approx(60, abs=0.2)


def test_every_replica(upload, cluster):
    """Every replica of every chunk holds the bytes that its checksum says."""
    with requests.Session() as session:
        for chunk in cluster.manifest(upload.video)["chunks"]:
            for node in chunk["replicas"]:
                answer = session.get(f"{node}/chunk/{chunk['chunk_id']}", timeout=30)
                assert answer.status_code == 200 and len(answer.content) == chunk["size_bytes"]
                assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == chunk["checksum"]


def test_concatenated_chunks(upload, cluster, tmp_path):
    """The manifest's chunks, concatenated, are a sound file with the source's codecs and frames."""
    file = cluster.concatenate(upload.video, tmp_path / "chunks.mp4")
    assert videos.warnings(file) == ""
    assert videos.codecs(file) == videos.codecs(upload.file) == ["aac", "h264"]
    assert videos.packet_count(file) == videos.packet_count(upload.file) == 1800
    assert videos.packet_count(file, "a") == videos.packet_count(upload.file, "a")
    assert float(videos.probe(file)["format"]["duration"]) == pytest.approx(60, abs=0.1)


def test_hls(upload, cluster):
    """ffmpeg plays the master playlist without a complaint and decodes every frame."""
    decoded = videos.decode(cluster.playlist_url(upload.video))
    assert decoded.errors == ""
    assert decoded.frames == 1800


def test_original(upload, cluster):
    """The original comes back bit for bit."""
    assert cluster.original_sha256(upload.video) == sha256(upload.file)


@pytest.mark.parametrize(
    "header, first, last",
    [
        ("bytes=0-0", 0, 0),
        ("bytes=0-99", 0, 99),
        ("bytes=2097100-2097251", 2097100, 2097251),
        ("bytes=5000000-9999999", 5000000, 9999999),
        ("bytes=-1000", -1000, None),
        ("bytes=61000000-", 61000000, None),
    ],
)
def test_original_ranges(upload, cluster, header, first, last):
    """Any range of the original is answered with exactly those bytes, also across chunks."""
    source = upload.file.read_bytes()
    expected = source[first:] if last is None else source[first:last + 1]
    begin = first if first >= 0 else len(source) + first
    answer = requests.get(
        f"{cluster.streaming}/stream/{upload.video}/original", headers={"Range": header}, timeout=30)
    assert answer.status_code == 206
    assert answer.headers["Content-Range"] == f"bytes {begin}-{begin + len(expected) - 1}/{len(source)}"
    assert answer.content == expected


def test_original_range_past_the_end(upload, cluster):
    """A range behind the original's end is 416 and says how long it is."""
    size = upload.file.stat().st_size
    answer = requests.get(
        f"{cluster.streaming}/stream/{upload.video}/original", headers={"Range": f"bytes={size}-"}, timeout=30)
    assert answer.status_code == 416
    assert answer.headers["Content-Range"] == f"bytes */{size}"


def test_original_head(upload, cluster):
    """HEAD of the original tells its size and sends nothing."""
    answer = requests.head(f"{cluster.streaming}/stream/{upload.video}/original", timeout=30)
    assert answer.status_code == 200
    assert int(answer.headers["Content-Length"]) == upload.file.stat().st_size
    assert answer.headers["Accept-Ranges"] == "bytes"


def test_compact_id(upload, cluster):
    """The id without hyphens names the same video at every door."""
    compact = upload.video.replace("-", "")
    assert cluster.manifest(compact)["video_id"] == upload.video
    assert requests.get(cluster.playlist_url(compact), timeout=30).status_code == 200


def test_thumbnail(upload, cluster, tmp_path):
    """The thumbnail is a picture."""
    answer = requests.get(f"{cluster.streaming}/stream/{upload.video}/thumbnail.jpg", timeout=30)
    assert answer.status_code == 200 and answer.headers["Content-Type"] == "image/jpeg"
    picture = tmp_path / "thumbnail.jpg"
    picture.write_bytes(answer.content)
    assert videos.codecs(picture) == ["mjpeg"]


def test_play_command(upload, cluster, tmp_path):
    """`vstack play` writes the film, whole and sound."""
    output = tmp_path / "played.mp4"
    result = cluster.command("play", upload.video, "--output", output)
    assert result.returncode == 0, result.stderr
    assert videos.warnings(output) == ""
    assert videos.packet_count(output) == 1800


def test_verify_command(upload, cluster):
    """`vstack verify` finds nothing wrong."""
    result = cluster.command("verify")
    assert result.returncode == 0, result.stdout + result.stderr


def test_two_at_once(cluster, sample_video):
    """More uploads than may run at once wait for their turn, and all of them complete."""
    file = sample_video()
    answers: list[dict] = []
    threads = [
        threading.Thread(target=lambda n=n: answers.append(cluster.curl_video(file, title=f"Crowd {n}")))
        for n in range(12)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 12
    outcomes = [cluster.outcome(answer["upload_session_id"]) for answer in answers]
    assert {outcome["status"] for outcome in outcomes} == {"completed"}, outcomes


def test_temporary_space(upload, cluster):
    """Nothing of all this is left in temporary space."""
    cluster.assert_nothing_temporary()


@pytest.mark.parametrize("name", ["metadata", "uploader", "streaming", "web", *(f"storage-{n}" for n in range(1, 6))])
def test_every_role_tells_about_itself(cluster, name):
    """Every role has /health, /metrics in Prometheus text, /openapi.json and /docs."""
    url = cluster.addresses.all()[name]
    health = requests.get(f"{url}/health", timeout=10)
    assert health.status_code == 200 and health.json()["status"] == "healthy"
    metrics = requests.get(f"{url}/metrics", timeout=10)
    assert metrics.status_code == 200 and metrics.headers["Content-Type"].startswith("text/plain")
    assert "# TYPE " in metrics.text
    openapi = requests.get(f"{url}/openapi.json", timeout=10)
    assert openapi.status_code == 200 and openapi.json()["openapi"].startswith("3.")
    assert "/health" in openapi.json()["paths"]
    docs = requests.get(f"{url}/docs", timeout=10)
    assert docs.status_code == 200 and docs.headers["Content-Type"].startswith("text/html")


def test_request_ids(cluster):
    """A request id comes back as it was sent, and is made where none was."""
    answer = requests.get(f"{cluster.metadata}/health", headers={"X-Request-ID": "from-the-test-1"}, timeout=10)
    assert answer.headers["X-Request-ID"] == "from-the-test-1"
    assert requests.get(f"{cluster.metadata}/health", timeout=10).headers["X-Request-ID"]


def test_upload_command(cluster, sample_video):
    """`vstack upload` prints plain lines into a pipe and ends with the video's id."""
    result = cluster.command("upload", sample_video(), "--title", "By command")
    assert result.returncode == 0, result.stderr
    assert "\r" not in result.stdout and "\x1b" not in result.stdout
    listed = subprocess.run(
        ["curl", "-sS", f"{cluster.metadata}/videos?limit=1000"], capture_output=True, text=True, check=True).stdout
    assert any(
        video["title"] == "By command" and video["video_id"] in result.stdout
        for video in requests.models.complexjson.loads(listed))
