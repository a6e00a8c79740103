"""Storage nodes that stand alone, each with a disk folder of its own."""

import re
from pathlib import Path

import requests

from Harness.client import is_healthy
from Harness.daemon import Daemon, wait_for
from Harness.ports import STORAGE, PortBlock


class Node:
    """`vstack storage`, empty at first, for as long as the block lasts."""

    def __init__(self, folder: Path, **settings: object) -> None:
        folder.mkdir()
        self._folder = folder
        self._block = PortBlock()
        port = STORAGE[0] + self._block.offset
        self.url = f"http://127.0.0.1:{port}"
        self._process = Daemon(
            "storage", ["storage"],
            {"PORT": port, "HOST": "127.0.0.1", "DATA_DIR": folder / "data", "NODE_ID": "bench", "NODE_URL": self.url,
             "METADATA_SERVICE_URL": "", "LOG_LEVEL": "warning"} | settings, folder)

    def __enter__(self) -> "Node":
        self._process.start()
        wait_for("the node to answer /health", 60, lambda: is_healthy(self.url))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._block.release()

    def chunk_count(self) -> int:
        return requests.get(f"{self.url}/health", timeout=30).json()["chunk_count"]

    def synchronizations(self) -> int:
        return int(self.metric("vstack_storage_fsyncs_total"))

    def metric(self, name: str) -> float:
        text = requests.get(f"{self.url}/metrics", timeout=30).text
        return float(re.search(rf"^{name} (\S+)$", text, re.MULTILINE)[1])
