"""Two metadata services over one catalog, and three storage nodes: every quorum needs two of them."""

from . import ports
from .cluster import START_SECONDS, STOP_SECONDS, System
from .client import is_healthy
from .daemon import Daemon, wait_for

SERVICES, NODES = ["metadata-1", "metadata-2"], ["storage-1", "storage-2", "storage-3"]


class MetadataPair(System):
    def __init__(self, **settings: object) -> None:
        super().__init__()
        # The second service takes a port that no other role of this system has.
        self.services = [self.metadata, self._url(ports.UPLOADER)]
        self.nodes_urls = self.storage[:3]
        self._urls = dict(zip(SERVICES + NODES, self.services + self.nodes_urls, strict=True))
        self.processes: dict[str, Daemon] = {}
        for name, url in zip(SERVICES, self.services, strict=True):
            self._add(name, "metadata", url, DB_PATH=self.data / "metadata.db", **{"NODE_TIMEOUT": 5, **settings})
        for index, (name, url) in enumerate(zip(NODES, self.nodes_urls, strict=True)):
            # The nodes know one service each; what it hears of them the other learns from the catalog.
            self._add(
                name, "storage", url, NODE_ID=f"storage-node-{index + 1}", NODE_URL=url,
                DATA_DIR=self.data / name, METADATA_SERVICE_URL=self.services[index % 2], **settings)

    def _add(self, name: str, role: str, url: str, **settings: object) -> None:
        own = {
            "PORT": url.rsplit(":", 1)[1], "HOST": "127.0.0.1", "HEARTBEAT_INTERVAL": 1, "TMPDIR": self.system_temp,
            **settings,
        }
        self.processes[name] = Daemon(name, [role], own, self.folder)

    def url(self, name: str) -> str:
        return self._urls[name]

    def start(self) -> None:
        for process in self.processes.values():
            process.start()
        for name in self.processes:
            self.wait_until_up(name)
        wait_for("three nodes, known to both services", START_SECONDS, lambda: all(map(self._has_all, self.services)))

    def _has_all(self, service: str) -> bool:
        nodes = self.get_json(f"{service}/nodes/all")["nodes"]
        return len(nodes) == 3 and all(node.get("acceptor_id") for node in nodes)

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def restart(self, name: str) -> None:
        self.processes[name].start()
        self.wait_until_up(name)

    def wait_until_up(self, name: str) -> None:
        process = self.processes[name]

        def is_up() -> bool:
            assert process.is_running(), f"{name} ended\n{process.tail()}"
            return is_healthy(self.url(name))

        wait_for(f"{name} to answer /health", START_SECONDS, is_up)

    def stop(self) -> None:
        codes = {name: process.stop(STOP_SECONDS) for name, process in self.processes.items() if process.is_running()}
        assert set(codes.values()) <= {0}, f"exit codes after SIGTERM: {codes}"

    def kill_all(self) -> None:
        for process in self.processes.values():
            process.kill()
