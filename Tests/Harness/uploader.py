"""What an uploader does with a chunk, message by message: PUTs that accept, and the commit."""

import base64
import json
import random
from dataclasses import dataclass, field

import requests

from .client import sha256_bytes

SECONDS = 10


def canonical(value: dict) -> bytes:
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


@dataclass
class Video:
    """A video as `POST /video` answered."""

    created: dict

    @property
    def id(self) -> str:
        return self.created["video_id"]

    @property
    def nodes(self) -> list[dict]:
        return self.created["placement_group"]["nodes"]

    def chunk(self, sequence: int) -> str:
        return f"{self.id}-chunk-{sequence:03}"

    def value(self, sequence: int, content: bytes) -> dict:
        """What consensus decides about the chunk."""
        return {
            "video_id": self.id, "stream": "source", "sequence": sequence, "size_bytes": len(content),
            "checksum": "sha256:" + sha256_bytes(content), "redundancy_mode": "replication",
            "group": self.created["placement_group"]["id"], "nodes": [node["node_id"] for node in self.nodes],
            "acceptors": [node["acceptor_id"] for node in self.nodes], "start_sec": 0, "duration_sec": 0,
        }


def create(service: str, title: str = "A race") -> Video:
    answer = requests.post(f"{service}/video", json={"title": title}, timeout=SECONDS)
    assert answer.status_code == 200, answer.text
    return Video(answer.json())


@dataclass
class Uploader:
    """Stores chunks of a video through one metadata service. Who is no creator stores bytes alone, without a ballot."""

    service: str
    video: Video
    is_creator: bool
    session: requests.Session = field(default_factory=requests.Session)
    commits: int = 0

    def put(self, sequence: int, content: bytes, node: dict) -> dict | None:
        """Stores the chunk at one node; the proof that it accepted, if it did."""
        headers = {}
        if self.is_creator:
            value = canonical(self.video.value(sequence, content))
            headers = {"X-Paxos-Ballot": self.video.created["ballot"], "X-Paxos-Value": base64.b64encode(value).decode()}
        url = f"{node['node_url']}/chunk/{self.video.chunk(sequence)}"
        try:
            answer = self.session.put(url, content, headers=headers, timeout=SECONDS)
        except requests.RequestException:
            return None
        if answer.status_code not in (200, 201) or "X-Paxos-Proof" not in answer.headers:
            return None
        return {
            "node_id": node["node_id"], "acceptor_id": answer.headers["X-Paxos-Acceptor"],
            "proof": answer.headers["X-Paxos-Proof"],
        }

    def commit(self, sequence: int, content: bytes, proofs: list[dict]) -> requests.Response | None:
        value = self.video.value(sequence, content)
        body = {
            "node_urls": [node["node_url"] for node in self.video.nodes], "checksum": value["checksum"],
            "size_bytes": value["size_bytes"], "video_id": self.video.id, "sequence_num": sequence,
            "ballot": self.video.created["ballot"], "acceptances": proofs,
        }
        self.commits += 1
        try:
            return self.session.post(
                f"{self.service}/chunk/{self.video.chunk(sequence)}/commit", json=body, timeout=SECONDS)
        except requests.RequestException:
            return None

    def upload(self, sequence: int, content: bytes, pause) -> str:
        """Goes on until it knows the chunk's value; its checksum."""
        while True:
            nodes = random.sample(self.video.nodes, len(self.video.nodes))
            proofs = [proof for node in nodes if (proof := self.put(sequence, content, node))]
            answer = self.commit(sequence, content, proofs)
            if answer is not None and answer.status_code == 200:
                return "sha256:" + sha256_bytes(content)
            if answer is not None and answer.status_code == 409 and "chosen" in answer.json():
                return answer.json()["chosen"]["checksum"]
            assert answer is None or answer.status_code in (409, 503), f"{answer.status_code} {answer.text}"
            pause()
