"""The leader (3001) and its followers: files of one media folder, converted one a follower."""

import http.server
import json
import os
import signal
import subprocess
import threading

import pytest
import requests

from Harness import videos
from Harness.cluster import Cluster
from Harness.conversion import SECONDS, TIMEOUT, Studio, sign
from Harness.daemon import BINARY, environment, wait_for

# So large that it is still under way when a test has looked; the last frame is never waited for.
LONG = {"video_codec": "libx265", "preset": "veryslow", "crf": 10}


@pytest.fixture
def studio(tmp_path):
    made: list[Studio] = []

    def make(**settings: object) -> Studio:
        made.append(Studio(tmp_path, **{"WORKER_TIMEOUT": 3} | settings))
        made[-1].start()
        return made[-1]

    try:
        yield make
        for one in made:
            one.stop()
    finally:
        for one in made:
            one.remove()


@pytest.fixture
def clip(sample_video):
    return sample_video(width=320, height=180, seconds=3, rate=25)


@pytest.fixture
def long_clip(sample_video):
    return sample_video(width=1280, height=720, seconds=60, rate=25, bitrate="4M")


def test_conversion(studio, clip):
    """One file, with what was asked for, under the name that was asked for; the source stays."""
    studio = studio()
    studio.put(clip, "films/a film.mp4")
    job = studio.convert(
        "films/a film.mp4", "films/small.mkv", video_codec="libx265", bit_depth=10, height=90, preset="ultrafast",
        audio_codec="flac", container="mkv")
    done = studio.outcome(job)
    assert done["status"] == "completed", done
    output = studio.media / "films/small.mkv"
    assert videos.codecs(output) == ["flac", "hevc"]
    picture = videos.stream(output, "video")
    assert (picture["width"], picture["height"], picture["pix_fmt"]) == (160, 90, "yuv420p10le")
    assert videos.decode(output).frames == videos.packet_count(clip) == done["total_frames"]
    assert done["progress"] == 100 and done["assigned_worker"] in studio.followers and done["retried"] is False
    assert done["start_time"] <= done["end_time"] and done["queue_position"] is None and done["error_message"] is None
    assert json.loads(done["config_json"])["bit_depth"] == 10
    assert (studio.media / "films/a film.mp4").read_bytes() == clip.read_bytes()
    # An existing file is never overwritten: it has another name, or is refused.
    assert studio.job(studio.convert("films/a film.mp4"))["output_file"] == "films/a film-1.mp4"
    studio.call("post", "jobs", {"input_file": "films/a film.mp4", "output_file": "films/small.mkv"}, 409)
    for row in studio.call("get", "jobs")["jobs"]:
        assert studio.outcome(row["id"])["status"] == "completed"


def test_batch_on_all_followers(studio, long_clip, clip):
    """Several files at once go to different followers; the rest wait in an order that can be changed."""
    studio = studio()
    for number in (1, 2, 10):
        studio.put(long_clip, f"part {number}.mp4")
    first = studio.call("post", "jobs/start", {"files": ["part 1.mp4", "part 2.mp4", "part 10.mp4"], "config": LONG}, 201)
    one, two, ten = [job["id"] for job in first["jobs"]]
    workers = {studio.wait_for_progress(job)["assigned_worker"] for job in (one, two)}
    assert workers == set(studio.followers)
    listed = studio.call("get", "settings/followers")["followers"]
    wait_for("both followers to be seen busy", TIMEOUT, lambda: all(
        row["busy"] for row in studio.call("get", "settings/followers")["followers"]))
    assert {row["status"] for row in listed} == {"healthy"}
    studio.put(clip, "short.mp4")
    short = studio.convert("short.mp4", preset="ultrafast")
    assert [studio.job(job)["queue_position"] for job in (ten, short)] == [1, 2]
    studio.call("put", "jobs", {"order": [short]})
    assert [studio.job(job)["queue_position"] for job in (ten, short)] == [2, 1]
    batch = studio.call("get", f"jobs/batch/{first['batch_id']}")
    assert (batch["counts"]["processing"], batch["counts"]["pending"], batch["is_over"]) == (2, 1, False)

    assert studio.call("patch", f"jobs/{one}", {"action": "cancel"})["status"] == "cancelled"
    assert studio.outcome(short)["status"] == "completed"
    studio.call("patch", f"jobs/{one}", {"action": "cancel"}, 409)
    for job in (two, ten):
        studio.call("patch", f"jobs/{job}", {"action": "cancel"})
    assert studio.call("get", f"jobs/batch/{first['batch_id']}")["is_over"]
    wait_for("what was cancelled to be gone", TIMEOUT, lambda: not list(studio.media.glob(".vstack-*")))
    retried = studio.call("patch", f"jobs/{one}", {"action": "retry"})
    assert retried["retried"] and retried["status"] in ("pending", "processing")
    studio.call("patch", f"jobs/{one}", {"action": "cancel"})
    assert studio.call("delete", "jobs?status=cancelled") == {"cleared": 3}
    assert [job["id"] for job in studio.call("get", "jobs")["jobs"]] == [short]


def test_a_follower_that_dies(studio, long_clip, clip):
    """kill -9 mid-job: another follower has the job, nothing of the first is left; the dead one is used again."""
    studio = studio()
    studio.put(long_clip, "long.mp4")
    job = studio.convert("long.mp4", preset="veryfast")
    victim = studio.wait_for_progress(job)["assigned_worker"]
    name = next(name for name in studio.processes if name != "leader" and studio.url(name) == victim)
    studio.processes[name].kill()
    done = studio.outcome(job)
    assert (done["status"], done["attempts"]) == ("completed", 2) and done["assigned_worker"] != victim, done
    assert videos.packet_count(studio.media / done["output_file"]) == videos.packet_count(long_clip)
    studio.start(name)
    wait_for("the follower to be known again", TIMEOUT, lambda: all(
        row["status"] == "healthy" for row in studio.call("get", "settings/followers")["followers"]))


def test_a_follower_that_freezes(studio, long_clip):
    """One that is stopped past its time and goes on later changes nothing: the other's result is the file."""
    studio = studio()
    studio.put(long_clip, "long.mp4")
    job = studio.convert("long.mp4", preset="veryfast")
    victim = studio.wait_for_progress(job)["assigned_worker"]
    name = next(name for name in studio.processes if name != "leader" and studio.url(name) == victim)
    pid = studio.processes[name].pid
    os.kill(pid, signal.SIGSTOP)
    try:
        wait_for("another follower to have it", SECONDS, lambda: studio.job(job)["attempts"] == 2)
    finally:
        os.kill(pid, signal.SIGCONT)
    done = studio.outcome(job)
    assert (done["status"], done["attempts"]) == ("completed", 2), done
    wait_for("the late attempt to be given up", SECONDS, lambda: not requests.get(
        f"{victim}/worker/status", headers=sign(), timeout=TIMEOUT).json()["busy"])
    assert videos.decode(studio.media / done["output_file"]).frames == videos.packet_count(long_clip)
    assert [file.name for file in studio.media.iterdir() if file.suffix == ".mp4"].__len__() == 2


def test_one_attempt_only(studio, long_clip):
    """With MAX_ATTEMPTS=1 a job whose follower dies has failed, says why, and can be retried."""
    studio = studio(followers=1, MAX_ATTEMPTS=1)
    studio.put(long_clip, "long.mp4")
    job = studio.convert("long.mp4", **LONG)
    studio.wait_for_progress(job)
    studio.processes["follower-1"].kill()
    done = studio.outcome(job)
    assert done["status"] == "failed" and "not heard of" in done["error_message"], done
    wait_for("what it left to be gone", TIMEOUT, lambda: not list(studio.media.glob(".vstack-*")))


def test_a_leader_that_dies(studio, long_clip, clip):
    """kill -9 of the leader: jobs are there after its restart, and one that was under way is not begun again."""
    studio = studio(WORKER_TIMEOUT=30)
    studio.put(long_clip, "long.mp4")
    studio.put(clip, "short.mp4")
    long, short = studio.convert("long.mp4", preset="veryfast"), studio.convert("short.mp4", preset="ultrafast")
    studio.wait_for_progress(long)
    studio.processes["leader"].kill()
    studio.start("leader")
    for job in (long, short):
        done = studio.outcome(job)
        assert (done["status"], done["attempts"]) == ("completed", 1), done


def test_what_cannot_be_converted(studio, clip):
    """A file that is no video fails at once, with a sentence that names no path of the machine."""
    studio = studio(followers=1)
    (studio.media / "text.mp4").write_text("no film at all")
    done = studio.outcome(studio.convert("text.mp4"))
    assert done["status"] == "failed" and done["attempts"] == 1 and "not a video" in done["error_message"], done
    assert str(studio.media) not in done["error_message"]
    studio.put(clip, "a.mp4")
    done = studio.outcome(studio.convert("a.mp4", custom_arguments=["-c:v", "libx264", "-preset", "nonsense"]))
    assert done["status"] == "failed" and str(studio.media) not in done["error_message"], done


@pytest.fixture(scope="module")
def idle(tmp_path_factory):
    """A leader whose one follower never comes."""
    one = Studio(tmp_path_factory.mktemp("idle"), followers=1)
    try:
        one.start("leader")
        (one.media / "films").mkdir()
        for name in ("part 10.mp4", "part 2.mp4", "Part 1.mkv", "notes.txt", ".hidden.mp4"):
            (one.media / "films" / name).write_text(name)
        (one.folder / "secret.mp4").write_text("secret")
        (one.media / "link.mp4").symlink_to("../secret.mp4")
        (one.media / "etc").symlink_to("/etc")
        yield one
    finally:
        one.remove()


def test_files(idle):
    listing = idle.call("get", "files?path=films")
    assert [entry["name"] for entry in listing["entries"]] == ["notes.txt", "Part 1.mkv", "part 2.mp4", "part 10.mp4"]
    assert [entry["is_video"] for entry in listing["entries"]] == [False, True, True, True]
    assert (listing["path"], listing["parent"]) == ("films", "")
    top = idle.call("get", "files")
    # Links are not shown: what they lead to is not the media home's.
    assert [(entry["name"], entry["type"]) for entry in top["entries"]] == [("films", "directory")]
    assert [entry["path"] for entry in idle.call("get", "files?search=PART")["entries"]] == [
        "films/Part 1.mkv", "films/part 2.mp4", "films/part 10.mp4"]
    assert idle.call("get", f"files?path={idle.media}/films")["path"] == "films"
    assert idle.call("get", "files?path=nowhere", code=404)["error"]


@pytest.mark.parametrize("path", [
    "../secret.mp4", "/etc/passwd", "link.mp4", "etc/passwd", "films/../../secret.mp4", "films", "films/\0", "..", ""])
def test_paths_outside(idle, path):
    """Neither read nor written nor listed."""
    for body in ({"input_file": path}, {"input_file": "films/part 2.mp4", "output_file": path}):
        answer = requests.post(f"{idle.leader}/api/jobs", json=body, timeout=TIMEOUT)
        assert answer.status_code in (400, 404, 409), (body, answer.text)
    answer = requests.get(f"{idle.leader}/api/files", params={"path": path}, timeout=TIMEOUT)
    assert answer.status_code in (400, 404) or path in ("films", ""), answer.text
    assert idle.call("get", "jobs")["total"] == 0


@pytest.mark.parametrize("method, path, body, code, word", [
    ("post", "jobs", {"input_file": "films/part 2.mp4", "config": {"container": "webm", "video_codec": "libx264"}}, 400, "libsvtav1"),
    ("post", "jobs", {"input_file": "films/part 2.mp4", "config": {"custom_arguments": ["-i", "/etc/passwd"]}}, 400, "-i"),
    ("post", "jobs", {"input_file": "films/part 2.mp4", "config": {"video_codec": "mpeg9"}}, 400, "mpeg9"),
    ("post", "jobs", {"input_file": "films/none.mp4"}, 404, "none.mp4"),
    ("post", "jobs", {}, 400, "input_file"),
    ("post", "jobs/start", {"files": []}, 400, "files"),
    ("get", "jobs?status=lost", None, 400, "status"),
    ("delete", "jobs?status=pending", None, 400, "pending"),
    ("get", "jobs/nobody", None, 404, "nobody"),
    ("patch", "jobs/nobody", {"action": "cancel"}, 404, "nobody"),
    ("patch", "jobs/nobody", {"action": "explode"}, 400, "action"),
    ("get", "jobs/batch/nobody", None, 404, "nobody"),
    ("put", "jobs", {"order": ["nobody"]}, 404, "nobody"),
    ("post", "jobs/nobody/progress", {"workerId": "x"}, 401, ""),
    ("post", "notifications/test", None, 409, "WEBHOOK_URLS"),
    ("patch", "jobs", None, 405, ""),
])
def test_bad_input(idle, method, path, body, code, word):
    """Each error says the same sentence as `detail` and as `error`."""
    answer = idle.call(method, path, body, code)
    assert answer["detail"] == answer["error"] and word in answer["detail"], answer


def test_settings(idle):
    settings = idle.call("get", "settings")
    assert "libx264" in settings["ffmpeg"]["video_encoders"] and settings["version"] and settings["ffmpeg"]["version"]
    assert idle.call("get", "settings/system-status")["leader"]["cpuCount"] >= 1
    assert idle.call("get", "notifications/status")["configured"] is False
    row = idle.call("post", "settings/followers/retry")["followers"][0]
    assert row["status"] == "unreachable" and row["error"]
    health = requests.get(f"{idle.leader}/health", timeout=TIMEOUT).json()
    assert (health["service"], health["followers_healthy"]) == ("leader", 0)
    assert requests.get(f"{idle.leader}/", timeout=TIMEOUT).url.endswith("/docs")
    assert "vstack_leader_jobs_pending" in requests.get(f"{idle.leader}/metrics", timeout=TIMEOUT).text


def test_follower_needs_the_token_and_the_folder(studio, clip):
    """`/worker/execute` without the shared token is 401, and with it reads only the media home."""
    studio = studio(followers=1)
    url = f"{studio.followers[0]}/worker/execute"
    order = {"job_id": "j", "attempt": 1, "input_file": "../x.mp4", "temporary_file": "y", "config": {},
             "leader_url": studio.leader, "lease_sec": 30}
    body = json.dumps(order).encode()
    for headers in ({}, sign(body, "another secret")):
        answer = requests.post(url, data=body, headers=headers, timeout=TIMEOUT)
        assert (answer.status_code, "error" in answer.json()) == (401, True)
    answer = requests.post(url, data=body, headers=sign(body), timeout=TIMEOUT)
    assert answer.status_code == 400 and "media folder" in answer.json()["error"], answer.text
    assert requests.get(f"{studio.followers[0]}/worker/status", headers=sign(), timeout=TIMEOUT).json() == {
        "workerId": "follower-1", "busy": False, "activeJobs": []}


def test_events_and_webhooks(studio, clip):
    """What happens is told as it happens, to listeners and to webhooks."""
    told: list[dict] = []

    class Receiver(http.server.BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Receiver)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        studio = studio(followers=1, WEBHOOK_URLS=f"http://127.0.0.1:{server.server_port}/hook")
        studio.put(clip, "a.mp4")
        with requests.get(f"{studio.leader}/api/events", stream=True, timeout=TIMEOUT) as events:
            lines = events.iter_lines(decode_unicode=True)
            assert next(lines) == "event: job:status-counts"
            job = studio.convert("a.mp4", preset="ultrafast")
            names, done = set(), None
            while done is None:
                line = next(lines)
                if line.startswith("event: "):
                    names.add(line.removeprefix("event: "))
                if line.startswith("data: ") and '"completed"' in line and f'"id":"{job}"' in line:
                    done = json.loads(line.removeprefix("data: "))
        assert done["status"] == "completed" and {"job:created", "job:updated", "job:status-counts"} <= names, names
        wait_for("the webhook to be told", TIMEOUT, lambda: told)
        assert (told[0]["event"], told[0]["job"]["id"]) == ("job:completed", job)
        assert studio.call("post", "notifications/test") == {"status": "sent"} and told[-1]["event"] == "test"
        assert studio.call("get", "notifications/status")["sent"] == 2
    finally:
        server.shutdown()


def test_listeners_do_not_hold_up_the_end(studio):
    """Who listens to the events hears their end when the leader stops, which waits for nobody."""
    studio = studio(followers=1, HTTP_DRAIN_SECONDS=600)
    with requests.get(f"{studio.leader}/api/events", stream=True, timeout=TIMEOUT) as events:
        lines = events.iter_lines(decode_unicode=True)
        assert next(lines) == "event: job:status-counts"
        assert studio.processes["leader"].stop() == 0
        assert list(lines)[-1] == ""


def test_command_line(studio, clip):
    """`vstack convert` waits for several files and says where they are; one that fails ends it with 1."""
    studio = studio()
    for name in ("a.mp4", "b.mp4"):
        studio.put(clip, name)
    def convert(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BINARY, "convert", *words], env=environment(LEADER_URL=studio.leader), capture_output=True, text=True,
            stdin=subprocess.DEVNULL, timeout=SECONDS)

    done = convert("a.mp4", "b.mp4", "--container", "mkv", "--preset", "ultrafast")
    assert (done.returncode, done.stdout.split()) == (0, ["a.mkv", "b.mkv"]), done.stderr
    (studio.media / "text.mp4").write_text("no film at all")
    failed = convert("text.mp4")
    assert failed.returncode == 1 and "not a video" in failed.stdout
    missing = convert("none.mp4")
    assert missing.returncode == 1 and "none.mp4" in missing.stderr
    assert convert("a.mp4", "--container", "mp9").returncode == 64


def test_everything_on_one_machine(clip):
    """`vstack up` has a leader too, whose followers also encode videos, and a media folder among its data."""
    cluster = Cluster(followers=1)
    try:
        cluster.start()
        (cluster.media / "a.mp4").write_bytes(clip.read_bytes())
        video = cluster.store(clip)
        done = cluster.command("convert", "a.mp4", "--container", "mkv", "--preset", "ultrafast", seconds=SECONDS)
        assert (done.returncode, done.stdout) == (0, "a.mkv\n"), done.stderr
        assert videos.packet_count(cluster.media / "a.mkv") == videos.packet_count(clip)
        wait_for("the ladder", SECONDS, lambda: requests.get(
            f"{cluster.transcode}/transcode/status/{video}", timeout=TIMEOUT).json()["overall"] == "ok")
        cluster.stop()
    finally:
        cluster.process.kill()
        cluster.remove()
