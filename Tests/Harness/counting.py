"""Counts what a process of the system asks of the heap and of the kernel, by a small library loaded before its own."""

import shutil
import struct
import subprocess
from dataclasses import astuple, dataclass
from pathlib import Path

from . import raw

REQUESTS = 1000


@dataclass(frozen=True)
class Counts:
    """In the order of counting.c."""

    allocations: int
    receives: int
    sends: int

    def __sub__(self, earlier: "Counts") -> "Counts":
        return Counts(*(now - then for now, then in zip(astuple(self), astuple(earlier))))


class Counting:
    """A process started with `settings` counts; `now` says how far it has come."""

    def __init__(self, folder: Path) -> None:
        library = folder / "counting.so"
        # Swift brings a compiler for C.
        compiler = shutil.which("clang") or shutil.which("cc")
        assert compiler, "neither clang nor cc is in PATH"
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-O2", "-fno-builtin", "-o", library, Path(__file__).with_name("counting.c"), "-ldl"],
            check=True)
        self._file = folder / "counts"
        self._file.write_bytes(bytes(4096))
        self.settings = {"LD_PRELOAD": library, "COUNTING_FILE": self._file}

    def now(self) -> Counts:
        return Counts(*struct.unpack("3q", self._file.read_bytes()[:24]))

    def per_request(
        self, url: str, method: str, path: str, headers: dict[str, object] | None = None
    ) -> dict[str, float]:
        """Counts for one of many requests on one connection, each sent when the one before is answered."""
        request = raw.head(method, path, headers or {})
        connection = raw.connect(url)

        def ask(times: int) -> None:
            for _ in range(times):
                connection.sendall(request)
                answer = raw.read_response(connection, has_body=method != "HEAD")
                assert answer and answer.status in (200, 206)

        # What is made once, and once for each core.
        ask(200)
        before = self.now()
        ask(REQUESTS)
        counts = self.now() - before
        connection.close()
        return {name: count / REQUESTS for name, count in vars(counts).items()}
