"""Fixtures of the tests that look at the web page through Chromium."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from Browser.watch import Watch

CHROMIUM = "/usr/bin/chromium"
ARGUMENTS = ["--no-sandbox", "--autoplay-policy=no-user-gesture-required"]
# The machine may have other things to do: what comes at all is waited for.
EXPECT_MILLISECONDS = 60_000
SCREENSHOTS = Path(__file__).parents[2] / ".build/screenshots"


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    expect.set_options(timeout=EXPECT_MILLISECONDS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 900}, permissions=["clipboard-read", "clipboard-write"])
    yield context
    context.close()


@pytest.fixture
def watch(context: BrowserContext, cluster) -> Iterator[Watch]:
    """Sees everything the pages of a test complain about and ask for; the test fails when something is not in order."""
    watch = Watch(context, [cluster.web, cluster.streaming])
    yield watch
    watch.assert_in_order()


@pytest.fixture
def page(context: BrowserContext, watch: Watch) -> Page:
    return context.new_page()


@pytest.fixture
def screenshots() -> Path:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    return SCREENSHOTS
