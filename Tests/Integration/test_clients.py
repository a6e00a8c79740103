"""Players that others wrote: they take a video's playlists and its DASH manifest to the last picture."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from Harness import videos
from Harness.cluster import Cluster
from Harness.daemon import wait_for

TIMEOUT = 30
# Long enough for a machine that builds beside; the encode itself takes seconds.
SECONDS = 240
CLIP_SECONDS = 14
LABELS = ["source", "480p", "360p"]


class Stream:
    """A video whose ladder is complete."""

    def __init__(self, root: str, file: Path) -> None:
        self.master, self.manifest = f"{root}/master.m3u8", f"{root}/manifest.mpd"
        self.root = root
        self.frames = videos.packet_count(file)

    def playlist(self, label: str) -> str:
        return f"{self.root}/{label}/playlist.m3u8"


@pytest.fixture(scope="module")
def stream(sample_video) -> Iterator[Stream]:
    cluster = Cluster(followers=1)
    try:
        cluster.start()
        file = sample_video(width=854, height=480, seconds=CLIP_SECONDS)
        stream = Stream(f"{cluster.streaming}/stream/{cluster.store(file)}", file)
        wait_for("the ladder to be offered", SECONDS, lambda: is_whole(stream))
        yield stream
        cluster.stop()
    finally:
        cluster.process.kill()
        cluster.remove()


def is_whole(stream: Stream) -> bool:
    answer = requests.get(stream.master, timeout=TIMEOUT)
    assert answer.status_code == 200, answer.text
    return all(f"{label}/playlist.m3u8" in answer.text for label in LABELS)


def sound_seconds(source: Path | str) -> float:
    """How long the decoded sound is."""
    result = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-i", str(source), "-map", "0:a:0", "-ac", "1", "-ar", "8000", "-f",
         "s16le", "pipe:1"], capture_output=True, timeout=TIMEOUT)
    assert (result.returncode, result.stderr) == (0, b""), result.stderr
    return len(result.stdout) / 16_000


def assert_whole(stream: Stream, file: Path) -> None:
    """The file that a client wrote has every picture of the video, and its sound."""
    decoded = videos.decode(file)
    assert (decoded.frames, decoded.errors) == (stream.frames, "")
    assert sound_seconds(file) == pytest.approx(CLIP_SECONDS, abs=0.1)


def run(*command: str, folder: Path, **environment: str) -> str:
    """What a client had to say; it must succeed, and has a home of its own."""
    result = subprocess.run(
        command, env=os.environ | {"HOME": str(folder)} | environment, cwd=folder, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=2 * TIMEOUT)
    assert result.returncode == 0, result.stdout[-4000:]
    return result.stdout


def test_ffmpeg_decodes_everything(stream):
    for url in [stream.master, stream.manifest, *map(stream.playlist, LABELS)]:
        decoded = videos.decode(url, TIMEOUT)
        assert (url, decoded.frames, decoded.errors) == (url, stream.frames, "")
    for url in [stream.master, stream.manifest, stream.playlist("source"), stream.playlist("audio")]:
        assert (url, sound_seconds(url)) == (url, pytest.approx(CLIP_SECONDS, abs=0.1))


def test_the_manifest_offers_the_rungs_and_one_sound(stream):
    answer = requests.get(stream.manifest, timeout=TIMEOUT)
    assert answer.headers["Content-Type"] == "application/dash+xml"
    assert re.findall(r'<Representation id="(\w+)"', answer.text) == ["480p", "360p", "audio"]
    streams = videos.probe(stream.manifest)["streams"]
    assert [(one["codec_type"], one.get("height")) for one in streams] == [("video", 480), ("video", 360), ("audio", None)]
    again = requests.get(stream.manifest, headers={"If-None-Match": answer.headers["ETag"]}, timeout=TIMEOUT)
    assert again.status_code == 304


@pytest.mark.parametrize(("form", "choice"), [("master", "b"), ("master", "bv+ba"), ("manifest", "bv+ba")])
def test_yt_dlp(stream, tmp_path, form, choice):
    run(
        sys.executable, "-m", "yt_dlp", "--ignore-config", "--no-cache-dir", "--format", choice, "--output",
        "video.mp4", getattr(stream, form), folder=tmp_path)
    assert_whole(stream, tmp_path / "video.mp4")


@pytest.mark.parametrize(("form", "quality"), [("master", "best"), ("master", "worst"), ("manifest", "best")])
def test_streamlink(stream, tmp_path, form, quality):
    url = ("dash://" if form == "manifest" else "hls://") + getattr(stream, form)
    run(
        sys.executable, "-m", "streamlink", "--no-config", "--ffmpeg-fout", "matroska", "--output", "video.mkv", url,
        quality, folder=tmp_path)
    assert_whole(stream, tmp_path / "video.mkv")


# Small pictures and telephone sound, written as fast as they come.
PICTURE_BYTES = 16 * 16
PICTURES = "videoconvert ! videoscale ! video/x-raw,format=GRAY8,width=16,height=16 ! filesink location=pictures"
SOUND = "audioconvert ! audioresample ! audio/x-raw,format=S16LE,rate=8000,channels=1 ! filesink location=sound"


@pytest.mark.parametrize(
    ("asset", "demuxer"),
    [("manifest.mpd", "dashdemux2"), ("480p/playlist.m3u8", "hlsdemux2"), ("source/playlist.m3u8", "hlsdemux2")])
def test_gstreamer(stream, tmp_path, asset, demuxer):
    # The master playlist is left out: GStreamer 1.22 crashes where one variant's sound is in it and another's is not.
    output = run(
        "gst-launch-1.0", "-v", "playbin3", f"uri={stream.root}/{asset}", f"video-sink={PICTURES}",
        f"audio-sink={SOUND}", folder=tmp_path, GST_REGISTRY=str(tmp_path / "registry"))
    assert "Got EOS from element" in output and demuxer in output, output[-4000:]
    assert (tmp_path / "pictures").stat().st_size == stream.frames * PICTURE_BYTES
    if asset != "480p/playlist.m3u8":
        assert (tmp_path / "sound").stat().st_size / 16_000 == pytest.approx(CLIP_SECONDS, abs=0.1)
