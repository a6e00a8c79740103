"""Disks that fail under a real process."""

import shutil
import subprocess
from pathlib import Path

import pytest


class FaultyDisk:
    """A disk whose superblocks fail as told, by a library that is preloaded before the C library's own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "faults"
        self.folder.mkdir()
        library = self.folder / "faulty_disk.so"
        compiler = shutil.which("cc") or shutil.which("clang")
        assert compiler, "Swift comes with clang, but there is no C compiler"
        source = Path(__file__).with_name("faulty_disk.c")
        subprocess.run([compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True, timeout=60)
        self.settings = {"LD_PRELOAD": library, "VSTACK_TEST_FAULTS": self.folder}

    def fail(self, fault: str) -> None:
        """`sync` or `full`, from now on."""
        (self.folder / fault).touch()

    def mend(self, fault: str) -> None:
        (self.folder / fault).unlink()


def small_disk(folder: Path, mebibytes: int) -> list[str]:
    """A command prefix that gives a process a file system of its own at `folder`, gone when it ends.

    Seen from outside at `/proc/<pid>/root/<folder>`. Skips the test where the system does not allow it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for unshare in (["unshare", "--mount"], ["unshare", "--mount", "--user", "--map-root-user"]):
        script = f'mount -t tmpfs -o size={mebibytes}m tmpfs "{folder}" && exec "$@"'
        prefix = [*unshare, "sh", "-c", script, "sh"]
        if subprocess.run([*prefix, "true"], capture_output=True, timeout=30).returncode == 0:
            return prefix
    pytest.skip("this system lets no process have a mount of its own")
