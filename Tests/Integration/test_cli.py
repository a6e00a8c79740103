"""The command line."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import time

import pytest
import requests

from Harness import ports, videos
from Harness.client import sha256
from Harness.cluster import READY, Cluster
from Harness.daemon import BINARY, Daemon, environment, wait_for

USAGE = 64
# The contract's bound on how long it may take to say what is wrong.
REFUSAL_SECONDS = 5
COMMANDS = ["up", "metadata", "storage", "uploader", "stream", "web", "upload", "play", "verify", "nodes", "videos", "store", "sim"]


def vstack(*arguments: object, seconds: float = 20, **settings: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [BINARY, *map(str, arguments)], env=environment(**settings), stdin=subprocess.DEVNULL, capture_output=True,
        text=True, timeout=seconds)


@pytest.fixture
def block():
    block = ports.PortBlock()
    yield block
    block.release()


def test_version():
    """`vstack --version` prints the version."""
    result = vstack("--version")
    assert result.returncode == 0 and re.search(r"\b\d+\.\d+\.\d+\b", result.stdout)
    assert len(result.stdout.splitlines()) == 1 and result.stderr == ""


@pytest.mark.parametrize("arguments", [["help"], ["--help"]])
def test_help(arguments):
    """`vstack help` lists every command."""
    result = vstack(*arguments)
    assert result.returncode == 0 and result.stderr == ""
    for command in COMMANDS:
        assert re.search(rf"^\s+(vstack )?{command}\b", result.stdout, re.MULTILINE), f"help does not list {command}"


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command(command):
    """`vstack help COMMAND` and `vstack COMMAND --help` describe it."""
    result = vstack("help", command)
    assert result.returncode == 0 and command in result.stdout
    assert vstack(command, "--help").stdout == result.stdout


@pytest.mark.parametrize(
    "typed, meant", [("uplaod", "upload"), ("verfy", "verify"), ("stroage", "storage"), ("node", "nodes"), ("metdata", "metadata")])
def test_unknown_command(typed, meant):
    """A command that is none gets the nearest real one's name and exit code 64."""
    result = vstack(typed)
    assert result.returncode == USAGE and result.stdout == ""
    assert typed in result.stderr and re.search(rf"\b{meant}\b", result.stderr)


def test_unknown_flag():
    """A flag that is none gets the nearest real one's name and exit code 64."""
    result = vstack("up", "--port-ofset", "5")
    assert result.returncode == USAGE
    assert "--port-ofset" in result.stderr and "--port-offset" in result.stderr.replace("--port-ofset", "")


@pytest.mark.parametrize(
    "arguments",
    [["up", "--port-offset"], ["up", "--port-offset", "many"], ["up", "--storage-nodes", "0"], ["upload"], ["play"],
     ["play", "not-a-video-id", "--output", "/dev/null"], ["upload", "one", "two"]])
def test_wrong_arguments(arguments):
    """Missing and impossible arguments are told in one sentence, as a usage error."""
    result = vstack(*arguments)
    assert result.returncode == USAGE and result.stdout == ""
    assert result.stderr.strip()


def test_no_command():
    """Without a command it says how it is used."""
    result = vstack()
    assert "help" in result.stdout + result.stderr


@pytest.mark.parametrize("port", [ports.METADATA, ports.STORAGE[-1], ports.WEB])
def test_port_in_use(block, tmp_path, port):
    """A port that is taken is named in one line, within 5 s, with exit code 1."""
    with socket.socket() as taken:
        # An earlier user's closed connections may linger on the port.
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        taken.bind(("127.0.0.1", port + block.offset))
        taken.listen()
        started = time.monotonic()
        result = vstack("up", "--data", tmp_path / "data", "--port-offset", block.offset)
        assert time.monotonic() - started < REFUSAL_SECONDS
    assert result.returncode == 1 and result.stdout == ""
    assert str(port + block.offset) in assert_one_line(result.stderr)


@pytest.mark.parametrize("occupied", ["by a file", "below a file"])
def test_data_folder_unwritable(block, tmp_path, occupied):
    """A data folder that cannot be written is named in one line, within 5 s, with exit code 1."""
    obstacle = tmp_path / "data"
    obstacle.write_text("a file, not a folder")
    folder = obstacle if occupied == "by a file" else obstacle / "below"
    started = time.monotonic()
    result = vstack("up", "--data", folder, "--port-offset", block.offset)
    assert time.monotonic() - started < REFUSAL_SECONDS
    assert result.returncode == 1 and result.stdout == ""
    assert str(folder) in assert_one_line(result.stderr)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_data_folder_read_only(block, tmp_path):
    """A data folder without permission to write is named in one line."""
    tmp_path.chmod(0o500)
    result = vstack("up", "--data", tmp_path / "data", "--port-offset", block.offset)
    assert result.returncode == 1
    assert str(tmp_path) in assert_one_line(result.stderr)


def test_no_ffmpeg(block, tmp_path):
    """Without ffmpeg it says so in one line, and what to install."""
    result = vstack("up", "--data", tmp_path / "data", "--port-offset", block.offset, PATH="/nonexistent")
    assert result.returncode == 1 and result.stdout == ""
    assert "ffmpeg" in assert_one_line(result.stderr)


def test_two_on_one_data_folder(cluster, block):
    """A second system on the same data folder is refused before it harms the first."""
    result = vstack("up", "--data", cluster.data, "--port-offset", block.offset)
    assert result.returncode == 1 and result.stdout == ""
    assert str(cluster.data) in assert_one_line(result.stderr)
    cluster.assert_all_healthy()


def assert_one_line(text: str) -> str:
    """The one line it is; log lines, which are JSON, are not what a person reads and not counted."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("{")]
    assert len(lines) == 1, text
    return lines[0]


def test_ready_line(cluster):
    """The ready line is the only line on stdout, and its address is the web page's."""
    lines = cluster.process.output.read_text().splitlines()
    assert len(lines) == 1 and lines[0].startswith(READY)
    address = re.search(r"http://\S+", lines[0])
    assert address is not None
    answer = requests.get(address[0], timeout=10)
    assert answer.status_code == 200 and "<html" in answer.text.lower()


def test_round_trip(cluster, sample_video, tmp_path):
    """upload, videos, play and verify, in pipes: plain lines, and the film at the end is the film at the start."""
    file = sample_video()
    upload = cluster.command("upload", file, "--title", "Round trip")
    assert upload.returncode == 0, upload.stderr
    assert_plain(upload.stdout)
    video = re.search(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", upload.stdout)
    assert video is not None, upload.stdout

    listed = cluster.command("videos")
    assert listed.returncode == 0 and video[0] in listed.stdout and "Round trip" in listed.stdout

    output = tmp_path / "played.mp4"
    play = cluster.command("play", video[0], "--output", output)
    assert play.returncode == 0, play.stderr
    assert_plain(play.stdout)
    assert videos.packet_count(output) == videos.packet_count(file)
    assert cluster.original_sha256(video[0]) == sha256(file)

    verify = cluster.command("verify")
    assert verify.returncode == 0, verify.stdout + verify.stderr
    assert_plain(verify.stdout)


def assert_plain(text: str) -> None:
    assert text.strip() and "\r" not in text and "\x1b" not in text, repr(text)


def test_nodes_command(cluster):
    """`vstack nodes` lists the storage nodes and how they are."""
    result = cluster.command("nodes")
    assert result.returncode == 0, result.stderr
    assert sum("healthy" in line for line in result.stdout.splitlines()) == 5
    for url in cluster.storage:
        assert url.rsplit(":", 1)[1] in result.stdout


def test_upload_of_nothing(cluster, tmp_path):
    """A file that is not there, or is no video, is told in one line, after the progress, with exit code 1."""
    missing = cluster.command("upload", tmp_path / "missing.mp4", "--title", "Missing")
    assert missing.returncode == 1 and "missing.mp4" in assert_one_line(missing.stderr)
    letter = tmp_path / "letter.mp4"
    letter.write_text("Dear reader,\n" * 100)
    refused = cluster.command("upload", letter, "--title", "Letter")
    assert refused.returncode == 1 and refused.stdout == ""
    lines = refused.stderr.splitlines()
    assert [line for line in lines if line.startswith("vstack: ")] == lines[-1:] and "not a video" in lines[-1]


def test_play_of_nothing(cluster, tmp_path):
    """A video that does not exist is told in one line, and no file is made."""
    output = tmp_path / "played.mp4"
    result = cluster.command("play", "550e8400-e29b-41d4-a716-446655440000", "--output", output)
    assert result.returncode == 1 and "550e8400" in assert_one_line(result.stderr)
    assert list(tmp_path.iterdir()) == []


def test_no_cluster(block):
    """A client command without a cluster says where it looked."""
    result = vstack("videos", VSTACK_HOST="127.0.0.1", VSTACK_PORT_OFFSET=block.offset)
    assert result.returncode == 1
    assert str(ports.METADATA + block.offset) in assert_one_line(result.stderr)


def test_verify_finds_damage(sample_video):
    """`vstack verify` finds a flipped byte, names the chunk, and ends with a code that is not 0."""
    cluster = Cluster()
    try:
        cluster.start()
        video = cluster.store(sample_video())
        assert cluster.command("verify").returncode == 0
        chunk = cluster.manifest(video)["chunks"][0]
        content = requests.get(f"{chunk['replicas'][0]}/chunk/{chunk['chunk_id']}", timeout=10).content
        assert flip_byte_of(content, cluster) == 3
        result = cluster.command("verify")
        assert result.returncode != 0 and chunk["chunk_id"] in result.stdout + result.stderr
    finally:
        cluster.process.kill()
        cluster.remove()


def flip_byte_of(content: bytes, cluster: Cluster) -> int:
    """Damages every copy of the chunk with this content in the nodes' files; how many there were."""
    damaged = 0
    for file in cluster.data.rglob("*.vsb"):
        position = file.read_bytes().find(content)
        if position >= 0:
            with open(file, "r+b") as superblock:
                superblock.seek(position + len(content) // 2)
                superblock.write(bytes([content[len(content) // 2] ^ 0xFF]))
            damaged += 1
    return damaged


@pytest.mark.parametrize("signal_name", ["SIGTERM", "SIGINT"])
def test_ends_cleanly(signal_name, sample_video):
    """A signal ends it with 0 within 10 s, also in the middle of an upload, and what was there is there afterwards."""
    cluster = Cluster()
    try:
        cluster.start()
        file = sample_video()
        video = cluster.store(file)
        cluster.post_video(sample_video(width=1280, height=720, seconds=30, bitrate="4M"))
        assert cluster.process.stop(by=getattr(signal, signal_name)) == 0, cluster.process.tail()
        cluster.start()
        assert cluster.original_sha256(video) == sha256(file)
        cluster.assert_nothing_temporary()
        cluster.stop()
    finally:
        cluster.process.kill()
        cluster.remove()


@pytest.mark.parametrize("role_name", ["metadata", "storage", "uploader", "stream", "web"])
def test_role_by_flags(role, block, tmp_path, role_name):
    """Each role runs on its own, told by flags, and a flag wins over the variable of the same name."""
    port = ports.METADATA + block.offset
    # Each role's own place for files, of those that have one.
    places = {"metadata": "db-path", "storage": "data-dir", "uploader": "temp-dir"}
    place = [f"--{places[role_name]}", str(tmp_path / "own")] if role_name in places else []
    process: Daemon = role(
        role_name, "--port", str(port), *place, PORT=1, DB_PATH="/dev/null/x", DATA_DIR="/dev/null/x",
        TEMP_DIR="/dev/null/x", METADATA_SERVICE_URL="" if role_name == "storage" else "http://127.0.0.1:1",
        UPLOADER_SERVICE_URL="http://127.0.0.1:1", NODE_ID="alone")

    def answers() -> bool:
        assert process.is_running(), process.tail()
        try:
            # A role whose neighbours are missing may say that it is degraded, but it answers.
            return requests.get(f"http://127.0.0.1:{port}/health", timeout=2).status_code in (200, 503)
        except requests.RequestException:
            return False

    wait_for(f"{role_name} to answer", 30, answers)
    assert (tmp_path / "own").exists() == bool(place)
    assert process.stop() == 0


@pytest.mark.parametrize("arguments", [["up", "--log-level", "loud"], ["metadata", "--log-format", "xml"]])
def test_unknown_log_setting(arguments, tmp_path):
    """A level or a form of the log that is not known is named before anything starts."""
    result = vstack(*arguments, DB_PATH=tmp_path / "metadata.db")
    assert result.returncode == 1 and result.stdout == ""
    assert arguments[-1] in assert_one_line(result.stderr)


def test_one_loopback_address(tmp_path, block):
    """All roles find each other where `--host` is an address of this machine that localhost does not mean."""
    folder = tmp_path / "data"
    process = subprocess.Popen(
        [BINARY, "up", "--host", "127.0.0.2", "--data", folder, "--port-offset", str(block.offset)],
        env=environment(), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    try:
        assert process.stdout.readline() == f"V-Stack is ready: http://127.0.0.2:{ports.WEB + block.offset}\n"
    finally:
        process.send_signal(signal.SIGINT)
        assert process.wait(15) == 0


def test_simulator_finds_nothing():
    """`vstack sim` says what it tried, in JSON too, and that it found nothing."""
    result = vstack("sim", "--seed", 1, "--runs", 50, "--jobs", 2)
    assert result.returncode == 0 and result.stdout.startswith("50 runs from seed 1 found nothing:")
    assert "simulating: 100 %" in result.stderr
    report = json.loads(vstack("sim", "--seed", 1, "--runs", 50, "--json").stdout)
    assert report["runs"] == 50 and report["faults"] == "all" and "failure" not in report


def test_simulator_catches_a_mutant():
    """A protocol that is broken on purpose is found out, and the command it names shows the same trace again."""
    result = vstack("sim", "--seed", 1, "--runs", 1000, "--mutant", "ignores-accepted")
    assert result.returncode == 1
    trace, _, verdict = result.stdout.partition("\nfound: ")
    again = shlex.split(verdict.partition("again: ")[2])
    assert again[:2] == ["vstack", "sim"] and "--mutant" in again
    replays = [vstack(*again[1:]) for _ in range(2)]
    assert [replay.returncode for replay in replays] == [1, 1]
    assert {replay.stdout for replay in replays} == {trace}
    assert "acknowledged-survives" in trace.splitlines()[-1] or "one-value" in trace.splitlines()[-1]


def test_simulator_scenario():
    """A scenario is told step by step, with the state of all after each."""
    story = json.loads(vstack("sim", "--scenario", "normal", "--json").stdout)
    assert story["message_count"] == 6 and story["chosen"] == "A"
    assert story["steps"][-1]["acceptors"][0]["accepted_value"] == "A"
    assert "creator → n1" in vstack("sim", "--scenario", "normal").stdout


@pytest.mark.parametrize("arguments", [["--faults", "los"], ["--mutant", "wiped-vote"], ["--scenario", "rival"]])
def test_simulator_unknown_name(arguments):
    """A fault, mutant or scenario that is not there is a usage error that names one that is."""
    result = vstack("sim", *arguments)
    assert result.returncode == USAGE and result.stdout == ""
    assert arguments[1] in assert_one_line(result.stderr)
