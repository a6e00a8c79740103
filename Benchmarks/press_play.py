"""How soon after its upload a long film can be watched: the source itself, and the ladder's lowest rung."""

import http.client
import json
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from urllib.parse import urlsplit

import requests

from Harness.cluster import SeparateCluster

from .ladder import Ladder, encode_rung, ffmpeg
from .measure import Comparison, Sample, Scale

BOUNDARY = "a-boundary-of-the-benchmark"
# A film that cannot be played after this is not going on.
SECONDS_MAX = 900


@dataclass(frozen=True)
class Moments:
    """Seconds from when the last byte of the upload had been sent."""

    answered: float
    source: float
    lowest_rung: float
    completed: float


class PressPlay:
    """Both comparisons are of one run, in a system with a process for each role and one follower."""

    def __init__(self, folder: Path, ladder: Ladder, scale: Scale) -> None:
        self._folder, self._ladder, self._scale = folder, ladder, scale

    def source(self) -> Comparison:
        """The peer publishes what is remuxed when all of it is."""
        print("    " + ", ".join(f"{name} {value:.2f} s" for name, value in vars(self._moments).items()), flush=True)
        return Comparison(
            f"from the upload's end to the first segment, {self._film_text}", "ffmpeg -c copy, then publish", "s", "≤ 2 s",
            [Sample(self._moments.source)], [Sample(self._remux_seconds())])

    def lowest_rung(self) -> Comparison:
        part = self._scale.peer_ladder_seconds
        return Comparison(
            "the same to the first segment of the lowest rung", f"ffmpeg, all rungs of the first {part} s, then publish",
            "s", "≤ 4 s", [Sample(self._moments.lowest_rung)], [Sample(self._ladder_seconds(part))])

    @property
    def _film_text(self) -> str:
        return f"{self._scale.pressed_video_seconds} s of {self._ladder.height}p, {self._film.stat().st_size / 1e6:,.0f} MB"

    @cached_property
    def _film(self) -> Path:
        return self._ladder.film(self._scale.pressed_video_seconds)

    @cached_property
    def _moments(self) -> Moments:
        cluster = SeparateCluster(followers=1, LOG_LEVEL="warning", FFMPEG_THREADS=0)
        try:
            cluster.start()
            ended, answer = upload(cluster.uploader, self._film)
            answered = time.perf_counter() - ended
            stream = f"{cluster.streaming}/stream/{answer['video_id']}"
            source = until_served(f"{stream}/source/segment-00000.m4s") - ended
            lowest = until_served(f"{stream}/{self._ladder.rungs[-1][0]}/segment-00000.m4s") - ended
            while cluster.status(answer["upload_session_id"])["status"] != "completed":
                time.sleep(0.05)
            return Moments(answered, source, lowest, time.perf_counter() - ended)
        finally:
            cluster.kill_all()
            cluster.remove()

    def _remux_seconds(self) -> float:
        begun = time.perf_counter()
        ffmpeg("-i", self._film, "-c", "copy", self._folder / "pressed.mp4")
        return time.perf_counter() - begun

    def _ladder_seconds(self, part: int) -> float:
        """One after the other, each with all the machine's processors."""
        begun = time.perf_counter()
        for rung in self._ladder.rungs:
            encode_rung(self._film, self._folder / f"pressed-{rung[0]}.mp4", rung, "-t", part)
        return time.perf_counter() - begun


def upload(url: str, file: Path) -> tuple[float, dict]:
    """When the last byte had been sent, and the answer."""
    address = urlsplit(url)
    head = (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nPress play\r\n"
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"video\"; filename=\"{file.name}\"\r\n"
        "Content-Type: video/mp4\r\n\r\n").encode()
    tail = f"\r\n--{BOUNDARY}--\r\n".encode()
    connection = http.client.HTTPConnection(address.hostname, address.port, timeout=SECONDS_MAX)
    connection.putrequest("POST", "/upload")
    connection.putheader("Content-Type", f"multipart/form-data; boundary={BOUNDARY}")
    connection.putheader("Content-Length", str(len(head) + file.stat().st_size + len(tail)))
    connection.endheaders(head)
    with open(file, "rb") as film:
        connection.sock.sendfile(film)
    connection.send(tail)
    ended = time.perf_counter()
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    if answer.status != 202:
        raise RuntimeError(f"the upload was answered with {answer.status}: {body!r}")
    return ended, json.loads(body)


def until_served(url: str) -> float:
    """When the whole of it had come for the first time."""
    deadline = time.monotonic() + SECONDS_MAX
    with requests.Session() as session:
        while session.get(url, timeout=30).status_code != 200:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url} was not there after {SECONDS_MAX} s")
            time.sleep(0.02)
    return time.perf_counter()
