"""kill -9: of a storage node under an upload and under playback, and of any process at any instant."""

import hashlib
import os
import random
import subprocess
import threading
import time
from pathlib import Path

import requests

from Harness import raw, videos
from Harness.client import UPLOAD_STATES, sha256
from Harness.cluster import Cluster, SeparateCluster
from Harness.daemon import BINARY, wait_for

KILLS = 20


def chunk_counts(cluster: SeparateCluster) -> dict[str, int]:
    names = [name for name in cluster.storage_names if cluster.processes[name].is_running()]
    return {
        name: requests.get(f"{cluster.url(name)}/health", timeout=5).json()["chunk_count"] for name in names
    }


def assert_verified(cluster: Cluster | SeparateCluster) -> None:
    result = cluster.command("verify")
    assert result.returncode == 0, result.stdout + result.stderr


def test_storage_node_killed_during_upload(separate_cluster, sample_video):
    """An upload finishes though one of the nodes it writes to is killed under it."""
    cluster = separate_cluster()
    file = sample_video(width=1920, height=1080, seconds=60, rate=30, gop=60, bitrate="8M")
    answer = cluster.curl_video(file, title="Upload with a death")

    def receiving() -> str | None:
        return next((name for name, count in chunk_counts(cluster).items() if count > 0), None)

    victim = wait_for("a node that holds a chunk of the upload", 60, receiving)
    cluster.kill(victim)
    report = cluster.outcome(answer["upload_session_id"], 120)
    assert report["status"] == "completed", report
    video = report["video_id"]
    assert cluster.original_sha256(video) == sha256(file)
    decoded = videos.decode(cluster.playlist_url(video))
    assert (decoded.frames, decoded.errors) == (1800, "")
    cluster.restart(victim)
    cluster.wait_for_nodes(5)
    assert_verified(cluster)


def test_storage_node_killed_during_playback(separate_cluster, sample_video, tmp_path):
    """Playback goes on, segment by segment and to the last frame, though a node it reads from is killed."""
    cluster = separate_cluster()
    video = cluster.store(sample_video(width=1280, height=720, seconds=30, bitrate="4M"))
    segments = segment_urls(cluster, video)
    assert len(segments) >= 4, segments
    whole = [requests.get(url, timeout=30).content for url in segments]

    group = cluster.manifest(video)["chunks"][0]["replicas"]
    victim = cluster.name_at(group[0])
    again = []
    for index, url in enumerate(segments):
        if index == 1:
            cluster.kill(victim)
        answer = requests.get(url, timeout=30)
        assert answer.status_code == 200, f"segment {index}: {answer.text}"
        again.append(answer.content)
    assert again == whole

    decoded = videos.decode(cluster.playlist_url(video))
    assert (decoded.frames, decoded.errors) == (750, "")
    output = tmp_path / "played.mp4"
    result = cluster.command("play", video, "--output", output)
    assert result.returncode == 0, result.stderr
    assert videos.packet_count(output) == 750
    # Two of three copies are enough for every chunk to be readable and intact.
    assert_verified(cluster)
    cluster.restart(victim)
    assert_verified(cluster)


def test_storage_node_killed_under_the_play_command(separate_cluster, sample_video, tmp_path):
    """`vstack play` finishes though the node it reads from is killed under it."""
    cluster = separate_cluster()
    video = cluster.store(sample_video(width=1920, height=1080, seconds=60, rate=30, gop=60, bitrate="8M"))
    victim = cluster.name_at(cluster.manifest(video)["chunks"][-1]["replicas"][0])
    output = tmp_path / "played.mp4"
    player = subprocess.Popen(
        [BINARY, "play", video, "--output", output], env=cluster.client_environment(), stdout=subprocess.PIPE,
        stderr=subprocess.PIPE, text=True)
    wait_for("the player to have begun", 30, lambda: player.poll() is not None or any(tmp_path.iterdir()))
    cluster.kill(victim)
    _, errors = player.communicate(timeout=120)
    assert player.returncode == 0, errors
    assert videos.packet_count(output) == 1800
    assert videos.warnings(output) == ""


def segment_urls(cluster: SeparateCluster, video: str) -> list[str]:
    """The media segments of the first rendition, as a player finds them."""
    master = cluster.playlist_url(video)
    playlist = requests.compat.urljoin(master, uris(requests.get(master, timeout=30).text)[0])
    return [requests.compat.urljoin(playlist, uri) for uri in uris(requests.get(playlist, timeout=30).text)]


def uris(playlist: str) -> list[str]:
    return [line for line in playlist.splitlines() if line and not line.startswith("#")]


def test_uploader_killed_while_processing(separate_cluster, sample_video):
    """What was answered with 202 completes under its session's id, however often the uploader is killed meanwhile."""
    # One at a time, so that the second is still waiting at the first kill.
    cluster = separate_cluster(MAX_CONCURRENT_UPLOADS=1)
    encoded = sample_video(seconds=8, codec="libx265", extra=("-x265-params", "log-level=none"))
    copied = sample_video(width=1280, height=720, seconds=30, bitrate="4M")
    files = (encoded, copied)
    sessions = [cluster.post_video(file).json()["upload_session_id"] for file in files]
    for state in ("chunking", "uploading_chunks"):
        rank = UPLOAD_STATES.index(state)

        def reached() -> bool:
            return UPLOAD_STATES.index(cluster.status(sessions[0])["status"]) >= rank

        wait_for(f"the first upload to be {state}", 60, reached)
        cluster.kill("uploader")
        cluster.restart("uploader")
        # The rank may have grown before the kill; it never falls.
        assert reached(), cluster.status(sessions[0])
    for session, file in zip(sessions, files):
        report = cluster.outcome(session, 120)
        assert report["status"] == "completed", report
        assert cluster.original_sha256(report["video_id"]) == sha256(file)
        frames = videos.packet_count(file)
        decoded = videos.decode(cluster.playlist_url(report["video_id"]))
        assert (decoded.frames, decoded.errors) == (frames, "")
    assert len(requests.get(f"{cluster.metadata}/videos", timeout=10).json()) == len(files)
    assert_verified(cluster)
    cluster.assert_nothing_temporary()


def test_everything_killed_during_upload(sample_video):
    """kill -9 of the whole system in the middle of uploads: what was answered completes, nothing is left of the rest."""
    cluster = Cluster()
    try:
        cluster.start()
        kept = cluster.store(sample_video())
        # One that is copied, one that is encoded, one that is still on its way in.
        copied = sample_video(width=1280, height=720, seconds=30, bitrate="4M")
        encoded = sample_video(seconds=8, codec="libx265", extra=("-x265-params", "log-level=none"))
        sessions = [cluster.post_video(file).json()["upload_session_id"] for file in (copied, encoded)]
        body = copied.read_bytes()
        with raw.connect(cluster.uploader) as arriving:
            head = {"Content-Type": "multipart/form-data; boundary=b", "Content-Length": len(body) + 999}
            arriving.sendall(
                raw.head("POST", "/upload", head)
                + b"--b\r\nContent-Disposition: form-data; name=\"video\"; filename=\"v.mp4\"\r\n\r\n" + body)
            wait_for("the upload to arrive", 30, cluster.temporary_files)
            cluster.process.kill()
        wait_for("the system's children to end", 30, lambda: not processes_that_name(cluster.folder))
        cluster.start()
        for session in sessions:
            report = cluster.outcome(session, 120)
            assert report["status"] == "completed", report
        assert requests.get(f"{cluster.uploader}/health", timeout=10).json()["active_uploads"] == 0
        assert cluster.original_sha256(kept) == sha256(sample_video())
        wait_for("no video to be unfinished", 30, lambda: not unfinished(cluster))
        assert_verified(cluster)
        cluster.assert_nothing_temporary()
        cluster.stop()
    finally:
        cluster.process.kill()
        cluster.remove()


def processes_that_name(folder: Path) -> list[str]:
    """Command lines with the folder in them."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


def unfinished(cluster: Cluster) -> list[dict]:
    listed = requests.get(f"{cluster.metadata}/videos", params={"limit": 1000}, timeout=10).json()
    return [video for video in listed if video["status"] == "uploading"]


class Writer(threading.Thread):
    """Puts small and large chunks to the nodes, one after the other, and remembers what was acknowledged."""

    def __init__(self, cluster: SeparateCluster, seed: int) -> None:
        super().__init__(daemon=True)
        self.cluster, self.random, self.seed = cluster, random.Random(seed), seed
        self.acknowledged: list[tuple[str, str, str]] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        session = requests.Session()
        count = 0
        while not self.stopping.is_set():
            count += 1
            node = self.random.choice(self.cluster.storage_names)
            body = self.random.randbytes(self.random.choice([10, 3000, 70_000, 1_000_000]))
            chunk = f"kill-{self.seed}-{count}"
            try:
                answer = session.put(f"{self.cluster.url(node)}/chunk/{chunk}", data=body, timeout=10)
            except requests.RequestException:
                # Not acknowledged; whether it is there does not matter.
                time.sleep(0.01)
                continue
            if answer.status_code in (200, 201):
                self.acknowledged.append((node, chunk, hashlib.sha256(body).hexdigest()))


class Uploader(threading.Thread):
    """Uploads one video after the other and remembers those that were reported `completed`."""

    def __init__(self, cluster: SeparateCluster, file: Path) -> None:
        super().__init__(daemon=True)
        self.cluster, self.file = cluster, file
        self.completed: list[str] = []
        self.stopping = threading.Event()

    def run(self) -> None:
        while not self.stopping.is_set():
            try:
                self._upload()
            except (requests.RequestException, AssertionError):
                # A killed uploader, or a video that failed with its reason: the next one.
                time.sleep(0.05)

    def _upload(self) -> None:
        answer = self.cluster.post_video(self.file, "Upload under fire")
        if answer.status_code != 202:
            time.sleep(0.05)
            return
        report = self.cluster.outcome(answer.json()["upload_session_id"], 30)
        if report["status"] == "completed":
            self.completed.append(report["video_id"])


def test_acknowledged_means_durable(separate_cluster, sample_video):
    """Twenty kills of any process at random instants lose no acknowledged chunk and no completed video."""
    seed = int(os.environ.get("VSTACK_TEST_SEED", random.SystemRandom().randrange(1 << 32)))
    print(f"VSTACK_TEST_SEED={seed}")
    chance = random.Random(seed)
    cluster = separate_cluster()
    file = sample_video(width=640, height=360, seconds=6, bitrate="2M")
    writers = [Writer(cluster, seed + index) for index in range(3)]
    uploader = Uploader(cluster, file)
    for thread in (*writers, uploader):
        thread.start()

    victims = [*cluster.storage_names, *cluster.storage_names, "metadata", "uploader", "streaming", "web"]
    for _ in range(KILLS):
        victim = chance.choice(victims)
        # The wait is the random instant itself, not a wait for something.
        time.sleep(chance.uniform(0, 0.5))
        print("kill -9", victim)
        cluster.kill(victim)
        cluster.restart(victim)
        assert_kept([entry for writer in writers for entry in writer.acknowledged[-20:] if entry[0] == victim], cluster)

    cluster.wait_for_nodes(5)
    settled = len(uploader.completed)
    wait_for("an upload to complete after the last kill", 60, lambda: len(uploader.completed) > settled)
    for thread in (*writers, uploader):
        thread.stopping.set()
    for thread in (*writers, uploader):
        thread.join(timeout=60)
        assert not thread.is_alive()

    acknowledged = [entry for writer in writers for entry in writer.acknowledged]
    print(f"{len(acknowledged)} chunks and {len(uploader.completed)} videos were acknowledged")
    assert len({node for node, _, _ in acknowledged}) == 5
    # Those that were under way at a kill go on after it.
    wait_for("no upload to be unfinished", 120, lambda: not unfinished(cluster))
    assert_kept(acknowledged, cluster)
    checksum = sha256(file)
    for video in uploader.completed:
        assert cluster.original_sha256(video) == checksum
    assert_verified(cluster)
    cluster.assert_nothing_temporary()


def assert_kept(acknowledged: list[tuple[str, str, str]], cluster: SeparateCluster) -> None:
    with requests.Session() as session:
        for node, chunk, checksum in acknowledged:
            answer = session.get(f"{cluster.url(node)}/chunk/{chunk}", timeout=30)
            assert answer.status_code == 200, f"{chunk}, acknowledged by {node}: {answer.status_code} {answer.text[:200]}"
            assert hashlib.sha256(answer.content).hexdigest() == checksum, f"{chunk} on {node} has other bytes"
