"""A leader and its followers, each a process, with one media folder between them."""

import hashlib
import hmac
import shutil
import uuid
from pathlib import Path

import requests

from . import ports
from .client import is_healthy
from .cluster import SHARED_TOKEN
from .daemon import Daemon, wait_for

TIMEOUT = 30
# Long enough for a machine that builds beside.
SECONDS = 240


def sign(body: bytes = b"", token: str = SHARED_TOKEN) -> dict[str, str]:
    salt = uuid.uuid4().hex
    return {"X-Auth": f"{salt}:{hmac.new(token.encode(), body + salt.encode(), hashlib.sha256).hexdigest()}"}


class Studio:
    """`stop` ends it as a user would and holds it to leaving nothing behind."""

    def __init__(self, folder: Path, followers: int = 2, **settings: object) -> None:
        self.folder, self.media = folder, folder / "media"
        self.media.mkdir()
        self._block = ports.PortBlock()
        port = self._block.offset
        self.leader = f"http://localhost:{ports.LEADER + port}"
        self.followers = [f"http://localhost:{own + port}" for own in ports.FOLLOWERS[:followers]]
        common = {"HOST": "127.0.0.1", "SHARED_TOKEN": SHARED_TOKEN, "FRAME_SHIFT_HOME": self.media}
        self.processes = {"leader": Daemon("leader", ["leader"], common | {
            "PORT": ports.LEADER + port, "FOLLOWER_URLS": ",".join(self.followers), "DATA_DIR": folder / "leader"}
            | settings, folder)}
        for number, own in enumerate(ports.FOLLOWERS[:followers], start=1):
            self.processes[f"follower-{number}"] = Daemon(f"follower-{number}", ["follower"], common | {
                "PORT": own + port, "LEADER_URL": self.leader, "FOLLOWER_ID": f"follower-{number}",
                "SCRATCH_DIR": folder / f"scratch{number}", "FFMPEG_THREADS": 1} | settings, folder)

    def url(self, name: str) -> str:
        return self.leader if name == "leader" else self.followers[int(name.removeprefix("follower-")) - 1]

    def start(self, *names: str) -> None:
        for name in names or self.processes:
            self.processes[name].start()
        for name in names or self.processes:
            wait_for(f"{name} to answer", TIMEOUT, lambda: is_healthy(self.url(name)))

    def stop(self) -> None:
        codes = {name: process.stop() for name, process in self.processes.items() if process.is_running()}
        assert set(codes.values()) <= {0}, codes
        left = [path for path in self.media.rglob(".*")]
        assert not left, left

    def remove(self) -> None:
        for process in self.processes.values():
            process.kill()
        self._block.release()

    def put(self, file: Path, path: str) -> None:
        (self.media / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(file, self.media / path)

    def call(self, method: str, path: str, body: object = None, code: int = 200) -> dict:
        answer = requests.request(method, f"{self.leader}/api/{path}", json=body, timeout=TIMEOUT)
        assert answer.status_code == code, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def convert(self, path: str, output: str | None = None, **config: object) -> str:
        """The new job's id."""
        body = {"input_file": path, "config": config} | ({"output_file": output} if output else {})
        return self.call("post", "jobs", body, 201)["id"]

    def job(self, job: str) -> dict:
        return self.call("get", f"jobs/{job}")

    def outcome(self, job: str) -> dict:
        def over() -> dict | None:
            now = self.job(job)
            return now if now["status"] in ("completed", "failed", "cancelled") else None

        return wait_for(lambda: f"the job to be over: {self.job(job)}", SECONDS, over)

    def wait_for_progress(self, job: str) -> dict:
        def under_way() -> dict | None:
            now = self.job(job)
            assert now["status"] in ("pending", "processing"), now
            return now if now["status"] == "processing" and now["frame"] > 0 else None

        return wait_for(lambda: f"the job to be under way: {self.job(job)}", SECONDS, under_way)
