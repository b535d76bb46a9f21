"""The figure of estimators in a browser: by keyboard, on a phone, in the dark, unscripted, printed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

import pytest
from playwright.sync_api import Browser, Page, expect

CHAPTER = "chapters/planning/the_estimators_under_the_microscope.html"
PHONE, DESK = {"width": 390, "height": 844}, {"width": 1280, "height": 900}


@pytest.fixture
def page(browser: Browser, address: str) -> Iterator[Page]:
    context = browser.new_context(viewport=DESK)
    page = context.new_page()
    page.goto(f"{address}/{CHAPTER}", wait_until="networkidle")
    yield page
    context.close()


def number(page: Page, pattern: str) -> float:
    """Read a number from what the figure says in words."""
    words = page.locator(".microscope [data-part=words]").inner_text()
    found = re.search(pattern, words)
    assert found, words
    return float(found[1].replace("\u2212", "-"))


def settled(page: Page) -> None:
    """Wait until the words have followed the slider."""
    page.wait_for_timeout(400)


def press(page: Page, label: str, *keys: str) -> None:
    page.get_by_label(label, exact=True).focus()
    for key in keys:
        page.keyboard.press(key)
    settled(page)


def test_the_first_drawing_is_the_one_of_the_page(browser: Browser, address: str, page: Page):
    context = browser.new_context(java_script_enabled=False)
    still = context.new_page()
    still.goto(f"{address}/{CHAPTER}")

    def drawn(of: Page) -> list[str]:
        parts = of.locator(".microscope svg [data-part]")
        return parts.evaluate_all("all => all.map(e => e.outerHTML)")

    assert len(drawn(still)) == 4 * 5 + 7 * 2 + 1
    assert drawn(still) == drawn(page)
    words = ".microscope [data-part=words]"
    assert still.locator(words).inner_text() == page.locator(words).inner_text()
    assert not still.locator(".microscope form").is_visible()
    assert still.get_by_text("The sliders need JavaScript. The drawing shows one").is_visible()
    assert page.locator(".microscope form").is_visible()
    assert not page.get_by_text("The sliders need JavaScript. The drawing").is_visible()
    context.close()


def test_arrow_keys_make_the_instrument_stronger(page: Page):
    slider = page.get_by_label("Strength", exact=True)
    assert number(page, r"mean F ([\d.]+)") == 4
    median, unbounded = (number(page, p) for p in (r"median is (\S+);", r"([\d.]+) % of the And"))
    hill = page.locator(".microscope [data-part=hill1]").get_attribute("d")
    press(page, "Strength", "ArrowRight", "ArrowRight", "ArrowRight")
    assert slider.input_value() == "5"
    assert slider.get_attribute("aria-valuetext") == "concentration 24"
    assert page.locator("output[for=microscope-strength]").inner_text() == "concentration 24"
    assert number(page, r"mean F ([\d.]+)") == 25
    assert abs(number(page, r"median is (\S+);")) <= abs(median)
    assert number(page, r"([\d.]+) % of the And") < unbounded
    assert page.locator(".microscope [data-part=hill1]").get_attribute("d") != hill


def test_endogeneity_moves_least_squares_and_breaks_the_t_test(page: Page):
    press(page, "Endogeneity", "End")
    press(page, "Strength", "Home", "ArrowRight")
    assert number(page, r"least squares is (\d\.\d+)") == pytest.approx(0.95, abs=0.011)
    assert number(page, r"rejects the true effect in ([\d.]+)") > 15
    assert number(page, r"Anderson-Rubin in ([\d.]+) %") == pytest.approx(5, abs=0.3)
    bar = float(page.locator(".microscope [data-part=bar0]").get_attribute("width"))
    honest = float(page.locator(".microscope [data-part=bar4]").get_attribute("width"))
    assert bar > 3 * honest > 0


def test_instruments_and_hypothesis_are_chosen_by_keyboard(page: Page):
    tf = page.locator(".microscope [data-part=rate3]")
    assert tf.text_content() != "does not exist"
    press(page, "one", "ArrowRight")
    assert page.get_by_label("six", exact=True).is_checked()
    assert tf.text_content() == "does not exist"
    assert number(page, r"CLR in ([\d.]+)") == pytest.approx(5, abs=0.3)
    press(page, "0, the truth", "ArrowRight", "ArrowRight")
    asked = page.locator(".microscope [data-part=asked]")
    assert asked.text_content() == "how often tests at 5 % reject an effect of 1"
    assert number(page, r"an effect of 1 in ([\d.]+)") > 10


def test_a_screen_reader_is_told_once_and_politely(page: Page):
    expect(page.get_by_role("img", name="Laws of four estimators")).to_have_count(1)
    expect(page.get_by_role("group", name="Effect tested")).to_have_count(1)
    words = page.locator(".microscope [data-part=words]")
    assert words.get_attribute("aria-live") == "polite"
    page.evaluate(
        "said = 0; new MutationObserver(() => said++).observe("
        "document.querySelector('.microscope [data-part=words]'), { childList: true })"
    )
    press(page, "Strength", *["ArrowRight"] * 4, *["ArrowLeft"] * 7)
    assert page.evaluate("said") < 5
    assert page.locator(".microscope desc").text_content() == words.text_content()
    assert page.locator(".microscope output:not([aria-live=off])").count() == 0


def test_on_a_phone_everything_can_be_read_and_touched(page: Page):
    page.set_viewport_size(PHONE)
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    for slider in page.locator(".microscope input[type=range]").all():
        box = slider.bounding_box()
        assert box["width"] > 250
        assert box["height"] >= 24
    for label in page.locator(".microscope fieldset label").all():
        assert label.bounding_box()["height"] >= 24
    drawing = page.locator(".microscope svg").bounding_box()
    assert 250 < drawing["width"] <= PHONE["width"]
    for text in page.locator(".microscope svg text").all():
        box = text.bounding_box()
        if box is not None and text.text_content():
            assert box["height"] > 10
            assert box["x"] >= drawing["x"] - 1
            assert box["x"] + box["width"] <= drawing["x"] + drawing["width"] + 2


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_drawn_in_the_colours_of_the_page(browser: Browser, address: str, mode: str):
    context = browser.new_context(viewport=DESK, color_scheme=mode)
    context.add_init_script(f"localStorage.setItem('mode', '{mode}')")
    page = context.new_page()
    page.goto(f"{address}/{CHAPTER}", wait_until="networkidle")
    colours = page.evaluate(
        """() => ['.microscope text fill', '.microscope .bar fill', 'body backgroundColor']
        .map(s => s.split(' ')).map(p => getComputedStyle(
            document.querySelector(p.slice(0, -1).join(' ')))[p.at(-1)])"""
    )
    text, bar, ground = (
        sum(w * int(v) for w, v in zip((0.3, 0.6, 0.1), re.findall(r"\d+", colour), strict=False))
        for colour in colours
    )
    assert (ground < 64) == (mode == "dark")
    assert abs(text - ground) > 150
    assert abs(bar - ground) > 80
    page.locator(".microscope").evaluate("e => e.scrollIntoView()")
    page.evaluate(files("axe_playwright_python").joinpath("axe.min.js").read_text("utf8"))
    found = page.evaluate("axe.run('.microscope').then(r => r.violations.map(v => v.id))")
    assert found == []
    context.close()


def test_on_paper_there_are_no_sliders(page: Page):
    page.emulate_media(media="print")
    assert page.locator(".microscope svg").is_visible()
    assert not page.locator(".microscope form").is_visible()
    assert page.locator(".microscope [data-part=words]").is_visible()


def test_page_is_light_and_others_do_not_load_it(browser: Browser, address: str, page: Page):
    assert len(page.content()) < 1_100_000
    other = browser.new_page()
    other.goto(f"{address}/chapters/index.html", wait_until="networkidle")
    assert other.locator("script[src*=microscope]").count() == 0
    other.close()
