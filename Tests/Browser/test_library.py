"""The library, also where it is hard to look good."""

from urllib.parse import parse_qs, urlsplit

import requests
from playwright.sync_api import Page, Request, expect

from Browser import screen


def video(number: int, **changes) -> dict:
    return {
        "video_id": f"00000000-0000-4000-8000-{number:012}", "title": f"Video {number}", "duration_sec": 61.5,
        "total_chunks": 9, "status": "active", "created_at": "2024-11-06T10:30:00Z", "view_count": number,
        "size_bytes": 1_500_000, "error": None, "has_thumbnail": False, **changes,
    }


def show(page: Page, videos: list[dict]) -> None:
    """Makes the page believe that the library holds these."""

    def part(request: Request) -> list[dict]:
        query = parse_qs(urlsplit(request.url).query)
        offset = int(query["offset"][0])
        return videos[offset:offset + int(query["limit"][0])]

    screen.answer_with(page, "**/api/videos?*", part)


def test_a_title_with_markup_is_text(page: Page, cluster, sample_video):
    title = '<script>document.title = "hacked"</script><img src=x onerror="alert(1)">'
    cluster.store(sample_video(seconds=2), title=title)
    screen.open_library(page, cluster.web)
    card = screen.card(page, title)
    expect(card).to_have_count(1)
    card.get_by_role("link").click()
    expect(page.locator("#player-title")).to_have_text(title)
    assert page.locator("main script, main img[src=x], dialog script").count() == 0
    screen.wait_for_position(page, 0.2)


def test_deleting_asks_first_and_then_deletes(page: Page, cluster, sample_video):
    video_id = cluster.store(sample_video(seconds=2), title="To be deleted")
    address = f"{cluster.metadata}/manifest/{video_id}"
    screen.open_library(page, cluster.web)
    card = screen.card(page, "To be deleted")
    card.get_by_role("button", name="Delete To be deleted").click()
    expect(page.locator("#confirm-text")).to_contain_text("To be deleted")
    page.get_by_role("button", name="Keep it").click()
    expect(card).to_have_count(1)
    assert requests.get(address, timeout=10).status_code == 200

    card.get_by_role("button", name="Delete To be deleted").click()
    page.get_by_role("button", name="Delete", exact=True).click()
    expect(card).to_have_count(0)
    assert requests.get(address, timeout=10).status_code == 404


def test_an_empty_library_says_so(page: Page, cluster):
    show(page, [])
    screen.open_library(page, cluster.web)
    expect(page.get_by_text("Nothing here yet")).to_be_visible()


def test_a_thousand_videos_come_page_by_page(page: Page, cluster):
    show(page, [video(number) for number in range(1000)])
    screen.open_library(page, cluster.web)
    more = page.get_by_role("button", name="Load more")
    cards = page.locator(".card")
    expect(cards).to_have_count(24)
    more.click()
    expect(cards).to_have_count(48)
    expect(page.get_by_role("link", name="Play Video 24,")).to_be_focused()
    clicks = 0
    while more.is_visible():
        shown = cards.count()
        more.click()
        expect(cards).not_to_have_count(shown)
        clicks += 1
        assert clicks < 50
    expect(cards).to_have_count(1000)
    titles = page.locator(".card-title").all_inner_texts()
    assert titles == [f"Video {number}" for number in range(1000)]


def test_uploading_and_failed_videos_say_so_and_cannot_be_played(page: Page, cluster):
    reason = "'holiday.mp4' holds no video stream"
    show(page, [video(1, status="uploading"), video(2, status="failed", error=reason)])
    screen.open_library(page, cluster.web)
    expect(screen.card(page, "Video 1").locator(".badge")).to_have_text("Uploading")
    expect(screen.card(page, "Video 2").locator(".badge")).to_have_text("Failed")
    expect(screen.card(page, "Video 2").locator(".card-error")).to_have_text(reason)
    expect(page.locator(".card").get_by_role("link")).to_have_count(0)


def test_long_titles_break_nothing(page: Page, cluster):
    show(page, [video(1, title="word " * 2000), video(2, title="x" * 10_000), video(3, title="")])
    page.set_viewport_size({"width": 390, "height": 844})
    screen.open_library(page, cluster.web)
    expect(page.locator(".card")).to_have_count(3)
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert all(box["height"] < 400 for box in (card.bounding_box() for card in page.locator(".card").all()))
    expect(screen.card(page, "Untitled")).to_have_count(1)


def test_a_service_that_does_not_answer_is_named_until_it_does(page: Page, cluster, watch):
    watch.expect("status of 503")
    healthy = {name: {"status": "healthy", "url": ""} for name in ("metadata", "uploader", "streaming")}
    broken = healthy | {"metadata": {"status": "unreachable", "url": "", "error": "gone"}}
    screen.answer_with(page, "**/api/videos?*", lambda _: {"detail": "the metadata service does not answer"}, status=503)
    screen.answer_with(page, "**/api/stats", lambda _: {"detail": "the metadata service does not answer"}, status=503)
    screen.answer_with(page, "**/api/health", lambda _: {"status": "degraded", "services": broken})
    page.goto(cluster.web)
    expect(page.get_by_role("alert")).to_contain_text("The metadata service does not answer")
    expect(page.locator("#nodes")).to_contain_text("unknown")
    expect(page.get_by_text("Nothing here yet")).to_be_hidden()
    page.unroute_all()
    expect(page.locator("#banner")).to_be_hidden(timeout=30_000)


def test_the_strip_shows_the_nodes(page: Page, cluster):
    screen.open_library(page, cluster.web)
    nodes = requests.get(f"{cluster.metadata}/nodes/all", timeout=10).json()["nodes"]
    expect(page.locator("#nodes-dots .dot")).to_have_count(len(nodes))
    page.locator("#nodes summary").click()
    expect(page.locator("#nodes-list li")).to_have_count(len(nodes))
    for node in nodes:
        expect(page.locator("#nodes-list")).to_contain_text(node["node_id"])
