"""A video is watched while it is being encoded, and in the qualities that come meanwhile."""

from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Locator, Page, expect

from Browser import screen
from Harness.cluster import Cluster
from Harness.daemon import wait_for

# Long enough for a machine that builds beside.
LADDER_SECONDS = 240


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """In place of the one that has no followers."""
    cluster = Cluster(followers=1, FFMPEG_THREADS=1)
    try:
        cluster.start()
        yield cluster
        cluster.stop()
    finally:
        cluster.process.kill()
        cluster.remove()


@pytest.fixture(scope="module")
def video(cluster, sample_video) -> str:
    return cluster.store(sample_video(width=854, height=480, seconds=40, bitrate="3M"), title="Being encoded")


def menu(page: Page) -> Locator:
    return page.get_by_label("Quality")


def labels(page: Page) -> list[str]:
    return menu(page).locator("option").all_inner_texts()


def choose(page: Page, label: str) -> None:
    menu(page).select_option(label=label)


def wait_for_height(page: Page, height: int) -> None:
    page.wait_for_function(
        "height => document.querySelector('video').videoHeight === height", arg=height, timeout=screen.PLAY_MILLISECONDS)


def decoded_sound(page: Page) -> int:
    return page.evaluate("document.querySelector('video').webkitAudioDecodedByteCount")


def test_playback_goes_on_while_the_video_is_encoded_and_rungs_are_offered_when_they_are_there(
        page: Page, cluster, video, screenshots):
    master = requests.get(cluster.playlist_url(video), timeout=10).text
    assert "source/playlist" in master
    page.goto(f"{cluster.web}/#/watch/{video}")
    screen.wait_for_position(page, 0.5)
    assert page.evaluate("document.querySelector('video').videoHeight") == 480
    wait_for(
        "the ladder to be offered", LADDER_SECONDS,
        lambda: "360p/playlist" in requests.get(cluster.playlist_url(video), timeout=10).text)
    expect(menu(page)).to_be_visible()
    wait_for("the menu to list all", 60, lambda: len(labels(page)) == 4)
    assert labels(page) == ["Auto (Source, 480p)", "480p", "360p", "Source, 480p"]
    # What was played is still played, from where it was.
    page.evaluate("document.querySelector('video').currentTime = 20")
    screen.wait_for_position(page, 20.5)
    screen.assert_picture(page)
    screen.assert_no_picture_fault(page)


def test_each_quality_plays_with_its_sound_from_where_the_viewer_is(page: Page, cluster, video, screenshots):
    page.goto(f"{cluster.web}/#/watch/{video}")
    screen.wait_for_position(page, 2)
    # Left to itself, the player takes the ladder.
    expect(menu(page)).to_have_value("")
    for label, height in [("360p", 360), ("480p", 480), ("Source, 480p", 480), ("360p", 360)]:
        before, sound = screen.position(page), decoded_sound(page)
        choose(page, label)
        wait_for_height(page, height)
        screen.wait_for_position(page, before + 1)
        assert screen.position(page) < before + 30
        page.wait_for_function("before => document.querySelector('video').webkitAudioDecodedByteCount > 0", arg=sound)
        screen.assert_picture(page)
    screen.assert_no_picture_fault(page)
    page.screenshot(path=screenshots / "quality.png")


def test_the_menu_is_used_by_the_keyboard_alone(page: Page, cluster, video):
    page.goto(f"{cluster.web}/#/watch/{video}")
    screen.wait_for_position(page, 1)
    expect(menu(page)).to_be_visible()
    menu(page).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    expect(menu(page).locator("option:checked")).to_have_text("360p")
    wait_for_height(page, 360)
    screen.assert_no_picture_fault(page)


def test_seeking_and_the_end_work_with_picture_and_sound_apart(page: Page, cluster, video):
    page.goto(f"{cluster.web}/#/watch/{video}")
    screen.wait_for_position(page, 0.5)
    for target in (33, 2, 21):
        page.evaluate("target => { document.querySelector('video').currentTime = target; }", target)
        screen.wait_for_position(page, target + 0.5)
        assert screen.position(page) < target + 8
    page.evaluate("document.querySelector('video').currentTime = 38")
    page.wait_for_function("() => document.querySelector('video').ended", timeout=screen.PLAY_MILLISECONDS)
    page.evaluate("void document.querySelector('video').play()")
    page.wait_for_function("() => (time => time > 0.5 && time < 30)(document.querySelector('video').currentTime)")
    screen.assert_picture(page)
    screen.assert_no_picture_fault(page)
