"""Fixtures of the tests of the whole system."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from Harness import daemon
from Harness.cluster import Cluster, SeparateCluster
from Harness.daemon import Daemon
from Harness.videos import Clip, sample


def pytest_sessionstart(session: pytest.Session) -> None:
    if not os.access(daemon.BINARY, os.X_OK):
        pytest.exit(f"{daemon.BINARY} is missing: run `make build-debug`, or set VSTACK_BINARY", returncode=4)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo) -> Iterator[None]:
    report = yield
    if report.failed:
        report.sections += [(f"the end of {process.name}'s output", process.tail()) for process in daemon.running]
    return report


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """`vstack up` with five storage nodes, shared by the tests of a worker; it must outlive each of them."""
    cluster = Cluster()
    try:
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        cluster.process.kill()
        cluster.remove()


@pytest.fixture
def separate_cluster() -> Iterator[Callable[..., SeparateCluster]]:
    """Makes and starts systems with a process for each role; settings given as keywords reach every role."""
    made: list[SeparateCluster] = []

    def make(**settings: object) -> SeparateCluster:
        made.append(SeparateCluster(**settings))
        made[-1].start()
        return made[-1]

    try:
        yield make
        for cluster in made:
            cluster.stop()
    finally:
        for cluster in made:
            cluster.kill_all()
            cluster.remove()


@pytest.fixture
def role(tmp_path: Path) -> Iterator[Callable[..., Daemon]]:
    """Starts single roles: `role("storage", PORT=…)`; they are gone after the test. `prefix`: a command to run it by."""
    made: list[Daemon] = []

    def start(name: str, *arguments: str, prefix: list[str] | None = None, **settings: object) -> Daemon:
        made.append(Daemon(name, [name, *arguments], {"HOST": "127.0.0.1", **settings}, tmp_path, prefix))
        made[-1].start()
        return made[-1]

    try:
        yield start
    finally:
        for process in made:
            process.kill()


@pytest.fixture(scope="session")
def sample_video() -> Callable[..., Path]:
    """Makes sample videos: `sample_video(seconds=10, audio=None)`; see `Clip` for what can be said."""
    return lambda **description: sample(Clip(**description))
