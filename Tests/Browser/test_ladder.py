"""A video whose ladder is complete is watched on the page: the master playlist lists rungs with their sound apart."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Page, Route

from Browser import screen
from Harness.cluster import Cluster
from Harness.daemon import wait_for

# Long enough for a machine that builds beside; the encode itself takes seconds.
LADDER_SECONDS = 240


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """In place of the one that has no followers."""
    cluster = Cluster(followers=1)
    try:
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        cluster.process.kill()
        cluster.remove()


@pytest.fixture(scope="module")
def video(cluster, sample_video) -> str:
    video = cluster.store(sample_video(width=640, height=360, seconds=20), title="A ladder")
    wait_for("the ladder to be offered", LADDER_SECONDS, lambda: "360p/playlist" in master(cluster, video))
    return video


def master(cluster: Cluster, video: str) -> str:
    answer = requests.get(cluster.playlist_url(video), timeout=10)
    assert answer.status_code == 200, answer.text
    return answer.text


def rungs_first(playlist: str) -> str:
    """The master playlist with its first variant moved to the end."""
    lines = playlist.splitlines()
    first = next(index for index, line in enumerate(lines) if line.startswith("#EXT-X-STREAM-INF"))
    return "\n".join([*lines[:first], *lines[first + 2:], *lines[first:first + 2], ""])


@pytest.mark.parametrize("order", ["as it is", "rungs first"])
def test_the_page_plays_picture_and_sound_past_a_segment(page: Page, cluster, video, order):
    if order == "rungs first":
        text = rungs_first(master(cluster, video))
        assert text.index("360p/playlist") < text.index("source/playlist")

        def reorder(route: Route) -> None:
            route.fulfill(
                body=text, content_type="application/vnd.apple.mpegurl", headers={"Access-Control-Allow-Origin": "*"})

        page.route("**/master.m3u8", reorder)
    page.goto(f"{cluster.web}/#/watch/{video}")
    screen.wait_for_position(page, 7)
    screen.assert_picture(page)
    screen.assert_no_picture_fault(page)
    assert page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount") > 0
    page.evaluate("document.querySelector('video').currentTime = 18")
    page.wait_for_function("() => document.querySelector('video').ended", timeout=screen.PLAY_MILLISECONDS)
