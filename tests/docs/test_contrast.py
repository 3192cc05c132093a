"""Text and controls can be read: WCAG 2.2's ratios, 4.5 for text and 3 for what is drawn (AA)."""

import re
from pathlib import Path

import numpy as np
import pytest

from convkit.viz import strip, style

PAGE = (Path(__file__).parents[2] / "docs/_extra/explorer/index.html").read_text(encoding="utf-8")


def luminance(colour):
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(a, b):
    low, high = sorted((luminance(a), luminance(b)))
    return (high + 0.05) / (low + 0.05)


def test_the_ratio_is_the_standards():
    assert contrast("#000000", "#ffffff") == pytest.approx(21)
    assert contrast("#777777", "#ffffff") == pytest.approx(4.48, abs=0.01)


def themes():
    blocks = re.findall(r":root \{(.*?)\}", PAGE, re.DOTALL)
    assert len(blocks) == 2
    return [dict(re.findall(r"--(\w+): (#\w{6})", block)) for block in blocks]


@pytest.mark.parametrize("theme", themes(), ids=["light", "dark"])
def test_the_explorer(theme):
    for name in ("ink", "soft", "link", "bad"):
        assert contrast(theme[name], theme["paper"]) >= 4.5, name
        assert contrast(theme[name], theme["card"]) >= 4.5, name
    for name in ("line", "edge"):
        assert contrast(theme[name], theme["paper"]) >= 3, name
    assert contrast(theme["tap"], theme["cell"]) >= 3
    assert contrast(theme["hit"], theme["out"]) >= 3


@pytest.mark.parametrize("colour", [style.INK, style.FAINT, style.BLUE, strip.BROKEN, "#00684b", "#a33f00"])
def test_writing_in_figures(colour):
    assert contrast(colour, "#ffffff") >= 4.5


@pytest.mark.parametrize("colour", [style.BLUE, style.ORANGE, style.GREEN, style.RED])
def test_lines_in_figures(colour):
    assert contrast(colour, "#ffffff") >= 3


def test_lines_are_told_apart_by_every_kind_of_colour_vision():
    """In Lab, as full dichromats see them (Machado, Oliveira and Fernandes, 2009); 2.3 is just noticed."""
    rgb2lab = pytest.importorskip("skimage.color").rgb2lab
    colours = np.array([style.BLUE, style.ORANGE, style.GREEN, style.RED])
    linear = np.array([[(int(c[i : i + 2], 16) / 255) ** 2.2 for i in (1, 3, 5)] for c in colours])
    for seen in (np.eye(3), *DICHROMATS):
        lab = rgb2lab(np.clip(linear @ seen.T, 0, 1) ** (1 / 2.2))
        apart = np.linalg.norm(lab[:, None] - lab[None], axis=-1)
        assert apart[~np.eye(4, dtype=bool)].min() > 15


DICHROMATS = np.array(
    [
        [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
        [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
        [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    ]
)
