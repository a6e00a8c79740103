"""How the page looks, and how it is for those who do not use a mouse or do not see it."""

import re

import pytest
from playwright.sync_api import Browser, Page, expect

from Browser import screen
from Browser.watch import Watch


@pytest.fixture(scope="module")
def clip(cluster, sample_video) -> str:
    return cluster.store(sample_video(seconds=12, width=640, height=360), title="By keyboard")


def test_everything_can_be_done_by_keyboard(page: Page, cluster, clip):
    screen.open_library(page, cluster.web)
    link = screen.card(page, "By keyboard").get_by_role("link")
    expect(link).to_be_visible()
    page.keyboard.press("Tab")
    expect(page.get_by_text("Skip to the library")).to_be_focused()
    reached = []
    for _ in range(60):
        page.keyboard.press("Tab")
        reached.append(page.evaluate("document.activeElement.id || document.activeElement.className"))
        if page.evaluate("link => document.activeElement === link", link.element_handle()):
            break
    expect(link).to_be_focused()
    assert "file-input" in reached, reached

    page.keyboard.press("Enter")
    expect(page.locator("#video")).to_be_focused()
    screen.wait_for_position(page, 0.5)
    page.keyboard.press("Space")
    page.wait_for_function("() => document.querySelector('video').paused")
    page.keyboard.press("Escape")
    expect(page.locator("#player")).to_be_hidden()
    expect(page).to_have_url(re.compile(re.escape(cluster.web) + "/?$"))
    expect(link).to_be_focused()

    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("#confirm")).to_be_hidden()
    expect(screen.card(page, "By keyboard")).to_have_count(1)


def test_what_has_the_focus_shows_it(page: Page, cluster, clip):
    screen.open_library(page, cluster.web)
    expect(screen.card(page, "By keyboard")).to_be_visible()
    outlined = "element => parseFloat(getComputedStyle(element).outlineWidth) >= 2"
    page.keyboard.press("Tab")
    for _ in range(4):
        page.keyboard.press("Tab")
        focused = page.evaluate_handle(
            """() => {
                const element = document.activeElement;
                if (element.id === "file-input") return document.querySelector("#drop-zone");
                return element;
            }""")
        shown = page.evaluate(outlined, focused) or page.evaluate(
            "element => parseFloat(getComputedStyle(element, '::after').outlineWidth) >= 2", focused)
        assert shown, page.evaluate("element => element.outerHTML.slice(0, 200)", focused)


def test_everything_has_a_name_for_screen_readers(page: Page, cluster, clip):
    page.goto(f"{cluster.web}/#/watch/{clip}")
    expect(page.locator("#player-title")).to_have_text("By keyboard")
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("a, button, input, dialog, [role=progressbar]")]
            .filter((element) => {
                const labelled = element.getAttribute("aria-labelledby");
                const label = element.getAttribute("aria-label") || (labelled && document.getElementById(labelled)?.textContent)
                    || element.textContent || [...(element.labels ?? [])].map((label) => label.textContent).join("");
                return !label.trim();
            })
            .map((element) => element.outerHTML.slice(0, 120))""")
    assert not nameless, nameless
    assert page.locator("html").get_attribute("lang") == "en"
    assert page.locator("[aria-live=polite]").count() >= 2


# A ratio of 4.5 is what WCAG 2 asks of text.
CONTRAST = """() => {
    const channel = (value) => (value <= 0.03928 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    const parse = (colour) => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 1, height: 1 });
        const painter = canvas.getContext("2d");
        painter.fillStyle = colour;
        painter.fillRect(0, 0, 1, 1);
        return [...painter.getImageData(0, 0, 1, 1).data];
    };
    const light = (colour) => {
        const [red, green, blue] = parse(colour).map((value) => channel(value / 255));
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const background = (element) => {
        for (let at = element; at; at = at.parentElement) {
            const colour = getComputedStyle(at).backgroundColor;
            if (parse(colour)[3] === 255) return colour;
        }
        return "white";
    };
    const selectors = "h2, .drop-title, .drop-hint, .drop-action, .card-title a, .card-meta, .section-count, summary";
    return [...document.querySelectorAll(selectors)].filter((element) => element.checkVisibility()).map((element) => {
        const pair = [light(getComputedStyle(element).color), light(background(element))].sort((a, b) => b - a);
        return { name: element.className || element.tagName, ratio: (pair[0] + 0.05) / (pair[1] + 0.05) };
    });
}"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_background(browser: Browser, cluster, clip, scheme):
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    screen.open_library(page, cluster.web)
    expect(screen.card(page, "By keyboard")).to_be_visible()
    measured = page.evaluate(CONTRAST)
    assert len(measured) >= 7
    assert not [text for text in measured if text["ratio"] < 4.5]
    context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 844)])
def test_the_page_fits_every_screen(browser: Browser, cluster, clip, screenshots, scheme, width, height):
    """Also keeps pictures of it, to be looked at."""
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": height})
    watch = Watch(context, [cluster.web, cluster.streaming])
    page = context.new_page()
    screen.open_library(page, cluster.web)
    expect(screen.card(page, "By keyboard").locator("img")).to_be_visible()
    dark = page.evaluate("getComputedStyle(document.body).backgroundColor") != "rgb(245, 246, 249)"
    assert dark == (scheme == "dark")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    page.screenshot(path=screenshots / f"library-{scheme}-{width}.png")
    page.goto(f"{cluster.web}/#/watch/{clip}")
    screen.wait_for_position(page, 2)
    screen.assert_picture(page)
    box = page.locator("#player").bounding_box()
    assert box and box["x"] >= 0 and box["x"] + box["width"] <= width
    page.screenshot(path=screenshots / f"player-{scheme}-{width}.png")
    watch.assert_in_order()
    context.close()
