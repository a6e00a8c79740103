"""What is to be seen and done on the page, in short words."""

import json
from collections.abc import Callable
from typing import Any

from playwright.sync_api import Locator, Page, Route, expect

READY_MILLISECONDS = 90_000
PLAY_MILLISECONDS = 60_000

# Mean brightness and number of different colours of the frame that is shown, from a coarse copy of it.
FRAME = """() => {
    const video = document.querySelector("video");
    const canvas = Object.assign(document.createElement("canvas"), { width: 64, height: 36 });
    const painter = canvas.getContext("2d", { willReadFrequently: true });
    painter.drawImage(video, 0, 0, 64, 36);
    const data = painter.getImageData(0, 0, 64, 36).data;
    let sum = 0;
    const colours = new Set();
    for (let i = 0; i < data.length; i += 4) {
        sum += (data[i] + data[i + 1] + data[i + 2]) / 3;
        colours.add((data[i] >> 5) * 64 + (data[i + 1] >> 5) * 8 + (data[i + 2] >> 5));
    }
    return { brightness: sum / (data.length / 4), colours: colours.size, pixels: data.join() };
}"""


def card(page: Page, title: str) -> Locator:
    """The library's card of the video with exactly this title."""
    return page.locator(".card").filter(has=page.get_by_text(title, exact=True))


def upload_row(page: Page, title: str) -> Locator:
    return page.locator(".upload").filter(has=page.get_by_text(title, exact=True))


def wait_for_upload(page: Page, title: str) -> None:
    expect(upload_row(page, title)).to_have_attribute("data-status", "completed", timeout=READY_MILLISECONDS)


def open_library(page: Page, url: str) -> None:
    page.goto(url)
    expect(page.locator("#library")).to_have_attribute("aria-busy", "false")


def position(page: Page) -> float:
    return page.evaluate("document.querySelector('video').currentTime")


def wait_for_position(page: Page, seconds: float) -> None:
    page.wait_for_function(
        "seconds => document.querySelector('video').currentTime > seconds", arg=seconds, timeout=PLAY_MILLISECONDS)


def assert_picture(page: Page) -> str:
    """Asserts that the video shows a picture and no black or empty frame; the picture, for comparison."""
    frame = page.evaluate(FRAME)
    assert frame["brightness"] > 20, f"the frame is dark: {frame['brightness']}"
    assert frame["colours"] > 5, f"the frame has {frame['colours']} colours"
    return frame["pixels"]


def assert_no_picture_fault(page: Page) -> None:
    expect(page.locator("#player-message")).to_be_hidden()


def answer_with(page: Page, pattern: str, answer: Callable[[Any], Any], status: int = 200) -> None:
    """Answers the page's requests to an address of the site's API in the site's place."""

    def fulfil(route: Route) -> None:
        route.fulfill(status=status, content_type="application/json", body=json.dumps(answer(route.request)))

    page.route(pattern, fulfil)
