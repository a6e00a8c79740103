"""The least server of large answers that there can be, in C: what the kernel and the client leave to any other."""

import subprocess
from pathlib import Path

from Harness.daemon import wait_for
from Harness.ports import STREAMING, PortBlock, is_free

SOURCE = Path(__file__).parent / "send_loop.c"


class SendLoop:
    """Answers with `count` bodies of `size` bytes from memory, for as long as the block lasts."""

    def __init__(self, folder: Path, count: int, size: int) -> None:
        self._block = PortBlock()
        self._port = STREAMING + self._block.offset
        self._program, self._count, self._size = folder / "send_loop", count, size
        self.urls = [f"http://127.0.0.1:{self._port}/{number}" for number in range(count)]

    def __enter__(self) -> "SendLoop":
        subprocess.run(
            ["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", self._program, SOURCE, "-lpthread"], check=True)
        self._process = subprocess.Popen([self._program, str(self._port), str(self._count), str(self._size)])
        wait_for("the loop to listen", 60, lambda: not is_free(self._port))
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        self._block.release()

    @property
    def pid(self) -> int:
        return self._process.pid
