"""The planning chapter's calculator in a browser: by keyboard, on a phone, in the dark, unscripted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, expect

PLANNER = "chapters/planning/an_adequate_trial.html"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.goto(f"{address}/{PLANNER}", wait_until="networkidle")
    yield page
    context.close()


def number(page: Page, pattern: str) -> float:
    """Read a number from what the calculator says in words."""
    words = page.locator(".planner [data-part=words]").inner_text()
    found = re.search(pattern, words)
    assert found, words
    return float(re.sub(r"\s", "", found[1]))


def settled(page: Page) -> None:
    """Wait until the words have followed the slider."""
    page.wait_for_timeout(400)


def test_the_first_drawing_is_the_one_of_the_page(browser: Browser, address: str, page: Page):
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(f"{address}/{PLANNER}")
    for part in ("[data-part=curve]", "[data-part=here]"):
        shown = page.locator(f".planner {part}").evaluate("e => e.outerHTML")
        assert still.locator(f".planner {part}").evaluate("e => e.outerHTML") == shown
    words = ".planner [data-part=words]"
    assert still.locator(words).inner_text() == page.locator(words).inner_text()
    assert not still.locator(".planner form").is_visible()
    assert still.get_by_text("The sliders need JavaScript").is_visible()
    assert not page.get_by_text("The sliders need JavaScript").is_visible()
    assert still.locator(".planner svg").is_visible()
    context.close()


def test_arrow_keys_move_patients_and_power(page: Page):
    slider = page.get_by_label("Patients", exact=True)
    before, at = number(page, r"power is (\d+) %"), slider.input_value()
    mark = page.locator(".planner [data-part=here]")
    x = float(mark.get_attribute("cx"))
    slider.focus()
    for _ in range(100):
        page.keyboard.press("ArrowRight")
    settled(page)
    assert int(slider.input_value()) == int(at) + 1000
    assert number(page, r"With ([\d\s]+) patients") == int(at) + 1000
    assert number(page, r"power is (\d+) %") > before
    assert float(mark.get_attribute("cx")) == pytest.approx(x + 92, abs=0.2)
    assert page.locator("output[for=planner-patients]").inner_text() == str(int(at) + 1000)


def test_doubling_the_step_quadruples_what_chance_does_not_give(page: Page):
    slider = page.get_by_label("Days moved at the start")
    f, needed = (number(page, p) for p in (r"F is ([\d.]+)", r"takes ([\d\s]+) patients"))
    slider.focus()
    for _ in range(10):
        page.keyboard.press("ArrowRight")
    settled(page)
    assert slider.get_attribute("aria-valuetext") == "10.0 days in 30"
    assert number(page, r"F is ([\d.]+)") - 1 == pytest.approx(4 * (f - 1), rel=0.03)
    assert number(page, r"takes ([\d\s]+) patients") == pytest.approx(needed / 4, rel=0.001)


def test_every_slider_changes_the_curve(page: Page):
    curve = page.locator(".planner [data-part=curve]")
    for label in ("Days moved at the start", "Half of the step", "Ten days lower the score by"):
        before = curve.get_attribute("d")
        page.get_by_label(label).focus()
        page.keyboard.press("End")
        assert curve.get_attribute("d") != before, label


def test_a_screen_reader_is_told_once_and_politely(page: Page):
    drawing = page.get_by_role("img", name="Power against the number of patients")
    expect(drawing).to_have_count(1)
    words = page.locator(".planner [data-part=words]")
    assert words.get_attribute("aria-live") == "polite"
    page.evaluate(
        "said = 0; new MutationObserver(() => said++).observe("
        "document.querySelector('[data-part=words]'), { childList: true })"
    )
    page.get_by_label("Patients", exact=True).focus()
    for _ in range(20):
        page.keyboard.press("ArrowLeft")
    settled(page)
    assert page.evaluate("said") < 10
    assert page.locator(".planner desc").text_content() == words.text_content()
    assert page.locator(".planner output:not([aria-live=off])").count() == 0


def test_on_a_phone_sliders_can_be_touched(page: Page):
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for slider in page.locator(".planner input").all():
        box = slider.bounding_box()
        assert box["width"] > 250
        assert box["height"] >= 24
    drawing = page.locator(".planner svg").bounding_box()
    assert 250 < drawing["width"] <= PHONE["width"]


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_drawn_in_the_colours_of_the_page(browser: Browser, address: str, mode: str):
    context = browser.new_context(viewport=DESK, color_scheme=mode)
    context.add_init_script(f"localStorage.setItem('mode', '{mode}')")
    page = context.new_page()
    page.goto(f"{address}/{PLANNER}", wait_until="networkidle")
    colours = page.evaluate(
        """() => ['.planner text fill', '.planner .curve stroke', 'body backgroundColor']
        .map(s => s.split(' ')).map(p => getComputedStyle(
            document.querySelector(p.slice(0, -1).join(' ')))[p.at(-1)])"""
    )
    text, curve, ground = (
        sum(w * int(v) for w, v in zip((0.3, 0.6, 0.1), re.findall(r"\d+", colour), strict=False))
        for colour in colours
    )
    assert (ground < 64) == (mode == "dark")
    assert abs(text - ground) > 150
    assert abs(curve - ground) > 80
    page.locator(".planner").evaluate("e => e.scrollIntoView()")
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf8"))
    found = page.evaluate("axe.run('.planner').then(r => r.violations.map(v => v.id))")
    assert found == []
    context.close()


def test_on_paper_there_are_no_sliders(page: Page):
    page.emulate_media(media="print")
    assert page.locator(".planner svg").is_visible()
    assert not page.locator(".planner input").first.is_visible()
    assert page.locator(".planner output").first.is_visible()


def test_other_pages_do_not_load_it(browser: Browser, address: str):
    page = browser.new_page()
    page.goto(f"{address}/chapters/index.html", wait_until="networkidle")
    assert page.locator("script[src*=planner]").count() == 0
    page.close()
