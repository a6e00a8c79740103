"""Sample videos, made by ffmpeg once and kept; and what ffprobe and ffmpeg say about a video."""

import fcntl
import hashlib
import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / ".build/samples"


@dataclass(frozen=True)
class Clip:
    """A sample to be made. The same description always gives the same picture and sound."""

    width: int = 320
    height: int = 180
    seconds: float = 4
    rate: int = 25
    codec: str = "libx264"
    pixels: str = "yuv420p"
    # Bits a second, such as "8M"; the encoder's own choice without.
    bitrate: str | None = None
    gop: int = 50
    bframes: int = 2
    # "aac", "libopus" …, or None for a silent film.
    audio: str | None = "aac"
    container: str = "mp4"
    # Put between the test picture and the encoder.
    filters: str = ""
    # Added before the output's name.
    extra: tuple[str, ...] = ()

    def command(self, output: Path) -> list[str]:
        picture = f"testsrc2=size={self.width}x{self.height}:rate={self.rate}:duration={self.seconds}"
        if self.bitrate:
            # Noise, or the test picture would not need the bits.
            picture += ",noise=alls=20:allf=t"
        command = ["ffmpeg", "-nostdin", "-v", "error", "-y", "-f", "lavfi", "-i", picture]
        if self.audio:
            command += ["-f", "lavfi", "-i", f"sine=frequency=440:sample_rate=44100:duration={self.seconds}"]
        if self.filters:
            command += ["-vf", self.filters]
        command += ["-c:v", self.codec, "-pix_fmt", self.pixels, "-g", str(self.gop)]
        if self.codec in ("libx264", "libx265"):
            command += ["-preset", "ultrafast", "-bf", str(self.bframes)]
        if self.bitrate:
            command += ["-b:v", self.bitrate, "-maxrate", self.bitrate, "-bufsize", self.bitrate]
        command += ["-c:a", self.audio, "-b:a", "128k"] if self.audio else ["-an"]
        return [*command, *self.extra, str(output)]


def sample(clip: Clip) -> Path:
    """The clip's file, made now unless an earlier test, worker or run has made it. It must not be changed."""
    key = hashlib.sha256(repr(clip.command(Path("-"))).encode()).hexdigest()[:16]
    file = FOLDER / f"{key}.{clip.container}"
    FOLDER.mkdir(parents=True, exist_ok=True)
    with open(FOLDER / f"{key}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not file.exists():
            unfinished = FOLDER / f"{key}.unfinished.{clip.container}"
            subprocess.run(clip.command(unfinished), check=True, timeout=240)
            os.replace(unfinished, file)
    return file


def probe(source: Path | str) -> dict:
    """ffprobe's view of format and streams."""
    return json.loads(_output("ffprobe", "-v", "error", "-show_format", "-show_streams", "-of", "json", str(source)))


def stream(source: Path | str, kind: str) -> dict | None:
    """The first `video` or `audio` stream, or None."""
    return next((stream for stream in probe(source)["streams"] if stream["codec_type"] == kind), None)


def codecs(source: Path | str) -> list[str]:
    return sorted(stream["codec_name"] for stream in probe(source)["streams"])


def packet_count(source: Path | str, kind: str = "v") -> int:
    """How many packets (of video: frames) the file has, counted and not taken from a header."""
    return int(
        _output(
            "ffprobe", "-v", "error", "-select_streams", f"{kind}:0", "-count_packets", "-show_entries",
            "stream=nb_read_packets", "-of", "csv=p=0", str(source)).split(",")[0].split()[0])


def warnings(source: Path | str) -> str:
    """What ffprobe has to complain about after reading every packet; empty for a sound file."""
    result = subprocess.run(
        ["ffprobe", "-v", "warning", "-count_packets", "-show_entries", "stream=nb_read_packets", "-of", "csv",
         str(source)], capture_output=True, text=True, timeout=120)
    return result.stderr.strip()


@dataclass
class Decoded:
    frames: int
    errors: str


def decode(source: Path | str, seconds: float = 240) -> Decoded:
    """Decodes picture and sound to the end: how many frames came out, and what ffmpeg had to say."""
    result = subprocess.run(
        ["ffmpeg", "-nostdin", "-v", "error", "-progress", "pipe:1", "-i", str(source), "-vsync", "passthrough", "-f",
         "null", "-"], capture_output=True, text=True, timeout=seconds)
    frames = [int(line.removeprefix("frame=")) for line in result.stdout.splitlines() if line.startswith("frame=")]
    assert result.returncode == 0, result.stderr
    return Decoded(frames[-1] if frames else 0, result.stderr.strip())


def shown_size(source: Path | str) -> tuple[int, int]:
    """Width and height as a player shows them: turned when the file says so."""
    video = stream(source, "video")
    assert video is not None, f"{source} has no video stream"
    turns = [abs(int(data.get("rotation", 0))) for data in video.get("side_data_list", [])]
    size = (video["width"], video["height"])
    return size[::-1] if any(turn % 180 == 90 for turn in turns) else size


def _output(*command: str) -> str:
    result = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert result.returncode == 0, f"{' '.join(command)}: {result.stderr}"
    return result.stdout
