"""What bad input gets: the right refusal, nothing left behind, nothing lost, the service alive."""

import json
import subprocess
from pathlib import Path

import pytest
import requests

from Harness import raw, videos
from Harness.client import sha256
from Harness.cluster import Cluster

BOUNDARY = "the-boundary"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


@pytest.fixture(scope="module")
def resident(cluster, sample_video) -> tuple[str, str]:
    """A video that was there before all the bad input, and its checksum."""
    file = sample_video(seconds=2)
    return cluster.store(file, title="Resident"), sha256(file)


@pytest.fixture(autouse=True)
def unharmed(cluster, resident):
    """Whatever a test does: afterwards all roles answer, no temporary file is left, the resident is intact."""
    yield
    cluster.assert_all_healthy()
    cluster.assert_nothing_temporary()
    video, checksum = resident
    assert cluster.original_sha256(video) == checksum


def detail(answer: requests.Response) -> str:
    """The sentence of an error; fails when there is none, or when it tells the server's paths."""
    sentence = answer.json()["detail"]
    assert isinstance(sentence, str) and len(sentence) > 10
    assert "/tmp" not in sentence and "/data/" not in sentence, f"a path of the server in: {sentence}"
    return sentence


def refused_or_failed(cluster: Cluster, file: Path, filename: str | None = None) -> str:
    """Uploads what cannot become a video; the sentence that says so, from a 400 or from the status."""
    answer = cluster.post_video(file, filename=filename)
    if answer.status_code == 400:
        return detail(answer)
    assert answer.status_code == 202, answer.text
    report = cluster.outcome(answer.json()["upload_session_id"])
    assert report["status"] == "failed", report
    assert report["error"] and "/data/" not in report["error"], report
    return report["error"]


def refused(cluster: Cluster, file: Path, filename: str | None = None) -> str:
    answer = cluster.post_video(file, filename=filename)
    assert answer.status_code == 400, f"{answer.status_code}: {answer.text}"
    return detail(answer)


def plays(cluster: Cluster, video: str, frames: int, tmp_path: Path) -> Path:
    """Holds the video to what every completed one must give; the concatenated file."""
    file = cluster.concatenate(video, tmp_path / "chunks.mp4")
    assert videos.warnings(file) == ""
    assert videos.stream(file, "video")["codec_name"] == "h264"
    assert videos.stream(file, "video")["pix_fmt"] in ("yuv420p", "yuvj420p")
    assert videos.packet_count(file) == frames
    decoded = videos.decode(cluster.playlist_url(video))
    assert (decoded.frames, decoded.errors) == (frames, "")
    return file


# Files that are no videos


def test_text_named_mp4(cluster, tmp_path):
    """Text under the name of a video is refused."""
    file = tmp_path / "video.mp4"
    file.write_text("This is a letter, not a film.\n" * 1000)
    refused(cluster, file)


def test_empty_file(cluster, tmp_path):
    """An empty file is refused."""
    file = tmp_path / "empty.mp4"
    file.touch()
    refused(cluster, file)


def test_random_bytes(cluster, tmp_path):
    """Bytes without a form are refused."""
    file = tmp_path / "noise.mp4"
    file.write_bytes(bytes(range(256)) * 4096)
    refused(cluster, file)


def test_truncated_without_index(cluster, sample_video, tmp_path):
    """An mp4 that lost its end, and with it its index, is refused."""
    whole = sample_video(seconds=8).read_bytes()
    file = tmp_path / "truncated.mp4"
    file.write_bytes(whole[:len(whole) // 2])
    refused(cluster, file)


def test_truncated_with_index(cluster, sample_video, tmp_path):
    """An mp4 that says it is longer than it is does not become a shorter film in silence."""
    whole = sample_video(seconds=8, extra=("-movflags", "+faststart")).read_bytes()
    file = tmp_path / "truncated.mp4"
    file.write_bytes(whole[:len(whole) // 2])
    refused_or_failed(cluster, file)


def test_audio_only(cluster, tmp_path):
    """Sound without a picture is refused, in words that say what is missing."""
    file = tmp_path / "sound.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-f", "lavfi", "-i", "sine=duration=2", "-c:a", "aac", str(file)], check=True)
    assert "video" in refused(cluster, file).lower()


def test_zero_duration(cluster, sample_video, tmp_path):
    """A video track without a frame is refused or fails, in words."""
    fragmented = sample_video(extra=("-movflags", "empty_moov+frag_keyframe+default_base_moof")).read_bytes()
    file = tmp_path / "zero.mp4"
    # Four bytes before the first fragment's name is where it begins; before it are only the tracks' descriptions.
    file.write_bytes(fragmented[:fragmented.index(b"moof") - 4])
    assert videos.codecs(file) == ["aac", "h264"] and "duration" not in videos.probe(file)["format"]
    refused_or_failed(cluster, file)


def test_unsupported_name(cluster, tmp_path):
    """A document is refused by what it is, whatever it calls itself."""
    file = tmp_path / "report.pdf"
    file.write_bytes(b"%PDF-1.7\n" + b"x" * 5000)
    refused(cluster, file)


# Unusual videos that must play


def test_odd_dimensions(cluster, sample_video, tmp_path):
    """A video of odd width and height plays."""
    file = sample_video(
        filters="scale=321:181", codec="libvpx-vp9", container="webm", audio="libopus",
        extra=("-deadline", "realtime", "-cpu-used", "8"))
    assert videos.shown_size(file) == (321, 181)
    video = cluster.store(file)
    width, height = videos.shown_size(plays(cluster, video, 100, tmp_path))
    assert width % 2 == 0 and height % 2 == 0
    assert abs(width - 321) <= 1 and abs(height - 181) <= 1


def test_rotated(cluster, sample_video, tmp_path):
    """A phone's upright video, stored lying with a note to turn it, is shown upright."""
    file = tmp_path / "phone.mp4"
    subprocess.run(
        ["ffmpeg", "-v", "error", "-i", str(sample_video()), "-c", "copy", "-metadata:s:v:0", "rotate=90", str(file)],
        check=True)
    assert videos.shown_size(file) == (180, 320)
    video = cluster.store(file)
    assert videos.shown_size(plays(cluster, video, 100, tmp_path)) == (180, 320)


def test_variable_frame_rate(cluster, sample_video, tmp_path):
    """A video whose frames come at uneven times keeps every one of them."""
    file = sample_video(filters="select='lt(t,2)+not(mod(n,3))'", extra=("-vsync", "vfr"))
    frames = videos.packet_count(file)
    assert 50 < frames < 100
    plays(cluster, cluster.store(file), frames, tmp_path)


def test_hevc_10_bit(cluster, sample_video, tmp_path):
    """10-bit HEVC, which browsers do not all play, becomes 8-bit H.264."""
    file = sample_video(codec="libx265", pixels="yuv420p10le", extra=("-x265-params", "log-level=none"))
    plays(cluster, cluster.store(file), 100, tmp_path)


def test_no_audio(cluster, sample_video, tmp_path):
    """A silent film plays, and stays silent."""
    file = plays(cluster, cluster.store(sample_video(audio=None)), 100, tmp_path)
    assert videos.codecs(file) == ["h264"]


# Fields


def test_title_too_long(cluster, sample_video):
    """A title of 10,000 characters is refused, and the sentence says that it is the title."""
    answer = cluster.post_video(sample_video(), title="x" * 10_000)
    assert answer.status_code == 400 and "title" in detail(answer).lower()
    answer = requests.post(f"{cluster.metadata}/video", json={"title": "x" * 10_000}, timeout=10)
    assert answer.status_code == 400 and "title" in detail(answer).lower()


@pytest.mark.parametrize("title", ["<script>alert(1)</script>", "\"quoted\" & 'more' \\ /", "Ünïcödé ☃ 🎬"])
def test_title_kept_verbatim(cluster, sample_video, title):
    """A title is text: kept as it is, and never taken for markup."""
    video = cluster.store(sample_video(seconds=1), title=title)
    assert cluster.manifest(video)["title"] == title
    listed = requests.get(f"{cluster.metadata}/videos", params={"limit": 1000}, timeout=10)
    assert title in [entry["title"] for entry in listed.json()]
    assert listed.headers["Content-Type"].startswith("application/json")


def test_missing_fields(cluster, sample_video):
    """An upload without a file, without a title or without anything says what is missing."""
    for fields in ({"title": (None, "No file")}, {"other": (None, "x")}):
        answer = requests.post(f"{cluster.uploader}/upload", files=fields, timeout=10)
        assert answer.status_code == 400 and "video" in detail(answer)
    with open(sample_video(), "rb") as file:
        answer = requests.post(f"{cluster.uploader}/upload", files={"video": ("v.mp4", file)}, timeout=10)
    assert answer.status_code == 400 and "title" in detail(answer)


# Paths


@pytest.mark.parametrize(
    "path",
    ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%2e%2e%2f%2e%2e%2fetc%2fpasswd", "..", "%2e%2e", "a%00b", "a%2fb",
     "..%5c..%5cwindows", "x" * 65, "a.b", "a%20b", "%ff%fe", "ünï"],
)
@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_chunk_ids_that_are_paths(cluster, method, path):
    """A chunk id that could be a path, or is no id, is refused, and no file of the machine is touched."""
    body = b"evil" if method == "PUT" else b""
    headers = {"Content-Length": len(body), "Connection": "close"}
    answer = raw.exchange(cluster.storage[0], raw.head(method, f"/chunk/{path}", headers) + body)
    assert answer is not None
    # Where a segment more or less makes it another path altogether, that path is unknown.
    assert answer.status in ((400, 404) if "/" in path or path.replace("%2e", ".") == ".." else (400,)), answer
    assert b"root:" not in answer.body
    if method != "HEAD":
        assert json.loads(answer.body)["detail"]


@pytest.mark.parametrize("path", ["/manifest/%s", "/video/%s", "/video/%s/layout", "/consensus/%s", "/chunk/%s/fragments"])
@pytest.mark.parametrize("identity", ["..%2f..%2fetc%2fpasswd", "not-an-id!", "%00"])
def test_metadata_ids(cluster, path, identity):
    """The metadata service refuses what is no id."""
    answer = raw.exchange(cluster.metadata, raw.head("GET", path % identity, {"Connection": "close"}))
    assert answer is not None and answer.status in (400, 404)
    assert json.loads(answer.body)["detail"]


@pytest.mark.parametrize("path", ["..%2f..%2f..%2fetc%2fpasswd", "%2e%2e/%2e%2e/etc/passwd", "../../../etc/passwd"])
def test_web_paths(cluster, path):
    """The web page's server serves its own files only."""
    answer = raw.exchange(cluster.web, raw.head("GET", f"/{path}", {"Connection": "close"}))
    assert answer is not None and answer.status in (400, 404)
    assert b"root:" not in answer.body


# Bodies


@pytest.mark.parametrize("body", [b'{"title": ', b"", b"[]", b'{"title": 5}', b'{"duration_sec": 1}', b"\xff\xfe", b'{"title": "\xc3("}'])
def test_malformed_json(cluster, body):
    """JSON that is none, or not what is asked for, is 400 with a reason."""
    answer = requests.post(
        f"{cluster.metadata}/video", data=body, headers={"Content-Type": "application/json"}, timeout=10)
    assert answer.status_code == 400, answer.text
    detail(answer)


def test_deeply_nested_json(cluster):
    """A hundred thousand brackets are refused, not followed."""
    answer = requests.post(
        f"{cluster.metadata}/video", data=b"[" * 100_000, headers={"Content-Type": "application/json"}, timeout=10)
    assert answer.status_code in (400, 413)
    detail(answer)


@pytest.mark.parametrize("content_type", ["application/json", "text/plain", "multipart/form-data", "nonsense"])
def test_wrong_content_type(cluster, content_type):
    """An upload that is no multipart form is refused."""
    answer = requests.post(
        f"{cluster.uploader}/upload", data=b'{"video": "x"}', headers={"Content-Type": content_type}, timeout=10)
    assert answer.status_code in (400, 415), answer.text
    detail(answer)


def form(content: bytes, closed: bool = True) -> bytes:
    """A multipart body with a title and a file."""
    end = f"\r\n--{BOUNDARY}--\r\n" if closed else ""
    return (
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"title\"\r\n\r\nBroken\r\n"
        f"--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"video\"; filename=\"v.mp4\"\r\n"
        "Content-Type: video/mp4\r\n\r\n"
    ).encode() + content + end.encode()


def test_form_without_its_end(cluster, sample_video):
    """A form that was cut before its closing boundary is refused, though its length is as announced."""
    body = form(sample_video().read_bytes()[:50_000], closed=False)
    answer = raw.exchange(
        cluster.uploader, raw.head("POST", "/upload", {"Content-Type": FORM, "Content-Length": len(body)}) + body)
    assert answer is not None and answer.status == 400


def test_upload_shorter_than_announced(cluster, sample_video):
    """A body that ends before its Content-Length makes no video."""
    before = living_videos(cluster)
    body = form(sample_video().read_bytes())
    head = raw.head("POST", "/upload", {"Content-Type": FORM, "Content-Length": len(body) + 5000})
    answer = raw.exchange(cluster.uploader, head + body, end=True)
    assert answer is None or 400 <= answer.status < 500
    assert living_videos(cluster) == before


def living_videos(cluster: Cluster) -> set[str]:
    answer = requests.get(f"{cluster.metadata}/videos", params={"limit": 1000}, timeout=10)
    return {video["video_id"] for video in answer.json() if video["status"] in ("uploading", "active")}


def test_chunk_shorter_than_announced(cluster):
    """A chunk whose body ends before its Content-Length is not stored."""
    head = raw.head("PUT", "/chunk/short-body", {"Content-Length": 1000})
    answer = raw.exchange(cluster.storage[0], head + b"x" * 500, end=True)
    assert answer is None or answer.status == 400
    assert requests.get(f"{cluster.storage[0]}/chunk/short-body", timeout=10).status_code == 404


def test_chunk_longer_than_announced(cluster):
    """Of a body longer than its Content-Length the announced part is the chunk; the rest is no request."""
    head = raw.head("PUT", "/chunk/long-body", {"Content-Length": 100})
    with raw.connect(cluster.storage[0]) as connection:
        connection.sendall(head + b"x" * 100 + b"y" * 100 + b"\r\n\r\n")
        answer = raw.read_response(connection)
        assert answer is not None and answer.status in (200, 201)
        rest = raw.read_response(connection)
        assert rest is None or rest.status == 400
    assert requests.get(f"{cluster.storage[0]}/chunk/long-body", timeout=10).content == b"x" * 100


@pytest.mark.parametrize("length", ["-1", "abc", "1e3", "99999999999999999999999"])
def test_impossible_content_length(cluster, length):
    """A Content-Length that is no length is 400, or 413 where it is one too large for anything."""
    answer = raw.exchange(cluster.storage[0], raw.head("PUT", "/chunk/length", {"Content-Length": length}) + b"x", end=True)
    assert answer is None or answer.status in (400, 413)
    assert requests.get(f"{cluster.storage[0]}/chunk/length", timeout=10).status_code == 404


def test_connection_cut_halfway(cluster, sample_video):
    """An upload whose connection breaks halfway leaves nothing."""
    body = form(sample_video(seconds=30).read_bytes())
    with raw.connect(cluster.uploader) as connection:
        connection.sendall(raw.head("POST", "/upload", {"Content-Type": FORM, "Content-Length": len(body)}))
        connection.sendall(body[:len(body) // 2])
        raw.reset(connection)


def test_chunk_cut_halfway(cluster):
    """A chunk whose connection breaks halfway is not stored, and its id stays free."""
    with raw.connect(cluster.storage[0]) as connection:
        connection.sendall(raw.head("PUT", "/chunk/cut", {"Content-Length": 1_000_000}) + b"x" * 500_000)
        raw.reset(connection)
    assert requests.get(f"{cluster.storage[0]}/chunk/cut", timeout=10).status_code == 404
    assert requests.put(f"{cluster.storage[0]}/chunk/cut", data=b"whole", timeout=10).status_code == 201


def test_not_http(cluster):
    """Bytes that are no HTTP are answered with 400 or an end, by every role."""
    for url in cluster.addresses.all().values():
        answer = raw.exchange(url, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100 + b"\r\n\r\n", end=True)
        assert answer is None or answer.status == 400
