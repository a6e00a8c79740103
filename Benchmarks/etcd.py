"""Three members of etcd on this machine, each with a folder of its own on the same disk as ours."""

import subprocess
from pathlib import Path

import requests

from Harness.daemon import wait_for
from Harness.ports import METADATA, STORAGE, STREAMING, UPLOADER, PortBlock

MEMBERS = 3


class Etcd:
    """Debian's etcd as it comes: `fsync` is on, and every put is acknowledged by a majority."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self._folder = folder
        self._block = PortBlock()
        self._clients = [port + self._block.offset for port in STORAGE[:MEMBERS]]
        self._peers = [port + self._block.offset for port in (METADATA, UPLOADER, STREAMING)]
        self._processes: list[subprocess.Popen] = []

    def __enter__(self) -> "Etcd":
        cluster = ",".join(f"m{index}=http://127.0.0.1:{port}" for index, port in enumerate(self._peers))
        for index in range(MEMBERS):
            client, peer = (f"http://127.0.0.1:{ports[index]}" for ports in (self._clients, self._peers))
            with open(self._folder / f"m{index}.log", "wb") as log:
                self._processes.append(subprocess.Popen(
                    ["etcd", "--name", f"m{index}", "--data-dir", self._folder / f"m{index}",
                     "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
                     "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster, "--log-level", "error"],
                    stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        wait_for("etcd to have a leader", 60, self._leader)
        return self

    def __exit__(self, *_: object) -> None:
        for process in self._processes:
            process.kill()
            process.wait()
        self._block.release()

    def leader(self) -> int:
        """The port where the leader takes puts: others would only pass them on to it."""
        return wait_for("etcd to have a leader", 60, self._leader)

    def _leader(self) -> int | None:
        for port in self._clients:
            try:
                status = requests.post(f"http://127.0.0.1:{port}/v3/maintenance/status", json={}, timeout=2).json()
            except requests.RequestException:
                return None
            if status.get("leader") and status["leader"] == status["header"]["member_id"]:
                return port
        return None
