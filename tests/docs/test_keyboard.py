"""The explorer by keyboard alone, and on a phone: a real browser gets keys, what it then shows is read."""

import sys
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS))
from browser import CHROMIUM, Browser  # noqa: E402

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


@pytest.fixture(scope="module")
def browser():
    with Browser() as opened:
        yield opened


@pytest.fixture
def page(browser):
    browser.look(1280)
    browser.open(DOCS / "_extra" / "explorer" / "index.html")
    yield browser
    assert browser.faults == []


def here(page):
    return page.run("document.activeElement.id || document.activeElement.tagName")


def says(page, name):
    return page.run(f"at('{name}').textContent")


def go(page, name, shift=False):
    """Tab until the control has the focus."""
    for _ in range(60):
        if here(page) == name:
            return
        page.press("Tab", shift=shift)
    raise AssertionError(f"{name} is not reached by Tab")


def test_tab_goes_through_every_control_in_reading_order(page):
    met = []
    while True:
        page.press("Tab")
        if here(page) in ("BODY", *met[:1]):
            break
        met.append(
            page.run(
                "[...document.querySelectorAll('a, input, select, button')].indexOf(document.activeElement)"
            )
        )
        assert len(met) < 60
        seen = page.run(
            "(() => { const s = getComputedStyle(document.activeElement); return s.outlineStyle; })()"
        )
        assert seen != "none", f"no one sees that {here(page)} has the focus"
    assert met == sorted(set(met))
    able = page.run(
        "[...document.querySelectorAll('a, input, select, button')].filter((e) => !e.disabled).length"
    )
    assert len(met) == able > 25


def test_sizes_are_typed_and_stepped(page):
    go(page, "size")
    page.press("9")  # the field is selected as a whole when Tab enters it
    assert says(page, "formula").endswith("= 5")
    go(page, "stride")
    page.press("ArrowDown")
    assert says(page, "formula").endswith("= 9")
    go(page, "size", shift=True)
    page.press("1")
    go(page, "padding")
    page.press("0")
    assert "spans 3 pixels" in says(page, "formula")


def test_transposed_is_ticked_and_opens_a_field(page):
    go(page, "transposed")
    page.press(" ")
    assert says(page, "formula").endswith("= 13")
    go(page, "extra", shift=True)
    page.press("1")
    assert says(page, "formula").endswith("= 14")


def test_the_window_moves(page):
    go(page, "step")
    page.press("ArrowRight")
    assert "Output pixel (0, 1)" in says(page, "told")
    page.press("End")
    assert "Output pixel (3, 3)" in says(page, "told")
    assert page.run("at('step').getAttribute('aria-valuetext')") == "row 3, column 3"
    go(page, "next")
    page.press("Enter")
    assert "Output pixel (0, 0)" in says(page, "told")
    go(page, "back", shift=True)
    page.press(" ")
    assert "Output pixel (3, 3)" in says(page, "told")
    go(page, "play")
    page.press("Enter")
    assert says(page, "play") == "Pause"
    assert page.run("at('told').getAttribute('aria-live')") == "off"
    page.press("Enter")
    assert says(page, "play") == "Play"
    assert page.run("at('told').getAttribute('aria-live')") == "polite"


def test_a_kernel_is_chosen_and_typed(page):
    go(page, "preset")
    for letter in "iden":
        page.press(letter)
    same = "['before', 'after'].map((id) => at(id).toDataURL())"
    before, after = page.run(same)
    assert before == after
    go(page, "divide")
    page.press("2")
    assert says(page, "caption").endswith("0.5")
    assert len(set(page.run(same))) == 2


def test_numbers_that_are_none_of_the_layers_are_marked_and_written_back(page):
    go(page, "size")
    for key in "999":
        page.press(key)
    assert page.run("at('size').getAttribute('aria-invalid')") == "true"
    assert says(page, "corrected") == "Input size is an integer from 1 to 64; drawn with 64."
    assert page.run("at('corrected').getAttribute('aria-live')") == "polite"
    go(page, "stride")
    assert page.run("at('size').value") == "64"
    assert page.run("at('size').hasAttribute('aria-invalid')") is False
    assert says(page, "corrected").endswith("now 64.")
    page.press("Backspace")
    assert page.run("at('stride').getAttribute('aria-invalid')") == "true"
    page.press("3")
    assert says(page, "corrected") == ""
    page.run("at('stride').value = 3.5; at('settings').dispatchEvent(new Event('input'))")
    assert "drawn with 3" in says(page, "corrected")


def test_an_edited_kernel_is_no_preset(page):
    assert page.run("at('preset').value") != "custom"
    page.run("at('preset').value = 'identity'; at('preset').dispatchEvent(new Event('input'))")
    go(page, "divide")
    page.press("2")
    assert page.run("at('preset').value") == "custom"
    page.press("Backspace")
    assert page.run("at('divide').getAttribute('aria-invalid')") == "true"
    assert "no number" in says(page, "caption")
    page.press("1")
    assert page.run("at('preset').value") == "identity"


def upload(page, kind, data):
    page.run(
        "(async () => { const moved = new DataTransfer();"
        f"moved.items.add(new File([{data}], 'a.png', {{ type: '{kind}' }}));"
        "at('file').files = moved.files; await load(); })()"
    )


def test_what_is_no_picture_is_refused_aloud_and_alpha_is_kept(page):
    upload(page, "image/png", "'nothing'")
    assert "is no picture" in says(page, "refused")
    assert page.run("at('refused').getAttribute('aria-live')") == "polite"
    assert page.run("at('file').getAttribute('aria-invalid')") == "true"
    clear = (
        "await (async () => { const c = new OffscreenCanvas(4, 2), pen = c.getContext('2d');"
        "pen.fillStyle = 'rgba(200, 100, 50, 0.5)'; pen.fillRect(0, 0, 2, 2); return c.convertToBlob(); })()"
    )
    upload(page, "image/png", clear)
    assert says(page, "refused") == ""
    alpha = "[...brush('after').getImageData(0, 0, 4, 2).data].filter((_, i) => i % 4 === 3)"
    assert page.run(alpha) == page.run(alpha.replace("after", "before"))
    assert set(page.run(alpha)) == {128, 0}


@pytest.mark.parametrize("dark", [False, True])
def test_the_largest_numbers_can_be_read_on_the_narrowest_phone(page, dark):
    page.look(320, dark)
    largest = {"size": 64, "kernel": 15, "stride": 1, "padding": 15, "channels": 4096, "filters": 4095}
    for name, value in largest.items():
        page.run(f"at('{name}').value = {value}; at('settings').dispatchEvent(new Event('input'))")
    assert says(page, "weights") == "4095×4096×15×15"
    assert page.run((DOCS / "read.js").read_text(encoding="utf-8")) == []


def test_the_largest_transposed_map_has_few_shapes_and_its_weights_turned_round(page):
    largest = {"size": 64, "kernel": 15, "stride": 15, "padding": 0, "channels": 8, "filters": 4, "groups": 2}
    page.run("at('transposed').checked = true")
    for name, value in largest.items():
        page.run(f"at('{name}').value = {value}; at('settings').dispatchEvent(new Event('input'))")
    assert says(page, "formula").endswith("= 960")
    assert says(page, "weights") == "8×2×15×15"
    assert page.run("at('drawing').children.length") < 20
