"""The fleet: a video becomes its ladder, whatever happens to the followers that encode it."""

import hashlib
import hmac
import json
import os
import re
import signal
import uuid
from pathlib import Path

import pytest
import requests

from Harness import videos
from Harness.cluster import SHARED_TOKEN, SeparateCluster
from Harness.daemon import wait_for

TIMEOUT = 30
# Long enough for a machine that builds beside; the encodes themselves take seconds.
SECONDS = 240


def status(cluster, video: str) -> dict:
    answer = requests.get(f"{cluster.transcode}/transcode/status/{video}", timeout=TIMEOUT)
    assert answer.status_code == 200, answer.text
    return answer.json()


def job(cluster, video: str) -> dict:
    answer = requests.get(f"{cluster.metadata}/jobs/{video}", timeout=TIMEOUT)
    assert answer.status_code == 200, answer.text
    return answer.json()


def wait_until_done(cluster, video: str) -> dict:
    def outcome() -> dict | None:
        now = status(cluster, video)
        return now if now["overall"] in ("ok", "error") else None

    return wait_for(lambda: f"the ladder of {video}: {job(cluster, video)['explanation']}", SECONDS, outcome)


def master(cluster, video: str) -> str:
    answer = requests.get(f"{cluster.streaming}/stream/{video}/master.m3u8", timeout=TIMEOUT)
    assert answer.status_code == 200, answer.text
    return answer.text


def media(cluster, video: str, label: str) -> str:
    answer = requests.get(f"{cluster.streaming}/stream/{video}/{label}/playlist.m3u8", timeout=TIMEOUT)
    assert answer.status_code == 200, answer.text
    return answer.text


def assert_whole(cluster, video: str, labels: list[str], frames: int) -> None:
    """Every rung plays to its last picture, and no part of one comes twice."""
    wait_for("the streaming service to offer the ladder", TIMEOUT, lambda: all(
        f"{label}/playlist.m3u8" in master(cluster, video) for label in labels))
    layout = requests.get(f"{cluster.metadata}/video/{video}/layout", timeout=TIMEOUT).json()
    for rendition in layout["ladder"]:
        assert [part["number"] for part in rendition["parts"]] == list(range(rendition["part_count"])), rendition["label"]
    for label in labels:
        text = media(cluster, video, label)
        assert "#EXT-X-PLAYLIST-TYPE:VOD" in text and text.endswith("#EXT-X-ENDLIST\n"), text
        decoded = videos.decode(f"{cluster.streaming}/stream/{video}/{label}/playlist.m3u8")
        assert (label, decoded.frames, decoded.errors) == (label, frames, "")


def assert_no_scratch(cluster: SeparateCluster, followers: int) -> None:
    def left() -> list[Path]:
        folders = [cluster.scratch(number) for number in range(1, followers + 1)]
        return [file for folder in folders for file in folder.rglob("*") if file.name != ".lock"]

    wait_for(lambda: f"scratch to be gone: {left()}", TIMEOUT, lambda: not left())


def sign(body: bytes = b"", token: str = SHARED_TOKEN, salt: str | None = None) -> dict[str, str]:
    salt = salt or uuid.uuid4().hex
    return {"X-Auth": f"{salt}:{hmac.new(token.encode(), body + salt.encode(), hashlib.sha256).hexdigest()}"}


@pytest.fixture
def fleet(separate_cluster):
    """A cluster with a transcoding service and two followers, whose leases are short."""
    return separate_cluster(followers=2, LEASE_SECONDS=4)


def test_ladder(fleet, sample_video):
    """All rungs of a video come, by both followers, and real players take them."""
    file = sample_video(width=854, height=480, seconds=40, rate=25, gop=50)
    video = fleet.store(file)
    done = wait_until_done(fleet, video)
    assert done["overall"] == "ok", done
    assert {label: quality["status"] for label, quality in done["qualities"].items()} == {
        "1080p": "skipped", "720p": "skipped", "480p": "ok", "360p": "ok"}
    assert done["qualities"]["360p"]["target_resolution"] == "640x360"
    assert done["upload_id"] == video.replace("-", "")
    frames = videos.packet_count(file)
    assert_whole(fleet, video, ["480p", "360p"], frames)

    text = master(fleet, video)
    assert '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="audio"' in text, text
    line = next(line for line in text.splitlines() if 'RESOLUTION=640x360' in line)
    assert 'CODECS="avc1.4d401e,mp4a.40.2"' in line and "FRAME-RATE=25.000" in line and 'AUDIO="audio"' in line, line
    assert int(re.search(r"[:,]BANDWIDTH=(\d+)", line)[1]) >= int(re.search(r"AVERAGE-BANDWIDTH=(\d+)", line)[1]) > 0
    assert videos.decode(f"{fleet.streaming}/stream/{video}/master.m3u8").errors == ""
    audio = f"{fleet.streaming}/stream/{video}/audio/playlist.m3u8"
    assert videos.codecs(audio) == ["aac"]
    assert videos.decode(audio).errors == ""

    assert fleet.command("verify").returncode == 0
    assert_no_scratch(fleet, 2)
    followers = requests.get(f"{fleet.metadata}/followers", timeout=TIMEOUT).json()
    assert sum(follower["accepted_count"] for follower in followers) == len(job(fleet, video)["units"])
    assert [follower["refused_count"] + follower["failed_count"] for follower in followers] == [0, 0]


def test_followers_that_die_and_freeze(fleet, sample_video):
    """kill -9 of a follower at a unit, and SIGSTOP of the other past its lease: the ladder is whole all the same."""
    file = sample_video(width=854, height=480, seconds=60, rate=25, gop=50, bitrate="2M")
    video = fleet.store(file)

    def holder(name: str) -> int | None:
        leases = [(unit["unit"], lease) for unit in job(fleet, video)["units"] for lease in unit["leases"]]
        return next((unit for unit, lease in leases if lease["follower"] == name), None)

    wait_for("follower-1 to be at a unit", SECONDS, lambda: holder("follower-1") is not None)
    fleet.kill("follower-1")
    unit = wait_for("follower-2 to be at a unit", SECONDS, lambda: None if holder("follower-2") is None else [holder("follower-2")])[0]
    pid = fleet.processes["follower-2"].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("the frozen follower's lease to end", SECONDS, lambda: holder("follower-2") is None)
        fleet.restart("follower-1")
        wait_for("another to have the unit", SECONDS, lambda: any(
            one["unit"] == unit and (one["state"] == "done" or one["leases"]) for one in job(fleet, video)["units"]))
    finally:
        os.kill(pid, signal.SIGCONT)
    done = wait_until_done(fleet, video)
    assert done["overall"] == "ok", job(fleet, video)["explanation"]
    assert_whole(fleet, video, ["480p", "360p"], videos.packet_count(file))
    assert fleet.command("verify").returncode == 0
    assert_no_scratch(fleet, 2)


def test_stop_and_resume(fleet, sample_video):
    """A video's transcoding can be stopped and gone on with, by HTTP and by the command line; what is wrong is said."""
    fleet.kill("follower-1")
    fleet.kill("follower-2")
    video = fleet.store(sample_video(width=640, height=360, seconds=10, rate=25))
    assert status(fleet, video)["overall"] == "queued"
    assert fleet.command("transcode", "stop", video).returncode == 0
    assert status(fleet, video)["overall"] == "stopped"
    explained = fleet.command("transcode", "explain", video)
    assert "The job was stopped; resume it to go on." in explained.stdout
    fleet.restart("follower-1")
    assert requests.post(f"{fleet.transcode}/transcode/resume", timeout=TIMEOUT).json() == {
        "status": "completed", "resumed_count": 1}
    assert wait_until_done(fleet, video)["overall"] == "ok"
    assert "360p" in fleet.command("transcode", "status", video).stdout

    def start(**body: object) -> requests.Response:
        return requests.post(f"{fleet.transcode}/transcode/start", json={"filename": "a.mp4", **body}, timeout=TIMEOUT)

    compact = video.replace("-", "")
    assert start(upload_id=compact, network_speed=10.0).json() == {"status": "started", "upload_id": compact}
    assert status(fleet, video)["overall"] == "ok"
    for body, code, word in [
        ({"upload_id": compact, "qualities": ["999p"]}, 400, "1080p, 720p, 480p, 360p"),
        ({"upload_id": compact, "qualities": ["1080p"]}, 400, "larger"),
        ({"upload_id": "nonsense"}, 400, "upload_id"),
        ({"upload_id": str(uuid.uuid4())}, 404, "no video"),
    ]:
        answer = start(**body)
        assert (answer.status_code, word in answer.json()["detail"]) == (code, True), answer.text
    answer = requests.get(f"{fleet.transcode}/transcode/status/{uuid.uuid4()}", timeout=TIMEOUT)
    assert answer.status_code == 404


def test_only_who_has_the_token_is_heard(fleet):
    """Without the shared token's code, with a wrong one, or with one that came before: 401."""
    body = json.dumps({"follower": "stranger", "holding": []}).encode()
    url = f"{fleet.transcode}/fleet/pull"
    assert requests.post(url, data=body, timeout=TIMEOUT).status_code == 401
    assert requests.post(url, data=body, headers=sign(body, "another secret"), timeout=TIMEOUT).status_code == 401
    headers = sign(body)
    assert requests.post(url, data=body, headers=headers, timeout=TIMEOUT).status_code == 200
    assert requests.post(url, data=body, headers=headers, timeout=TIMEOUT).status_code == 401
    worker = f"{fleet.url('follower-1')}/worker/status"
    assert requests.get(worker, timeout=TIMEOUT).status_code == 401
    answer = requests.get(worker, headers=sign(), timeout=TIMEOUT)
    assert answer.json() == {"workerId": "follower-1", "busy": False, "activeJobs": []}
    assert requests.get(f"{fleet.url('follower-1')}/worker/system-status", headers=sign(), timeout=TIMEOUT).status_code == 200


def test_deleted_video_leaves_nothing(fleet, sample_video):
    """A video that is deleted while it is encoded is gone from every node, with what followers had stored of it."""
    video = fleet.store(sample_video(width=854, height=480, seconds=60, rate=25, gop=50, bitrate="2M"))
    wait_for("a part of the ladder", SECONDS, lambda: any(
        unit["state"] == "done" for unit in job(fleet, video)["units"]))
    assert requests.delete(f"{fleet.metadata}/video/{video}", timeout=TIMEOUT).status_code == 204

    def chunks() -> int:
        return sum(
            requests.get(f"{url}/health", timeout=TIMEOUT).json()["chunk_count"] for url in fleet.storage)

    wait_for(lambda: f"{chunks()} chunks to be gone", SECONDS, lambda: chunks() == 0)
    assert_no_scratch(fleet, 2)
