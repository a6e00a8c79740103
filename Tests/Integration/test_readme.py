"""What the README says of settings and commands, against the program."""

import re
import subprocess
from pathlib import Path

import pytest

from Harness.daemon import BINARY, environment

README = (Path(__file__).parents[2] / "README.md").read_text()
ROLES = ["metadata", "storage", "uploader", "transcode", "follower", "leader", "library", "stream", "admin", "web"]


def help_of(*command: str) -> str:
    return subprocess.run(
        [BINARY, "help", *command], env=environment(), capture_output=True, text=True, timeout=20, check=True).stdout


def documented(heading: str) -> set[str]:
    """The settings in the table under the heading, or in the sentences that begin with it."""
    rest = README[README.index(heading) + len(heading):]
    table = re.match(r"\n\n((?:\|[^\n]*\n)+)", rest)
    names = "\n".join(line.split("|")[1] for line in table[1].splitlines()) if table else re.split(r"\n\n|`vstack ", rest)[0]
    return set(re.findall(r"`([A-Z_]+)`", names.replace("`…_MB`", "`MAX_SUPERBLOCK_SIZE_MB`")))


@pytest.mark.parametrize("role", ROLES)
def test_settings(role):
    """Every setting that the README gives a role is a flag of it, and every flag is in the README."""
    flags = {setting: flag for flag, setting in re.findall(r"--([a-z-]+) .*\[([A-Z_]+)\]", help_of(role))}
    assert set(flags) == documented("Every role understands:") | documented(f"`vstack {role}`:")
    assert all(flag == setting.lower().replace("_", "-") for setting, flag in flags.items())


def test_commands():
    """Every command that `vstack help` lists, but help and version, is in the README."""
    listed = set(re.findall(r"^  ([a-z]+) ", help_of(), re.MULTILINE))
    table = README[README.index("## Commands"):README.index("## Ports")]
    named = set(re.findall(r"`(?:vstack )?([a-z]+)", table))
    assert listed - {"help", "version"} <= named
