"""The consensus page: what acceptors really have, and the scenarios step by step."""

import re

import pytest
import requests
from playwright.sync_api import Page, expect

from Browser import screen


@pytest.fixture(scope="module")
def clip(cluster, sample_video) -> str:
    return cluster.store(sample_video(seconds=12, width=640, height=360), title="Agreed on")


def test_a_chunk_shows_its_real_acceptors(page: Page, cluster, clip, screenshots):
    page.goto(f"{cluster.web}/consensus?video={clip}")
    expect(page.locator("#phase")).to_have_text("Chosen and recorded")
    chunk = page.locator("#chunk-choice").input_value()
    state = cluster.get_json(f"{cluster.metadata}/consensus/{chunk}")
    cards = page.locator(".acceptor")
    expect(cards).to_have_count(3)
    for index, acceptor in enumerate(state["acceptors"]):
        card = cards.nth(index)
        expect(card.get_by_role("heading")).to_have_text(acceptor["node_id"])
        expect(card).to_contain_text(acceptor["acceptor_id"][:12])
        expect(card).to_contain_text(acceptor["accepted_ballot"])
        expect(card).to_contain_text(acceptor["accepted_value"]["checksum"].removeprefix("sha256:")[:12])
    expect(page.locator("#facts")).to_contain_text("2 of 3 acceptors")
    expect(page.locator("#facts")).to_contain_text(state["group"])
    page.screenshot(path=screenshots / "consensus.png", full_page=True)


def test_an_acceptor_that_does_not_answer_says_so(page: Page, cluster, clip):
    def silence(request) -> dict:
        chunk = request.url.rsplit("/", 1)[1]
        state = requests.get(f"{cluster.metadata}/consensus/{chunk}", timeout=30).json()
        gone = state["acceptors"][0]
        named = {key: gone[key] for key in ("node_id", "node_url", "acceptor_id")}
        state["acceptors"][0] = named | {"error": "it did not answer"}
        return state

    screen.answer_with(page, "**/api/consensus/*", silence)
    page.goto(f"{cluster.web}/consensus.html?video={clip}")
    first = page.locator(".acceptor").first
    expect(first.locator(".acceptor-error")).to_have_text("It did not answer.")
    expect(first.locator(".dot")).to_have_attribute("data-status", "down")


@pytest.mark.parametrize("title", ["A commit", "Two rivals", "A node is down"])
def test_a_scenario_is_told_step_by_step(page: Page, cluster, screenshots, title):
    page.goto(f"{cluster.web}/consensus")
    page.get_by_role("button", name=title, exact=True).click()
    expect(page.get_by_role("button", name=title, exact=True)).to_have_attribute("aria-pressed", "true")
    count, happened = page.locator("#step-count"), page.locator(".event:not([hidden])")
    expect(count).to_have_text(re.compile(r"^Step 0 of \d+$"))
    expect(happened).to_have_count(0)
    expect(page.get_by_role("button", name="Back", exact=True)).to_be_disabled()
    page.get_by_role("button", name="Next step").click()
    expect(happened).to_have_count(1)
    expect(page.locator("#step-text")).to_have_text(re.compile(r"^\d+\.\d\d ms"))
    page.get_by_role("button", name="To the end").click()
    total = int(count.inner_text().split()[-1])
    expect(count).to_have_text(f"Step {total} of {total}")
    expect(happened).to_have_count(total)
    expect(page.get_by_role("button", name="Next step")).to_be_disabled()
    expect(page.locator("#states .state").last).not_to_contain_text("nothing yet")
    assert page.locator(".lane-name").count() >= 4
    page.screenshot(path=screenshots / f"scenario-{title.replace(' ', '-').lower()}.png", full_page=True)
    page.get_by_role("button", name="Start over").click()
    expect(happened).to_have_count(0)


def test_without_videos_the_page_says_so(page: Page, cluster):
    screen.answer_with(page, "**/api/videos?*", lambda _: [])
    page.goto(f"{cluster.web}/consensus")
    expect(page.locator("#chunk-notice")).to_contain_text("There is no video yet")
    expect(page.get_by_role("link", name="Library", exact=True)).to_have_attribute("href", "/")
