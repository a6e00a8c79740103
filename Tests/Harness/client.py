"""What a user of the system does over HTTP, in short words."""

import hashlib
import subprocess
from dataclasses import dataclass
from pathlib import Path

import requests

from .daemon import wait_for

TIMEOUT = 30
UPLOAD_STATES = [
    "uploading", "processing", "chunking", "registering", "uploading_chunks", "finalizing", "completed", "failed",
]


@dataclass
class Addresses:
    """Base URLs of the roles."""

    metadata: str
    uploader: str
    streaming: str
    web: str
    storage: list[str]

    def all(self) -> dict[str, str]:
        nodes = {f"storage-{index}": url for index, url in enumerate(self.storage, start=1)}
        return {"metadata": self.metadata, "uploader": self.uploader, "streaming": self.streaming, "web": self.web} | nodes


class Client:
    """Calls the roles at `addresses`; its methods fail with what the service said."""

    def __init__(self, addresses: Addresses) -> None:
        self.addresses = addresses

    def post_video(self, file: Path, title: str = "A video", filename: str | None = None) -> requests.Response:
        """`POST /upload`, whatever the answer."""
        with open(file, "rb") as body:
            return requests.post(
                f"{self.addresses.uploader}/upload", files={"video": (filename or file.name, body)},
                data={"title": title}, timeout=TIMEOUT)

    def curl_video(self, file: Path, title: str, timeout: float = 120) -> dict:
        """The same by curl, which streams files of any size; the 202's body."""
        result = subprocess.run(
            ["curl", "-sS", "--fail-with-body", "-F", f"video=@{file}", "-F", f"title={title}",
             f"{self.addresses.uploader}/upload"],
            capture_output=True, text=True, timeout=timeout)
        assert result.returncode == 0, result.stderr + result.stdout
        return requests.models.complexjson.loads(result.stdout)

    def status(self, session: str) -> dict:
        answer = requests.get(f"{self.addresses.uploader}/upload/status/{session}", timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def outcome(self, session: str, seconds: float = 120) -> dict:
        """The report of an upload that came to its end, `completed` or `failed`."""

        def finished() -> dict | None:
            report = self.status(session)
            return report if report["status"] in ("completed", "failed") else None

        return wait_for("the upload to come to an end", seconds, finished)

    def store(self, file: Path, title: str = "A video", seconds: float = 120) -> str:
        """Uploads and waits until it is `completed`; the video's id."""
        answer = self.post_video(file, title)
        assert answer.status_code == 202, answer.text
        report = self.outcome(answer.json()["upload_session_id"], seconds)
        assert report["status"] == "completed", report
        return report["video_id"]

    def manifest(self, video: str) -> dict:
        answer = requests.get(f"{self.addresses.metadata}/manifest/{video}", timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def concatenate(self, video: str, to: Path) -> Path:
        """Writes the manifest's chunks to one file, each from its first replica and checked against its checksum."""
        chunks = sorted(self.manifest(video)["chunks"], key=lambda chunk: chunk["sequence_num"])
        with requests.Session() as session, open(to, "wb") as file:
            for chunk in chunks:
                answer = session.get(f"{chunk['replicas'][0]}/chunk/{chunk['chunk_id']}", timeout=TIMEOUT)
                assert answer.status_code == 200, answer.text
                assert "sha256:" + hashlib.sha256(answer.content).hexdigest() == chunk["checksum"], chunk
                file.write(answer.content)
        return to

    def original_sha256(self, video: str) -> str:
        digest = hashlib.sha256()
        with requests.get(f"{self.addresses.streaming}/stream/{video}/original", stream=True, timeout=TIMEOUT) as answer:
            assert answer.status_code == 200, answer.text
            for part in answer.iter_content(1 << 20):
                digest.update(part)
        return digest.hexdigest()

    def playlist_url(self, video: str) -> str:
        return f"{self.addresses.streaming}/stream/{video}/master.m3u8"

    @staticmethod
    def get_json(url: str) -> dict:
        answer = requests.get(url, timeout=TIMEOUT)
        assert answer.status_code == 200, f"{url}: {answer.status_code} {answer.text}"
        return answer.json()

    def nodes(self) -> list[dict]:
        answer = requests.get(f"{self.addresses.metadata}/nodes/all", timeout=TIMEOUT)
        assert answer.status_code == 200, answer.text
        return answer.json()["nodes"]


def sha256_bytes(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def sha256(file: Path) -> str:
    digest = hashlib.sha256()
    with open(file, "rb") as source:
        while part := source.read(1 << 20):
            digest.update(part)
    return digest.hexdigest()


def is_healthy(url: str) -> bool:
    try:
        return requests.get(f"{url}/health", timeout=2).status_code == 200
    except requests.RequestException:
        return False
