"""Large uploads in bounded memory."""

import os
import shutil
import struct
from pathlib import Path

import pytest

from Harness.cluster import SeparateCluster

MEBIBYTE = 1024 * 1024
RESIDENT_BYTES_MAX = 150 * MEBIBYTE


def padded(video: Path, size: int, to: Path) -> Path:
    """The video grown to `size` bytes by a `free` box of zeros, which takes no space on disk: still a valid mp4."""
    shutil.copyfile(video, to)
    length = size - video.stat().st_size
    with open(to, "ab") as file:
        file.write(struct.pack(">I4sQ", 1, b"free", length))
    os.truncate(to, size)
    return to


def upload_in_bounded_memory(cluster: SeparateCluster, file: Path, seconds: float) -> None:
    uploader = cluster.processes["uploader"]
    answer = cluster.curl_video(file, title="Large", timeout=seconds)
    report = cluster.outcome(answer["upload_session_id"], seconds)
    assert report["status"] == "completed", report
    peak = uploader.peak_resident_bytes()
    assert peak < RESIDENT_BYTES_MAX, f"the uploader had {peak / MEBIBYTE:.0f} MiB resident"
    # Three copies were really made of it.
    stored = sum(path.stat().st_blocks * 512 for path in cluster.data.rglob("*.vsb"))
    assert stored >= 3 * file.stat().st_size
    cluster.assert_nothing_temporary()


def test_300_megabytes(separate_cluster, sample_video, tmp_path):
    """300 MB go through the uploader in under 150 MB of memory."""
    file = padded(sample_video(), 300_000_000, tmp_path / "large.mp4")
    upload_in_bounded_memory(separate_cluster(), file, 120)


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_5_gigabytes(separate_cluster, sample_video, tmp_path):
    """5 GB go through the uploader in under 150 MB of memory."""
    file = padded(sample_video(), 5_000_000_000, tmp_path / "large.mp4")
    upload_in_bounded_memory(separate_cluster(), file, 1800)
