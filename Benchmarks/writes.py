"""Durable writes and whole uploads, beside what the disk and ffmpeg alone need."""

import itertools
import random
import subprocess
import time
from pathlib import Path

from Harness.cluster import Cluster
from Harness.daemon import wait_for
from Harness.videos import Clip, sample

from .disk import grouped_writes
from .load import SMALL_WRITERS, WRITERS, small_write_load, write_load
from .measure import Comparison, Sample, Scale, compare
from .nodes import Node

CHUNK_BYTES = 2 * 1024 * 1024
SMALL_BYTES = 4096


def put(cluster: Cluster, folder: Path, scale: Scale) -> Comparison:
    body = random.Random(1).randbytes(CHUNK_BYTES)
    runs = itertools.count()
    return compare(
        f"PUT 2 MiB, durable, {WRITERS} writers", f"fio, one fdatasync for {WRITERS} writes", "chunks/s", "≥ 0.8",
        scale.rounds, lambda: write_load(cluster.storage[1], body, scale.write_chunks, f"bench-put-{next(runs)}"),
        lambda: grouped_writes(folder, CHUNK_BYTES, WRITERS, scale.write_chunks, next(runs)))


def late_put(folder: Path, scale: Scale) -> Comparison:
    """Small chunks on a node that has many, beside the same on new nodes."""
    runs = itertools.count()

    def early() -> Sample:
        with Node(folder / f"new-node-{next(runs)}") as node:
            fill(node, scale.few_chunks)
            return small_write_load(node.url, SMALL_BYTES, scale.load_seconds, "early")

    with Node(folder / "full-node") as full:
        print(f"==> filling a node with {scale.many_chunks:,} chunks", flush=True)
        fill(full, scale.many_chunks)
        return compare(
            f"PUT 4 KiB, durable, {SMALL_WRITERS} writers, from chunk {scale.many_chunks:,} on",
            f"the same from chunk {scale.few_chunks:,} on", "chunks/s", "≥ 0.9", scale.rounds,
            lambda: small_write_load(full.url, SMALL_BYTES, scale.load_seconds, f"late-{next(runs)}"), early)


def fill(node: Node, count: int) -> None:
    runs = itertools.count()
    while (missing := count - node.chunk_count()) > 0:
        # Many writers for many chunks a synchronization.
        small_write_load(node.url, SMALL_BYTES, 1 if missing < 20_000 else 10, f"fill-{next(runs)}", writers=200)


def upload(cluster: Cluster, folder: Path, scale: Scale) -> Comparison:
    seconds = scale.upload_video_seconds
    file = sample(Clip(width=1920, height=1080, seconds=seconds, rate=30, gop=60, bitrate="8M"))
    runs = itertools.count()
    return compare(
        f"POST to completed, {seconds} s of 1080p at 8 Mbit/s", "ffmpeg -c copy, 3 × cp with fsync", "s", "≤ 2",
        scale.rounds, lambda: time_to_completed(cluster, file), lambda: remux_and_copy(file, folder, next(runs)))


def time_to_completed(cluster: Cluster, file: Path) -> Sample:
    begun = time.perf_counter()
    session = cluster.curl_video(file, title="Bench")["upload_session_id"]

    def finished() -> dict | None:
        report = cluster.status(session)
        return report if report["status"] in ("completed", "failed") else None

    report = wait_for("the upload to complete", 300, finished)
    if report["status"] != "completed":
        raise RuntimeError(f"the upload failed: {report['error']}")
    return Sample(time.perf_counter() - begun)


def remux_and_copy(file: Path, folder: Path, run: int) -> Sample:
    """Every round writes new files, as every upload does: memory and blocks that a deleted file has just left behind
    would be several times as fast, and only for the peer."""
    remuxed = folder / f"remuxed-{run}.mp4"
    begun = time.perf_counter()
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-i", file, "-c", "copy", remuxed], check=True)
    for index in range(3):
        subprocess.run(
            ["dd", f"if={remuxed}", f"of={folder / f'copy-{run}-{index}.mp4'}", "bs=2M", "conv=fsync", "status=none"],
            check=True)
    return Sample(time.perf_counter() - begun)
