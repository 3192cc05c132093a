"""The examples compile, import what is public, and some of them run; the site's build runs all."""

import ast
import inspect
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import convkit as ck
from convkit import nn, viz

GALLERY = Path(__file__).parents[2] / "gallery"
EXAMPLES = sorted(GALLERY.glob("*/plot_*.py"))
QUICK = ["plot_window", "plot_shape_trace", "plot_checkerboard"]  # they need no sample data


def test_there_are_enough_of_them_in_every_topic():
    assert len(EXAMPLES) >= 30
    assert all(list(folder.glob("plot_*.py")) for folder in GALLERY.iterdir() if folder.is_dir())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_import_what_is_public_and_have_a_title(path):
    tree = ast.parse(path.read_text())
    title, rule = (ast.get_docstring(tree) or "").splitlines()[:2]
    assert rule == "=" * len(title)
    imported = [
        f"{node.module}.{name.name}" if isinstance(node, ast.ImportFrom) else name.name
        for node in ast.walk(tree)
        if isinstance(node, (ast.Import, ast.ImportFrom))
        for name in node.names
    ]
    assert not [name for name in imported if "._" in name or "pyplot" in name]


@pytest.mark.parametrize("stem", QUICK)
def test_some_run_and_say_what_they_show(stem):
    (path,) = GALLERY.glob(f"*/{stem}.py")
    values = {}
    exec(compile(path.read_text(), str(path), "exec"), values)
    figures = [value for value in values.values() if isinstance(value, Figure)]
    assert figures
    assert all(len(viz.alt_text(figure)) > 15 for figure in figures)
    if "animation" in values:
        values["animation"].pause()


def test_the_reference_names_all_that_is_public():
    page = (GALLERY.parent / "docs" / "api.rst").read_text()
    modules = page.split(".. currentmodule:: ")[1:]
    listed = {(part.split()[0], name) for part in modules for name in part.splitlines() if name[:3] == "   "}
    listed = {(module, name.strip()) for module, name in listed}
    for module in (ck, ck.filters, nn, viz):
        public = {n for n in module.__all__ if n[0] != "_" and not inspect.ismodule(getattr(module, n))}
        missing = {n for n in public if (module.__name__, n) not in listed and ("convkit", n) not in listed}
        assert not missing, module.__name__
