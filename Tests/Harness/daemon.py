"""A process of the system under test: started, watched, killed, restarted."""

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

BINARY = Path(os.environ.get("VSTACK_BINARY", Path(__file__).parents[2] / ".build/debug/vstack"))

Value = TypeVar("Value")
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)

# Daemons that run now, so that a failing test can show what they said.
running: list["Daemon"] = []


def wait_for(
    what: str | Callable[[], str], seconds: float, condition: Callable[[], Value | None], interval: float = 0.02
) -> Value:
    """The first true value of `condition`, looked at again after `interval` s; fails naming `what` when there is none
    within `seconds`."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds:g} s for {what if isinstance(what, str) else what()}")
        time.sleep(interval)


def environment(**settings: object) -> dict[str, str]:
    """A clean environment with these settings: what stands in the tester's own must not change a test."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG", "LD_LIBRARY_PATH") if name in os.environ}
    sanitizer_options = {name: value for name, value in os.environ.items() if name.endswith("SAN_OPTIONS")}
    return kept | sanitizer_options | {name: str(value) for name, value in settings.items()}


class Daemon:
    """`vstack` with these arguments and settings; output goes to `<folder>/<name>.out` and `.err`, over all restarts."""

    def __init__(
            self, name: str, arguments: list[str], settings: dict[str, object], folder: Path,
            prefix: list[str] | None = None) -> None:
        self.name, self.arguments, self.settings, self.prefix = name, arguments, settings, prefix or []
        self.output, self.log = folder / f"{name}.out", folder / f"{name}.err"
        self.process: subprocess.Popen | None = None

    def start(self) -> None:
        assert not self.is_running(), f"{self.name} is running already"
        with open(self.output, "ab") as output, open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [*self.prefix, BINARY, *self.arguments], env=environment(**self.settings), stdin=subprocess.DEVNULL, stdout=output,
                stderr=log, start_new_session=True, preexec_fn=_die_with_parent)
        running.append(self)

    @property
    def pid(self) -> int:
        assert self.process is not None, f"{self.name} was not started"
        return self.process.pid

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def kill(self) -> None:
        """kill -9, and wait until it is gone."""
        if self.process is None:
            return
        self.process.kill()
        self._gone(self.process.wait(timeout=10))

    def stop(self, seconds: float = 10, by: signal.Signals = signal.SIGTERM) -> int:
        """Asks it to end; the exit code. Takes no longer than `seconds`, or fails."""
        assert self.process is not None, f"{self.name} was not started"
        self.process.send_signal(by)
        try:
            return self._gone(self.process.wait(timeout=seconds))
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.name} was still running {seconds:g} s after {by.name}\n{self.tail()}") from None

    def peak_resident_bytes(self) -> int:
        for line in Path(f"/proc/{self.pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
        raise AssertionError(f"/proc/{self.pid}/status has no VmHWM")

    def thread_count(self) -> int:
        return len(os.listdir(f"/proc/{self.pid}/task"))

    def tail(self, lines: int = 25) -> str:
        """The end of what it printed, for a failing test's report."""
        texts = (file.read_text(errors="replace") for file in (self.output, self.log) if file.exists())
        return "\n".join(line for text in texts for line in text.splitlines()[-lines:])

    def _gone(self, code: int) -> int:
        self.process = None
        if self in running:
            running.remove(self)
        return code


def _die_with_parent() -> None:
    # A test run that is itself killed must leave no servers behind.
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
