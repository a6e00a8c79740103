"""The whole ladder of a video, made by our units of work and by one ffmpeg for each rung."""

import json
import os
import re
import resource
import subprocess
import tempfile
from functools import cached_property
from pathlib import Path

from .measure import Comparison, Sample, Scale

ROOT = Path(__file__).resolve().parent.parent

# Label, size, and thousands of bits a second: video, its peak, its buffer, sound.
RUNGS = [
    ("1080p", 1920, 1080, 5800, 6400, 9600, 192), ("720p", 1280, 720, 3500, 3900, 5800, 160),
    ("480p", 854, 480, 1600, 1900, 3000, 128), ("360p", 640, 360, 900, 1100, 2200, 96),
]
# What is filmed repeats after this; encoders remember less.
LOOP_SECONDS = 20


class Ladder:
    """Both sides have made their rungs once when the first comparison is asked for."""

    def __init__(self, folder: Path, scale: Scale):
        self.folder, self.seconds, self.height = folder, scale.ladder_video_seconds, scale.ladder_video_height
        self.rungs = [rung for rung in RUNGS if rung[2] <= self.height]
        self.binary = Path(os.environ.get("LADDER_BENCH_BINARY", ROOT / ".build/release/ladder-bench"))

    def processor(self) -> Comparison:
        ours, theirs = self.ours["encode_processor_seconds"], sum(self.theirs.values())
        print(f"    {ours:.1f} s beside {theirs:.1f} s; checking it all took "
              f"{self.ours['verify_processor_seconds']:.1f} s more", flush=True)
        return self.comparison("what a ladder takes of the processor", "s", "≤ 0.80", ours, theirs)

    def likeness(self) -> Comparison:
        """Of the rung that is worst off."""
        pairs = []
        for rung in self.rungs:
            pair = tuple(self.ssim(side / f"{rung[0]}.mp4", rung) for side in [self.our_folder, self.their_folder])
            print(f"    {rung[0]}: SSIM {pair[0]:.4f} beside {pair[1]:.4f}", flush=True)
            pairs.append(pair)
        return self.comparison(
            "SSIM of the rung that is worst off", "", "≥ 0.995", *min(pairs, key=lambda pair: pair[0] - pair[1]))

    def size(self) -> Comparison:
        """Of the rung whose size differs most; the picture alone."""
        pairs = []
        for rung in self.rungs:
            pair = tuple(picture_bytes(side / f"{rung[0]}.mp4") for side in [self.our_folder, self.their_folder])
            print(f"    {rung[0]}: {pair[0]:,} bytes beside {pair[1]:,}", flush=True)
            pairs.append(pair)
        worst = max(pairs, key=lambda pair: abs(pair[0] / pair[1] - 1))
        return self.comparison("bytes of the rung that differs most", "bytes", "0.95–1.05", *worst)

    @staticmethod
    def comparison(name: str, unit: str, wanted: str, ours: float, theirs: float) -> Comparison:
        return Comparison(name, "ffmpeg, a run for each rung", unit, wanted, [Sample(ours)], [Sample(theirs)])

    @cached_property
    def our_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    @cached_property
    def their_folder(self) -> Path:
        return Path(tempfile.mkdtemp(dir=self.folder))

    @cached_property
    def ours(self) -> dict:
        command = [str(self.binary), str(self.source), str(self.our_folder), "0"]
        return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)

    @cached_property
    def theirs(self) -> dict[str, float]:
        """Seconds of the processor by rung: x264's preset is ours, every other choice ffmpeg's own."""
        return {rung[0]: self.their_rung(rung) for rung in self.rungs}

    def their_rung(self, rung: tuple) -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        encode_rung(self.source, self.their_folder / f"{rung[0]}.mp4", rung)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    def ssim(self, file: Path, rung: tuple) -> float:
        """How like the source, scaled to the rung's size; picture by picture."""
        result = subprocess.run(
            ["ffmpeg", "-nostdin", "-hide_banner", "-i", file, "-i", self.source, "-lavfi",
             f"[0:v]settb=1/30,setpts=N[a];[1:v]scale={rung[1]}:{rung[2]},settb=1/30,setpts=N[b];[a][b]ssim",
             "-f", "null", "-"],
            check=True, capture_output=True, text=True)
        return float(re.search(r"SSIM.*All:([0-9.]+)", result.stderr)[1])

    @cached_property
    def source(self) -> Path:
        return self.film(self.seconds)

    def film(self, seconds: int) -> Path:
        """The loop for so long. The sound is as long as the whole, lest each turn of the loop begin late."""
        film = self.folder / f"film-{seconds}.mp4"
        ffmpeg(
            "-stream_loop", "-1", "-i", self.loop,
            *lavfi("anoisesrc=seed=9:color=pink:amplitude=0.2:sample_rate=48000"), "-t", seconds,
            "-frames:v", 30 * seconds, "-c:v", "copy", "-c:a", "aac", "-ac", "2", "-b:a", "160k", film)
        return film

    @cached_property
    def loop(self) -> Path:
        """Of natural complexity: a textured ground that is panned over, slow and fast things before it, changing light,
        and the noise of a sensor. Every source of chance has a seed."""
        print("==> filming", flush=True)
        texture, loop = self.folder / "texture.png", self.folder / "loop.mp4"
        width, height = self.height * 16 // 9, self.height
        ffmpeg(
            *lavfi("color=gray:s=32x18", "color=gray:s=160x90", "color=gray:s=640x360", "color=gray:s=2560x1440"),
            "-filter_complex",
            "[0]noise=alls=100:all_seed=11,scale=2560:1440[a];[1]noise=alls=90:all_seed=12,scale=2560:1440[b];"
            "[2]noise=alls=60:all_seed=13,scale=2560:1440[c];[3]noise=alls=25:all_seed=14,gblur=1.5[d];"
            "[a][b][c][d]mix=inputs=4:weights='5 3 2 1.5',eq=contrast=2.6,hue=s=3",
            "-frames:v", "1", "-pix_fmt", "yuv444p", texture)
        ffmpeg(
            "-loop", "1", "-framerate", "30", "-i", texture,
            *lavfi(
                "mandelbrot=s=480x270:rate=30", "testsrc2=s=400x224:rate=30",
                "life=s=240x136:rate=15:seed=5:mold=8:life_color=#c08040:death_color=#203050",
                "gradients=s=1920x1080:seed=3:speed=0.02:rate=30"),
            "-filter_complex",
            "[0]crop=1920:1080:x='320+310*sin(t*0.7)':y='180+170*sin(t*0.43)',format=yuv420p[ground];"
            "[4]format=yuv420p[light];[ground][light]blend=all_mode=softlight:all_opacity=0.6[lit];"
            "[1]scale=640:360,format=yuv420p[slow];"
            "[lit][slow]overlay=x='640+600*sin(t*0.31)':y='300+250*cos(t*0.23)'[one];"
            "[2]format=yuv420p[fast];[one][fast]overlay=x='mod(t*90,1500)':y=760[two];"
            "[3]fps=30,scale=360:204,format=yuv420p[crowd];[two][crowd]overlay=x=1480:y=80,"
            f"hue=h='floor(t/7)*50',noise=alls=4:all_seed=21:allf=t,scale={width}:{height},format=yuv420p[v]",
            "-map", "[v]", "-t", min(LOOP_SECONDS, self.seconds), "-c:v", "libx264", "-preset", "veryfast",
            "-crf", "22", "-g", "60", "-bf", "2", loop)
        return loop


def encode_rung(source: Path, output: Path, rung: tuple, *more) -> None:
    _, width, height, rate, peak, buffer, sound = rung
    ffmpeg(
        "-i", source, "-vf", f"scale={width}:{height}", "-c:v", "libx264", "-preset", "veryfast", "-profile:v", "main",
        "-b:v", f"{rate}k", "-maxrate", f"{peak}k", "-bufsize", f"{buffer}k", "-g", "60", "-keyint_min", "60",
        "-sc_threshold", "0", "-c:a", "aac", "-ac", "2", "-b:a", f"{sound}k", *more, output)


def lavfi(*sources: str) -> list[str]:
    return [word for source in sources for word in ["-f", "lavfi", "-i", source]]


def ffmpeg(*arguments) -> None:
    subprocess.run(["ffmpeg", "-y", "-nostdin", "-v", "error", *map(str, arguments)], check=True)


def picture_bytes(file: Path) -> int:
    result = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v", "-show_entries", "packet=size", "-of", "csv=p=0", file],
        check=True, capture_output=True, text=True)
    return sum(int(line.strip(",")) for line in result.stdout.split())
