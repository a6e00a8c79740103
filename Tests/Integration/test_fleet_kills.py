"""Videos are uploaded and encoded while followers and services are killed at random: each comes out whole, once."""

import hashlib
import os
import random
import re
import signal
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import requests

from Harness import videos
from Harness.cluster import SeparateCluster
from Harness.daemon import wait_for

TIMEOUT = 30
# Long enough for a machine that builds beside.
SECONDS = 240
LEASE_SECONDS = 4
FOLLOWERS = ["follower-1", "follower-2"]
VICTIMS = [*FOLLOWERS, *FOLLOWERS, "transcode", "metadata"]


class Killer:
    """Kills and starts again, or freezes, at random instants of the time in which there is work; not without end, so
    that the work comes to its own.

    Used from the main thread: a daemon dies with the thread that started it.
    """

    def __init__(self, cluster: SeparateCluster, seed: int, kills: int, freezes: int = 0) -> None:
        self._cluster, self._random = cluster, random.Random(seed)
        self._actions = [self._kill] * kills + [self._freeze] * freezes
        self._random.shuffle(self._actions)
        self.done: list[str] = []

    def run(self, is_over: Callable[[], bool]) -> None:
        """Until there is nothing more to do, or to interrupt."""
        for action in self._actions:
            wait_for("followers to be at work", SECONDS, lambda: ffmpegs(self._cluster) or is_over())
            if is_over():
                return
            time.sleep(self._random.uniform(0, 0.5))
            action()

    def _kill(self) -> None:
        name = self._random.choice(VICTIMS)
        orphans = children(self._cluster.processes[name].pid)
        self._cluster.kill(name)
        self.done.append(f"kill {name}")
        wait_for(f"the children of {name} to be gone", TIMEOUT, lambda: not any(map(is_running, orphans)))
        time.sleep(self._random.uniform(0, 0.5))
        self._cluster.restart(name)

    def _freeze(self) -> None:
        name = self._random.choice(FOLLOWERS)
        pid = self._cluster.processes[name].pid
        os.kill(pid, signal.SIGSTOP)
        self.done.append(f"freeze {name}")
        time.sleep(LEASE_SECONDS * 1.5)
        os.kill(pid, signal.SIGCONT)


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            found += map(int, task.read_text().split())
        except (FileNotFoundError, ProcessLookupError):
            pass
    return found


def ffmpegs(cluster: SeparateCluster) -> list[int]:
    """What the followers run now."""
    processes = [cluster.processes[name] for name in FOLLOWERS]
    return [child for process in processes if process.is_running() for child in children(process.pid)]


def is_running(pid: int) -> bool:
    try:
        # An orphan may stay a zombie where nobody reaps for init.
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def upload(cluster: SeparateCluster, file: Path) -> str:
    """Until it is taken: while the metadata service is away an upload is refused, and says so."""
    for _ in range(20):
        answer = cluster.post_video(file)
        if answer.status_code == 503:
            continue
        assert answer.status_code == 202, answer.text
        report = cluster.outcome(answer.json()["upload_session_id"], SECONDS)
        if report["status"] == "completed":
            return report["video_id"]
    raise AssertionError(f"no upload of twenty came to its end, the last: {answer.text}")


def job(cluster: SeparateCluster, video: str) -> dict | None:
    """None while the metadata service is away."""
    try:
        answer = requests.get(f"{cluster.metadata}/jobs/{video}", timeout=TIMEOUT)
    except requests.RequestException:
        return None
    return answer.json() if answer.status_code == 200 else None


def is_over(cluster: SeparateCluster, video: str) -> bool:
    now = job(cluster, video)
    return now is not None and now["overall"] in ("ok", "error")


def digests(cluster: SeparateCluster, video: str, label: str) -> list[str]:
    """Of the initialization segment and of each segment that a player fetches."""
    folder = f"{cluster.streaming}/stream/{video}/{label}"
    playlist = requests.get(f"{folder}/playlist.m3u8", timeout=TIMEOUT).text
    names = re.findall(r'^#EXT-X-MAP:URI="([^"]+)"', playlist, re.MULTILINE) + re.findall(
        r"^([^#\n].*)$", playlist, re.MULTILINE)
    return [hashlib.sha256(requests.get(f"{folder}/{name}", timeout=TIMEOUT).content).hexdigest() for name in names]


def assert_published_once(cluster: SeparateCluster, video: str, file: Path) -> None:
    """Each part is there once, made by the attempt that counts, and the timeline has neither gap nor repetition."""
    now = job(cluster, video)
    assert now is not None and now["overall"] == "ok", now and now["explanation"]
    assert {unit["state"] for unit in now["units"]} == {"done"}, now
    assert not [lease for unit in now["units"] for lease in unit["leases"]], now
    layout = requests.get(f"{cluster.metadata}/video/{video}/layout", timeout=TIMEOUT).json()
    assert sorted(rendition["label"] for rendition in layout["ladder"]) == ["360p", "audio"]
    for rendition in layout["ladder"]:
        parts = rendition["parts"]
        assert [part["number"] for part in parts] == list(range(rendition["part_count"])), parts
        assert len({part["stream"] for part in parts}) == len(parts), parts
        segments = [segment for part in parts for segment in part["segments"]]
        frame = 1 / rendition["frame_rate"] if rendition["kind"] == "video" else 1024 / 44100
        for one, other in zip(segments, segments[1:]):
            gap = other["start_sec"] - one["start_sec"] - one["duration_sec"]
            assert abs(gap) < frame / 2, (rendition["label"], one, other)
    picture = next(rendition for rendition in layout["ladder"] if rendition["label"] == "360p")
    frames = videos.packet_count(file)
    assert sum(part["frame_count"] for part in picture["parts"]) == frames
    decoded = videos.decode(f"{cluster.streaming}/stream/{video}/360p/playlist.m3u8")
    assert (decoded.frames, decoded.errors) == (frames, "")


def assert_no_scratch(cluster: SeparateCluster) -> None:
    def left() -> list[Path]:
        folders = [cluster.scratch(number) for number in (1, 2)]
        return [file for folder in folders for file in folder.rglob("*") if file.name != ".lock"]

    wait_for(lambda: f"scratch to be gone: {left()}", TIMEOUT, lambda: not left())


def encode_under_kills(cluster: SeparateCluster, files: list[Path], jobs: int, kills: int, freezes: int = 0) -> None:
    seed = random.randrange(1 << 30)
    print(f"seed {seed}")
    killer = Killer(cluster, seed, kills, freezes)
    sources = [files[index % len(files)] for index in range(jobs)]
    with ThreadPoolExecutor(max_workers=1) as pool:
        uploads = [pool.submit(upload, cluster, file) for file in sources]
        killer.run(lambda: all(one.done() for one in uploads) and all(is_over(cluster, one.result()) for one in uploads))
        uploaded = [(one.result(), file) for one, file in zip(uploads, sources)]
    for video, _ in uploaded:
        wait_for(lambda: f"{video}: {job(cluster, video)}", SECONDS, lambda: is_over(cluster, video))
    print(", ".join(killer.done))
    assert any(action == f"kill {name}" for name in FOLLOWERS for action in killer.done), killer.done

    made: dict[Path, list[list[str]]] = {}
    for video, file in uploaded:
        wait_for("the streaming service to offer the ladder", TIMEOUT, lambda: "360p/playlist.m3u8" in requests.get(
            f"{cluster.streaming}/stream/{video}/master.m3u8", timeout=TIMEOUT).text)
        assert_published_once(cluster, video, file)
        segments = digests(cluster, video, "360p") + digests(cluster, video, "audio")
        # One thread encodes the same from the same, whoever it is and however often it was begun.
        assert segments == made.setdefault(file, segments), f"{video} is another than the first of {file}"
    assert cluster.command("verify", seconds=SECONDS).returncode == 0
    assert_no_scratch(cluster)


@pytest.fixture
def files(sample_video) -> list[Path]:
    """Two units of pictures and one of sound each."""
    return [sample_video(width=640, height=360, seconds=seconds, rate=15, gop=30) for seconds in (16, 20)]


@pytest.fixture
def fleet(separate_cluster):
    """What the killer does to a unit may come to more attempts than one that is at fault gets."""
    return separate_cluster(followers=2, LEASE_SECONDS=LEASE_SECONDS, MAX_ATTEMPTS=100)


def test_a_few_jobs_under_kills(fleet, files):
    encode_under_kills(fleet, files, jobs=6, kills=10)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_thirty_jobs_under_kills_and_freezes(fleet, files):
    encode_under_kills(fleet, files, jobs=30, kills=60, freezes=8)
