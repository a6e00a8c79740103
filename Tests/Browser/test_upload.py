"""Files that go in by the page."""

import base64
import shutil

import pytest
from playwright.sync_api import Page, expect

from Browser import screen


@pytest.fixture
def named(sample_video, tmp_path):
    """A sample video under a name of the test's own."""

    def make(name: str, **description):
        return shutil.copy(sample_video(**description), tmp_path / name)

    return make


def test_a_chosen_file_shows_its_progress_and_appears_with_a_thumbnail(page: Page, cluster, named):
    screen.open_library(page, cluster.web)
    page.evaluate("""() => {
        window.seen = [];
        const note = () => {
            const bar = document.querySelector(".upload [role=progressbar]");
            if (bar?.ariaValueNow) window.seen.push(Number(bar.ariaValueNow));
        };
        new MutationObserver(note).observe(document.querySelector("#uploads"), { subtree: true, attributes: true });
    }""")
    page.set_input_files("#file-input", named("Chosen by hand.mp4", seconds=6))
    screen.wait_for_upload(page, "Chosen by hand")

    seen = page.evaluate("window.seen")
    assert seen == sorted(seen), f"progress went back: {seen}"
    assert seen[-1] == 100
    assert any(0 < value < 100 for value in seen), seen

    card = screen.card(page, "Chosen by hand")
    expect(card).to_have_attribute("data-status", "active")
    expect(card.locator(".pill")).to_have_text("0:06")
    picture = card.locator("img")
    expect(picture).to_be_visible()
    page.wait_for_function("picture => picture.complete && picture.naturalWidth > 0", arg=picture.element_handle())
    expect(page.get_by_role("link", name="Play Chosen by hand", exact=True)).to_be_visible()


def test_a_dropped_file_is_taken(page: Page, cluster, named):
    screen.open_library(page, cluster.web)
    content = base64.b64encode(open(named("dropped.mp4", seconds=2), "rb").read()).decode()
    transfer = page.evaluate_handle(
        """content => {
            const bytes = Uint8Array.from(atob(content), (character) => character.charCodeAt(0));
            const transfer = new DataTransfer();
            transfer.items.add(new File([bytes], "Dropped.mp4", { type: "video/mp4" }));
            return transfer;
        }""", content)
    page.dispatch_event("#drop-zone", "dragover", {"dataTransfer": transfer})
    expect(page.locator("#drop-zone")).to_have_class("drop-zone is-over")
    page.dispatch_event("#drop-zone", "drop", {"dataTransfer": transfer})
    expect(page.locator("#drop-zone")).to_have_class("drop-zone")
    screen.wait_for_upload(page, "Dropped")
    expect(screen.card(page, "Dropped")).to_have_attribute("data-status", "active")


def test_several_files_all_arrive(page: Page, cluster, named):
    screen.open_library(page, cluster.web)
    page.set_input_files("#file-input", [named(f"One of four {number}.mp4", seconds=2) for number in range(4)])
    for number in range(4):
        screen.wait_for_upload(page, f"One of four {number}")
        expect(screen.card(page, f"One of four {number}")).to_have_attribute("data-status", "active")


def test_text_that_calls_itself_mp4_says_why_it_is_refused(page: Page, cluster, watch, tmp_path):
    watch.expect("status of 400")
    liar = tmp_path / "Shopping list.mp4"
    liar.write_text("milk, bread, apples\n" * 50)
    screen.open_library(page, cluster.web)
    page.set_input_files("#file-input", liar)
    row = screen.upload_row(page, "Shopping list")
    expect(row).to_have_attribute("data-status", "failed", timeout=screen.READY_MILLISECONDS)
    reason = row.locator(".upload-status").inner_text()
    assert len(reason) > 15 and " " in reason, reason
    expect(page.locator("#upload-announcer")).to_have_text(f"Shopping list: Failed: {reason}")
    row.get_by_role("button", name="Remove Shopping list from this list").click()
    expect(row).to_have_count(0)


def test_an_empty_file_says_why_it_is_refused(page: Page, cluster, watch, tmp_path):
    watch.expect("status of 400")
    empty = tmp_path / "Nothing.mp4"
    empty.touch()
    screen.open_library(page, cluster.web)
    page.set_input_files("#file-input", empty)
    row = screen.upload_row(page, "Nothing")
    expect(row).to_have_attribute("data-status", "failed", timeout=screen.READY_MILLISECONDS)
    expect(row.locator(".upload-status")).not_to_be_empty()
