"""The examples compile, import what is public, and some of them run; the site's build runs all."""

import ast
import inspect
import re
import sys
from pathlib import Path

import pytest
from matplotlib.figure import Figure

import convkit as ck
from convkit import nn, viz

GALLERY = Path(__file__).parents[2] / "gallery"
sys.path.insert(0, str(GALLERY.parent / "docs"))
EXAMPLES = sorted(GALLERY.glob("*/plot_*.py"))
QUICK = ["plot_window", "plot_shape_trace", "plot_checkerboard"]  # they need no sample data


def test_there_are_enough_of_them_in_every_topic():
    assert len(EXAMPLES) >= 30
    assert all(list(folder.glob("plot_*.py")) for folder in GALLERY.iterdir() if folder.is_dir())


def test_every_example_has_its_place():
    from lessons import ORDER

    assert sorted(f"plot_{name}" for name in ORDER) == sorted(path.stem for path in EXAMPLES)


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


DRAWING = {
    n
    for n in viz.__all__
    if str(inspect.signature(getattr(viz, n)).return_annotation)[:4] in ("Figu", "Func")
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_a_notebook_shows_every_figure_of_an_example(path):
    """Each cell that makes one ends with it, and with no other's result."""
    cells = [ast.parse(cell).body for cell in re.split("(?m)^# %%", path.read_text())]
    for cell in cells:
        drawn = [node.targets[0].id for node in cell if isinstance(node, ast.Assign) and _draws(node.value)]
        shown = [
            node.value.id
            for node in cell[-1:]
            if isinstance(node, ast.Expr) and isinstance(node.value, ast.Name)
        ]
        assert drawn[-1:] == shown
        assert len(drawn) <= 1


def _draws(value):
    return (
        isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute) and value.func.attr in DRAWING
    )


def test_the_benchmarks_picture_says_what_it_misses(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (path,) = GALLERY.glob("*/plot_benchmark.py")
    with pytest.raises(FileNotFoundError, match=r"conv.json is neither here nor above: start in a checkout"):
        exec(compile(path.read_text(), str(path), "exec"), {})


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


SECTION = re.compile(r"^( *)Attributes\n\1-{10}\n((?:\1.*\n|\n)*?)(?=\1\S.*\n\1---|\1\"\"\"|\Z)", re.M)


def test_attributes_have_a_line_each():
    """The site's reference makes one field of a line, whatever its name."""
    found = []
    for path in Path(ck.__file__).parent.rglob("*.py"):
        for section in SECTION.finditer(path.read_text()):
            heads = re.findall(rf"^{section[1]}(\S.*?)(?: : .*)?$", section[2], re.M)
            assert heads, path
            found += [(path.name, head) for head in heads]
    assert len(found) > 30
    assert not [each for each in found if "," in each[1]]


def test_the_reference_names_all_that_is_public():
    page = (GALLERY.parent / "docs" / "api.rst").read_text()
    modules = page.split(".. currentmodule:: ")[1:]
    listed = {(part.split()[0], name) for part in modules for name in part.splitlines() if name[:3] == "   "}
    listed = {(module, name.strip()) for module, name in listed}
    for module in (ck, ck.filters, nn, viz):
        public = {n for n in module.__all__ if n[0] != "_" and not inspect.ismodule(getattr(module, n))}
        missing = {n for n in public if (module.__name__, n) not in listed and ("convkit", n) not in listed}
        assert not missing, module.__name__
