"""The arrows of ARCHITECTURE.md: who may import whom."""

import ast
from pathlib import Path

import pytest

import convkit

SOURCES = sorted(Path(convkit.__file__).parent.rglob("*.py"))


def test_imports_point_down():
    """The layers of pyproject.toml, by import-linter."""
    cli = pytest.importorskip("importlinter.cli")
    assert cli.lint_imports(no_cache=True) == 0


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_only_the_dispatcher_loads_native_modules(path):
    """No file but `_dispatch.py` imports a compiled module, by statement or by name."""
    if path.name == "_dispatch.py":
        return
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names = [node.attr] if node.attr == "import_module" else []
        for name in names:
            assert not name.startswith(("convkit._native.", "convkit._kernels", "import_module")), (
                path,
                name,
            )
