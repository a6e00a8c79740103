"""Commits beside etcd's puts: what it costs to agree on something durably, by the same thin client."""

import json
import subprocess
from pathlib import Path

import requests

from Harness import ports
from Harness.client import is_healthy
from Harness.daemon import Daemon, wait_for
from Harness.uploader import create

from .etcd import Etcd
from .measure import Comparison, Sample, Scale, compare

CLIENTS = 8
# Of a chunk, and of a value that etcd keeps.
BYTES = 1024
SOURCE = Path(__file__).parent / "commit_load.c"


class Service:
    """A metadata service and so many storage nodes, a process for each, with nothing else beside them."""

    def __init__(self, folder: Path, nodes: int) -> None:
        folder.mkdir()
        self._block = ports.PortBlock()
        self._metadata_port = ports.METADATA + self._block.offset
        self._url = f"http://localhost:{self._metadata_port}"
        common = {"HOST": "127.0.0.1", "LOG_LEVEL": "warning", "HEARTBEAT_INTERVAL": 1}
        self._processes = [Daemon(
            "metadata", ["metadata"], common | {"PORT": self._metadata_port, "DB_PATH": folder / "metadata.db"}, folder)]
        self._urls = [self._url]
        for index, port in enumerate(ports.STORAGE[:nodes]):
            url = f"http://localhost:{port + self._block.offset}"
            self._urls.append(url)
            self._processes.append(Daemon(f"storage-{index}", ["storage"], common | {
                "PORT": port + self._block.offset, "NODE_ID": f"storage-node-{index + 1}", "NODE_URL": url,
                "DATA_DIR": folder / f"storage{index}", "METADATA_SERVICE_URL": self._url}, folder))

    def __enter__(self) -> "Service":
        for process in self._processes:
            process.start()
        wait_for("the service and its nodes", 60, lambda: all(map(is_healthy, self._urls)) and self._has_all())
        return self

    def _has_all(self) -> bool:
        return len(requests.get(f"{self._url}/nodes/healthy", timeout=5).json()) == len(self._urls) - 1

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
        self._block.release()

    def jobs(self) -> str:
        """A new video for each client."""
        lines = []
        for _ in range(CLIENTS):
            video = create(self._url, "A benchmark")
            words = [self._metadata_port, video.id, video.created["placement_group"]["id"], video.created["ballot"]]
            for node in video.nodes:
                words += [node["node_id"], node["node_url"].rsplit(":", 1)[1], node["acceptor_id"]]
            lines.append(" ".join(map(str, words)))
        return "\n".join(lines) + "\n"


class Commits:
    """Comparisons that share the client."""

    def __init__(self, folder: Path, scale: Scale) -> None:
        self._folder, self._scale = folder, scale
        self._client = folder / "commit_load"

    def compare(self, nodes: int) -> Comparison:
        if not self._client.exists():
            subprocess.run(
                ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", self._client, SOURCE, "-lcrypto", "-lpthread"], check=True)
        with Service(self._folder / f"commits-{nodes}", nodes) as service, Etcd(self._folder / f"etcd-{nodes}") as etcd:
            return compare(
                f"commit a chunk, {CLIENTS} uploaders, {nodes} nodes", f"etcd, 3 members, {CLIENTS} clients", "/s", "≥ 1",
                self._scale.rounds, lambda: self._load("vstack", standard_input=service.jobs()),
                lambda: self._load("etcd", etcd.leader(), CLIENTS))

    def _load(self, side: str, *more: int, standard_input: str = "") -> Sample:
        result = subprocess.run(
            [self._client, side, str(self._scale.load_seconds), str(BYTES), *map(str, more)], input=standard_input,
            capture_output=True, text=True, timeout=self._scale.load_seconds + 120)
        if result.returncode:
            raise RuntimeError(f"commit_load {side}: {result.stderr}")
        figures = json.loads(result.stdout)
        return Sample(figures["operations"] / figures["seconds"], figures["p99_ms"])
