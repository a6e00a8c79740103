"""Videos that are watched on the page."""

import pytest
import requests
from playwright.sync_api import Page, Route, expect

from Browser import screen


@pytest.fixture(scope="module")
def minute(cluster, sample_video) -> str:
    """A video of a minute: longer than what the player fetches ahead."""
    return cluster.store(sample_video(seconds=60), title="A minute")


def is_media(url: str, streaming: str) -> bool:
    return url.startswith(streaming) and not url.endswith((".m3u8", ".jpg"))


def test_pressing_play_plays_past_ten_seconds_and_counts_one_view(page: Page, cluster, minute):
    views = f"{cluster.metadata}/video/{minute}/popularity"
    before = requests.get(views, timeout=10).json()["view_count"]
    screen.open_library(page, cluster.web)
    screen.card(page, "A minute").get_by_role("link").click()
    expect(page).to_have_url(f"{cluster.web}/#/watch/{minute}")
    screen.wait_for_position(page, 1)
    first = screen.assert_picture(page)
    screen.wait_for_position(page, 10)
    assert screen.assert_picture(page) != first
    screen.assert_no_picture_fault(page)
    assert requests.get(views, timeout=10).json()["view_count"] == before + 1


def test_seeking_fetches_the_segment_there_and_plays_on(page: Page, cluster, minute):
    page.goto(f"{cluster.web}/#/watch/{minute}")
    screen.wait_for_position(page, 0.5)
    for target in (52, 3, 40):
        page.evaluate("target => { document.querySelector('video').currentTime = target; }", target)
        screen.wait_for_position(page, target + 0.5)
        assert screen.position(page) < target + 8
        screen.assert_picture(page)
    screen.assert_no_picture_fault(page)


@pytest.mark.parametrize("updates", [0, 1])
def test_after_its_end_a_video_plays_from_where_nothing_was_fetched(page: Page, cluster, minute, updates):
    page.goto(f"{cluster.web}/#/watch/{minute}")
    page.wait_for_function("() => (b => b.length > 0 && b.end(0) > 31)(document.querySelector('video').buffered)")
    page.evaluate("document.querySelector('video').currentTime = 58")
    page.wait_for_function("() => document.querySelector('video').ended", timeout=screen.PLAY_MILLISECONDS)
    # Enough is buffered here: the stream stays ended, and the next seek is the first thing that needs a segment.
    page.evaluate("document.querySelector('video').currentTime = 0.2")
    page.wait_for_function("() => !document.querySelector('video').seeking")
    for _ in range(updates):
        page.evaluate("void document.querySelector('video').dispatchEvent(new Event('timeupdate'))")
    page.evaluate("document.querySelector('video').currentTime = 44")
    page.evaluate("void document.querySelector('video').play()")
    screen.wait_for_position(page, 44.5)
    screen.assert_picture(page)
    screen.assert_no_picture_fault(page)


def test_the_player_fetches_about_half_a_minute_ahead_and_no_more(page: Page, cluster, minute):
    page.goto(f"{cluster.web}/#/watch/{minute}")
    screen.wait_for_position(page, 0.5)
    page.evaluate("document.querySelector('video').pause()")
    ahead = "() => { const v = document.querySelector('video'); return v.buffered.end(0) - v.currentTime; }"
    page.wait_for_function(f"() => ({ahead})() > 25")
    # Whatever is under way has arrived when the page asks for nothing more.
    page.wait_for_load_state("networkidle")
    assert page.evaluate(ahead) < 45


def test_a_video_ends_and_can_be_played_again(page: Page, cluster, minute):
    page.goto(f"{cluster.web}/#/watch/{minute}")
    screen.wait_for_position(page, 0.2)
    page.evaluate("document.querySelector('video').currentTime = 58")
    page.wait_for_function("() => document.querySelector('video').ended", timeout=screen.PLAY_MILLISECONDS)
    page.evaluate("void document.querySelector('video').play()")
    page.wait_for_function("() => (time => time > 0.5 && time < 50)(document.querySelector('video').currentTime)")
    screen.assert_picture(page)
    screen.assert_no_picture_fault(page)


def test_segments_that_fail_are_fetched_again(page: Page, cluster, watch, minute):
    watch.expect("status of 503")
    failed: list[str] = []

    def refuse_twice(route: Route) -> None:
        if is_media(route.request.url, cluster.streaming) and len(failed) < 2:
            failed.append(route.request.url)
            route.fulfill(status=503, headers={"Access-Control-Allow-Origin": "*"}, body="")
        else:
            route.continue_()

    page.route(f"{cluster.streaming}/**", refuse_twice)
    page.goto(f"{cluster.web}/#/watch/{minute}")
    screen.wait_for_position(page, 1)
    assert len(failed) == 2
    screen.assert_picture(page)


def test_a_stream_that_is_gone_says_so_and_can_be_tried_again(page: Page, cluster, watch, minute):
    watch.expect("status of 404")
    page.route(
        f"{cluster.streaming}/**/master.m3u8",
        lambda route: route.fulfill(status=404, headers={"Access-Control-Allow-Origin": "*"}, body="{}"))
    page.goto(f"{cluster.web}/#/watch/{minute}")
    expect(page.locator("#player-status")).to_have_text("The streaming service does not have this video.")
    page.unroute(f"{cluster.streaming}/**/master.m3u8")
    page.get_by_role("button", name="Try again").click()
    screen.wait_for_position(page, 0.5)
    screen.assert_no_picture_fault(page)


def test_without_media_source_the_browser_plays_hls_itself(page: Page, cluster, minute):
    page.add_init_script("delete window.MediaSource")
    page.goto(f"{cluster.web}/#/watch/{minute}")
    if page.evaluate("document.createElement('video').canPlayType('application/vnd.apple.mpegurl')"):
        screen.wait_for_position(page, 1)
        assert page.evaluate("document.querySelector('video').src").endswith("/master.m3u8")
    else:
        sentence = "This browser can play neither Media Source streams nor HLS."
        expect(page.locator("#player-status")).to_have_text(sentence)


def test_an_address_of_no_video_says_so(page: Page, cluster, watch):
    watch.expect("status of 404")
    page.goto(f"{cluster.web}/#/watch/00000000-0000-4000-8000-000000000000")
    expect(page.locator("#player-status")).not_to_be_empty()
    expect(page.locator("#player-message")).to_have_class("stage-message is-error")
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Library")).to_be_visible()


def test_the_addresses_can_be_copied_and_lead_somewhere(page: Page, cluster, minute):
    page.goto(f"{cluster.web}/#/watch/{minute}")
    for label in ("HLS", "Manifest", "Original file"):
        page.get_by_role("button", name=f"Copy the address: {label}").click()
        expect(page.locator(".icon-button.is-done")).to_have_count(1)
        address = page.evaluate("navigator.clipboard.readText()")
        with requests.get(address, timeout=10, stream=True) as answer:
            assert answer.status_code == 200, address
        expect(page.locator(".icon-button.is-done")).to_have_count(0)
