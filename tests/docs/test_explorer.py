"""The explorer's arithmetic is `ck.shapes`', and its page works by keyboard, in a real browser."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

import convkit as ck

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
EXPLORER = Path(__file__).parents[2] / "docs" / "_extra" / "explorer"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--allow-file-access-from-files",
    "--virtual-time-budget=4000",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")


def run(tmp_path, script):
    """What `script` returns in the explorer's page, and what was said on the console."""
    for file in EXPLORER.iterdir():
        shutil.copy(file, tmp_path)
    caught = "<script>window.faults = []; window.onerror = (m) => faults.push(m);</script>"
    told = (
        "<script>let told; try { told = (() => {" + script + "})(); } catch (e) { faults.push(String(e)); }"
        "document.body.innerHTML = '<pre id=told></pre>';"
        "document.getElementById('told').textContent = JSON.stringify({ told, faults });</script>"
    )
    page = (EXPLORER / "index.html").read_text().replace("<head>", "<head>" + caught)
    (tmp_path / "test.html").write_text(page.replace("</body>", told + "</body>"))
    done = subprocess.run(
        [
            CHROMIUM,
            *FLAGS,
            f"--user-data-dir={tmp_path / 'profile'}",
            "--dump-dom",
            f"file://{tmp_path}/test.html",
        ],
        capture_output=True,
        text=True,
        timeout=120,
    )
    text = done.stdout.partition('<pre id="told">')[2].partition("</pre>")[0]
    found = json.loads(text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&"))
    assert found["faults"] == []
    return found["told"]


def drawn(count):
    rng = np.random.default_rng(5)
    highs = {"size": 65, "kernel": 16, "stride": 9, "padding": 9, "dilation": 7, "extra": 5}
    columns = {n: rng.integers(n not in ("padding", "extra"), h, count).tolist() for n, h in highs.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def ours(s):
    known = {name: s[name] for name in ("size", "kernel", "stride", "padding", "dilation")}
    answers = []
    for call, options in (
        (ck.shapes.conv2d_output, known),
        (ck.shapes.conv_transpose2d_output, known | {"output_padding": s["extra"]}),
    ):
        try:
            answers.append(call(**options))
        except ValueError:
            answers.append(None)
    return [*answers, list(ck.shapes.same_padding(s["size"], s["kernel"], s["stride"], s["dilation"]))]


def test_sizes_are_those_of_convkit(tmp_path):
    chosen = drawn(6000)
    script = f"return {json.dumps(chosen)}.map((s) => [sizes.conv(s), sizes.transposed(s), sizes.same(s)]);"
    found = run(tmp_path, script)
    expected = [ours(s) for s in chosen]
    assert len(found) == 6000
    assert sum(row[0] is None for row in expected) > 300
    wrong = [(s, f, e) for s, f, e in zip(chosen, found, expected, strict=True) if f != e]
    assert not wrong, wrong[:3]


def test_costs_are_counted_as_weights_are(tmp_path):
    layer = {"size": 14, "kernel": 3, "channels": 32, "filters": 64, "groups": 4, "transposed": False}
    found = run(tmp_path, f"return sizes.cost({json.dumps(layer)}, 7);")
    assert found == {"weights": 64 * 8 * 9, "parameters": 64 * 8 * 9 + 64, "macs": 64 * 8 * 9 * 49}
    assert run(tmp_path, f"return sizes.cost({json.dumps(layer | {'groups': 5})}, 7);") is None


def test_the_page_answers_to_its_controls(tmp_path):
    script = """
        const set = (id, v) => { at(id).value = v; at("settings").dispatchEvent(new Event("input")); };
        const answers = [at("formula").textContent, at("told").textContent];
        set("size", 5); set("stride", 1); set("padding", 0);
        at("next").click(); at("next").click(); at("next").click();
        answers.push(at("told").textContent);
        set("kernel", 9);
        answers.push(at("formula").textContent, at("formula").className);
        at("transposed").click();
        answers.push(at("formula").textContent);
        return answers;
    """
    first, told, moved, refused, style, transposed = run(tmp_path, script)
    assert first.endswith("= 4")
    assert told.startswith("Input 7×7, output 4×4.")
    assert "Output pixel (1, 0) is made of input rows 1, 2, 3 and columns 0, 1, 2." in moved
    assert "spans 9 pixels" in refused
    assert "bad" in style
    assert transposed.endswith("= 13")


def test_a_hole_is_no_padding(tmp_path):
    script = """
        const set = (id, v) => { at(id).value = v; at("settings").dispatchEvent(new Event("input")); };
        at("transposed").click();
        set("size", 3); set("kernel", 1); set("stride", 3); set("padding", 0);
        at("next").click();
        const answers = [at("told").textContent];
        set("stride", 4); set("kernel", 2);
        at("step").value = 9 * 10 + 2;
        at("step").dispatchEvent(new Event("input"));
        answers.push(at("told").textContent);
        at("step").value = 0;
        set("stride", 1); set("kernel", 1); at("transposed").click(); set("padding", 2);
        answers.push(at("told").textContent);
        return answers;
    """
    hole, both, padding = run(tmp_path, script)
    assert "(9, 2)" in both
    assert both.endswith("is made of input padding and holes alone.")
    assert hole.endswith("(0, 1) is made of input holes alone, the zeros between pixels.")
    assert padding.endswith("is made of input padding alone.")


def test_the_kernel_on_a_picture_is_filter2d(tmp_path):
    rng = np.random.default_rng(6)
    image = rng.integers(0, 256, (9, 11, 3), np.uint8)
    taps = rng.integers(-3, 4, (5, 5)).astype(float)
    rgba = np.dstack([image, np.full(image.shape[:2], 255, np.uint8)])
    script = f"return [...correlate({rgba.ravel().tolist()}, 11, 9, {taps.ravel().tolist()}, 0)];"
    found = np.array(run(tmp_path, script)).reshape(9, 11, 4)[..., :3]
    np.testing.assert_array_equal(found, ck.filters.filter2d(image, taps))


def test_everything_is_reached_by_keyboard_and_has_a_name(tmp_path):
    script = """
        const all = [...document.querySelectorAll("input, select, button, a")];
        const named = (e) => e.labels?.length || e.getAttribute("aria-label") || e.textContent.trim();
        return { count: all.length, unnamed: all.filter((e) => !named(e)).map((e) => e.id),
                 skipped: all.filter((e) => e.tabIndex < 0).map((e) => e.id) };
    """
    found = run(tmp_path, script)
    assert found["count"] > 25
    assert (found["unnamed"], found["skipped"]) == ([], [])
