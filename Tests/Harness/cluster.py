"""The whole system, in one process or with a process for each role."""

import shutil
import subprocess
import tempfile
from pathlib import Path

import requests

from . import ports
from .client import Addresses, Client, is_healthy
from .daemon import BINARY, Daemon, environment, wait_for

READY = "V-Stack is ready: http://"
START_SECONDS = 30
SHARED_TOKEN = "a secret of the tests"
STOP_SECONDS = 10


class System(Client):
    """What both forms of the system have: a folder of its own, ports of its own, and the commands of the CLI."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="vstack-test-"))
        self.data = self.folder / "data"
        # Where uploads are kept while they are worked on, and the system's temporary folder as the processes see it.
        self.temp = self.data / "uploads"
        self.system_temp = self.folder / "tmp"
        self.system_temp.mkdir()
        self._block = ports.PortBlock()
        self.offset = self._block.offset
        self.metadata, self.uploader = self._url(ports.METADATA), self._url(ports.UPLOADER)
        self.streaming, self.web = self._url(ports.STREAMING), self._url(ports.WEB)
        self.storage = [self._url(port) for port in ports.STORAGE]
        self.transcode = self._url(ports.TRANSCODE)
        self.library, self.admin = self._url(ports.LIBRARY), self._url(ports.ADMIN)
        self.leader, self.media = self._url(ports.LEADER), self.data / "media"
        super().__init__(Addresses(self.metadata, self.uploader, self.streaming, self.web, self.storage))

    def _url(self, port: int) -> str:
        # As the nodes of `vstack up` announce themselves.
        return f"http://localhost:{port + self.offset}"

    def command(self, *arguments: object, seconds: float = 120) -> subprocess.CompletedProcess[str]:
        """Runs a client command of the CLI against this system, its output a pipe."""
        return subprocess.run(
            [BINARY, *map(str, arguments)], env=self.client_environment(), stdin=subprocess.DEVNULL,
            capture_output=True, text=True, timeout=seconds)

    def client_environment(self) -> dict[str, str]:
        return environment(VSTACK_HOST="127.0.0.1", VSTACK_PORT_OFFSET=self.offset)

    def temporary_files(self) -> list[Path]:
        """What lies in temporary space; the lock on it and the records of past uploads are no temporary files."""
        sessions = self.temp / "sessions"
        return [
            path for folder in (self.temp, self.system_temp) if folder.exists() for path in folder.rglob("*")
            if path != self.temp / ".lock" and path != sessions and sessions not in path.parents]

    def assert_nothing_temporary(self) -> None:
        wait_for(
            lambda: f"temporary files to be gone: {self.temporary_files()}", 10, lambda: not self.temporary_files())

    def assert_all_healthy(self) -> None:
        for name, url in self.addresses.all().items():
            assert is_healthy(url), f"{name} at {url} does not answer /health with 200"

    def healthy_nodes(self) -> list[dict]:
        try:
            answer = requests.get(f"{self.metadata}/nodes/healthy", timeout=2)
        except requests.RequestException:
            return []
        return answer.json() if answer.status_code == 200 else []

    def remove(self) -> None:
        self._block.release()
        shutil.rmtree(self.folder, ignore_errors=True)


class Cluster(System):
    """`vstack up`: every role in one process. Without followers, unless some are asked for: what they make would be in
    the way of tests that count."""

    def __init__(self, followers: int = 0, **settings: object) -> None:
        super().__init__()
        self.process = Daemon(
            "up", ["up", "--data", str(self.data), "--port-offset", str(self.offset), "--followers", str(followers)],
            {"TMPDIR": self.system_temp, **settings}, self.folder)

    def start(self) -> None:
        before = self._ready_count()
        self.process.start()
        wait_for("the ready line", START_SECONDS, lambda: self._is_ready(before))
        assert self.temp.is_dir(), f"{self.temp} is not where uploads are kept while they are worked on"

    def _is_ready(self, before: int) -> bool:
        assert self.process.is_running(), f"vstack up ended\n{self.process.tail()}"
        return self._ready_count() > before

    def _ready_count(self) -> int:
        """How often it said that it is ready, over all its starts."""
        output = self.process.output
        lines = output.read_text().splitlines() if output.exists() else []
        return sum(line.startswith(READY) for line in lines)

    def stop(self) -> None:
        """Ends it as a user would, and holds it to what the contract says of that."""
        # What it is still at with an upload's file, such as the thumbnail, it would go on with at the next start.
        self.assert_nothing_temporary()
        code = self.process.stop(STOP_SECONDS)
        assert code == 0, f"vstack up ended with {code} after SIGTERM\n{self.process.tail()}"
        assert not self.temporary_files(), self.temporary_files()


class SeparateCluster(System):
    """A process for each role; any of them can be killed and started again on the same port. With followers there is
    a transcoding service too."""

    def __init__(self, followers: int = 0, **settings: object) -> None:
        super().__init__()
        self._settings = settings
        self.processes: dict[str, Daemon] = {}
        self._urls = self.addresses.all()
        common = {"METADATA_SERVICE_URL": self.metadata, "STORAGE_NODES": ",".join(self.storage)}
        self._add("metadata", "metadata", ports.METADATA, DB_PATH=self.data / "metadata/metadata.db", NODE_TIMEOUT=5)
        for index, port in enumerate(ports.STORAGE, start=1):
            self._add(
                f"storage-{index}", "storage", port, NODE_ID=f"storage-node-{index}", NODE_URL=self._url(port),
                DATA_DIR=self.data / f"storage{index}", METADATA_SERVICE_URL=self.metadata)
        self._add("uploader", "uploader", ports.UPLOADER, TEMP_DIR=self.temp, **common)
        self._add("streaming", "stream", ports.STREAMING, **common)
        self._add(
            "web", "web", ports.WEB, UPLOADER_SERVICE_URL=self.uploader, STREAMING_SERVICE_URL=self.streaming, **common)

        if followers > 0:
            self._urls |= {"transcode": self.transcode}
            self._add("transcode", "transcode", ports.TRANSCODE, SHARED_TOKEN=SHARED_TOKEN, **common)
        for number, port in enumerate(ports.FOLLOWERS[:followers], start=1):
            self._urls |= {f"follower-{number}": self._url(port)}
            self._add(
                f"follower-{number}", "follower", port, TRANSCODE_SERVICE_URL=self.transcode, FFMPEG_THREADS=1,
                SHARED_TOKEN=SHARED_TOKEN, FOLLOWER_ID=f"follower-{number}", SCRATCH_DIR=self.scratch(number))

    def scratch(self, number: int) -> Path:
        """Where a follower keeps what it is at."""
        return self.data / f"scratch{number}"

    def _add(self, name: str, role: str, port: int, **settings: object) -> None:
        own = {
            "PORT": port + self.offset, "HOST": "127.0.0.1", "HEARTBEAT_INTERVAL": 1, "TMPDIR": self.system_temp,
            **settings, **self._settings,
        }
        self.processes[name] = Daemon(name, [role], own, self.folder)

    @property
    def storage_names(self) -> list[str]:
        return [name for name in self.processes if name.startswith("storage-")]

    def url(self, name: str) -> str:
        return self._urls[name]

    def name_at(self, url: str) -> str:
        return next(name for name, own in self._urls.items() if own == url.rstrip("/"))

    def start(self) -> None:
        for process in self.processes.values():
            process.start()
        for name in self.processes:
            self._wait_until_up(name)
        self.wait_for_nodes(len(self.storage))

    def kill(self, name: str) -> None:
        self.processes[name].kill()

    def restart(self, name: str) -> None:
        self.processes[name].start()
        self._wait_until_up(name)

    def wait_for_nodes(self, count: int) -> None:
        wait_for(f"{count} healthy storage nodes", START_SECONDS, lambda: len(self.healthy_nodes()) >= count)

    def _wait_until_up(self, name: str) -> None:
        process = self.processes[name]

        def is_up() -> bool:
            assert process.is_running(), f"{name} ended\n{process.tail()}"
            return is_healthy(self.url(name))

        wait_for(f"{name} to answer /health", START_SECONDS, is_up)

    def stop(self) -> None:
        # As `vstack up`: those that people talk to first, what they rest on last.
        order = sorted(self.processes, key=lambda name: (name.startswith("storage-"), name == "metadata"))
        codes = {name: self.processes[name].stop(STOP_SECONDS) for name in order if self.processes[name].is_running()}
        assert set(codes.values()) <= {0}, f"exit codes after SIGTERM: {codes}"
        assert not self.temporary_files(), self.temporary_files()

    def kill_all(self) -> None:
        for process in self.processes.values():
            process.kill()
