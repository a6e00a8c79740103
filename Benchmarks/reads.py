"""Reads, beside nginx serving the same bytes."""

import random

import requests

from Harness.cluster import Cluster
from Harness.videos import Clip, sample

from .load import read_load
from .measure import Comparison, Scale, compare
from .nginx import Nginx

CHUNK_BYTES = 2 * 1024 * 1024
SMALL_BYTES = 2048
# Together more than the processor's caches hold, and far less than memory.
CHUNK_COUNT = 64


def stored_on_both(cluster: Cluster, nginx: Nginx, name: str, size: int) -> tuple[str, str]:
    """The same bytes on the first storage node and in nginx's folder: their two addresses."""
    content = random.Random(name).randbytes(size)
    url = f"{cluster.storage[0]}/chunk/{name}"
    answer = requests.put(url, data=content, timeout=30)
    answer.raise_for_status()
    return url, nginx.add(name, content)


def chunk(cluster: Cluster, nginx: Nginx, scale: Scale) -> Comparison:
    pairs = [stored_on_both(cluster, nginx, f"bench-{index}", CHUNK_BYTES) for index in range(CHUNK_COUNT)]
    ours, theirs = ([pair[side] for pair in pairs] for side in (0, 1))
    return compare(
        "GET a 2 MiB chunk", "nginx, sendfile", "requests/s", "≥ 1.5", scale.rounds,
        lambda: read_load(ours, scale.load_seconds), lambda: read_load(theirs, scale.load_seconds))


def small_chunk(cluster: Cluster, nginx: Nginx, scale: Scale) -> Comparison:
    ours, theirs = stored_on_both(cluster, nginx, "bench-small", SMALL_BYTES)
    return compare(
        "GET a 2 KiB chunk", "nginx, sendfile", "requests/s", "≥ 0.9", scale.rounds,
        lambda: read_load([ours], scale.load_seconds), lambda: read_load([theirs], scale.load_seconds))


def ping(cluster: Cluster, nginx: Nginx, scale: Scale) -> Comparison:
    return compare(
        "HEAD /ping", "nginx, the same headers", "requests/s", "≥ 0.9", scale.rounds,
        lambda: read_load([f"{cluster.storage[0]}/ping"], scale.load_seconds, "HEAD"),
        lambda: read_load([f"{nginx.url}/ping"], scale.load_seconds, "HEAD"))


def manifest(cluster: Cluster, nginx: Nginx, scale: Scale) -> Comparison:
    # One chunk for every 10 s: few bytes, many chunks.
    film = sample(Clip(width=160, height=90, seconds=scale.manifest_video_seconds, rate=5, gop=50, audio=None))
    video = cluster.store(film, title="Many chunks")
    ours = f"{cluster.metadata}/manifest/{video}"
    answer = requests.get(ours, timeout=30)
    answer.raise_for_status()
    theirs = nginx.add("manifest.json", answer.content)
    return compare(
        f"GET /manifest of {answer.json()['total_chunks']} chunks", "nginx, the same JSON", "requests/s", "≥ 0.5",
        scale.rounds, lambda: read_load([ours], scale.load_seconds), lambda: read_load([theirs], scale.load_seconds))
