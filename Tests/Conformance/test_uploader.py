"""The uploader's API, as documented, against the real thing."""

import pytest
import requests

from Harness.shapes import assert_like

UUID = "550e8400-e29b-41d4-a716-446655440000"


def test_health(cluster):
    """GET /health is as documented."""
    health = requests.get(f"{cluster.uploader}/health", timeout=10).json()
    assert_like(health, {"status": "healthy", "service": "uploader-service", "active_uploads": 2})
    assert health["service"] == "uploader-service"


def test_upload_and_status(cluster, sample_video):
    """POST /upload and its status address answer as documented."""
    answer = cluster.post_video(sample_video(), title="My Video")
    assert answer.status_code == 202
    assert_like(
        answer.json(), {
            "video_id": UUID, "upload_session_id": UUID, "title": "My Video", "status": "processing", "message": "…",
            "status_url": f"/upload/status/{UUID}"})
    report = cluster.outcome(answer.json()["upload_session_id"])
    assert_like(
        report, {
            "video_id": UUID, "title": "My Video", "filename": "video.mp4", "status": "completed", "progress": 65,
            "started_at": "2024-11-06T10:30:00Z", "total_chunks": 60, "error": None})
    assert (report["status"], report["progress"], report["error"]) == ("completed", 100, None)


def test_status_of_nothing(cluster):
    """The status of an upload that never was is 404."""
    for session in (UUID, "nonsense"):
        answer = requests.get(f"{cluster.uploader}/upload/status/{session}", timeout=10)
        assert answer.status_code == 404 and answer.json()["detail"]


@pytest.mark.parametrize("container, codec", [
    ("mp4", "libx264"), ("mov", "libx264"), ("mkv", "libx264"), ("avi", "mpeg4"), ("flv", "libx264")])
def test_formats(cluster, sample_video, container, codec):
    """Every documented container is taken."""
    audio = "libmp3lame" if container == "avi" else "aac"
    video = cluster.store(sample_video(seconds=2, container=container, codec=codec, audio=audio))
    assert cluster.manifest(video)["status"] == "active"


def test_format_webm(cluster, sample_video):
    """WebM is taken."""
    file = sample_video(
        seconds=2, container="webm", codec="libvpx", audio="libopus", extra=("-deadline", "realtime", "-cpu-used", "8"))
    assert cluster.manifest(cluster.store(file))["status"] == "active"
