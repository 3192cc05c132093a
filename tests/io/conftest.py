"""The sample files that the tests share."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
collect_ignore = ["guided.py"]  # a script, and atheris is not among the tests' packages


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Whole files by name, with the image of each where it is known."""
    from samples import build_corpus

    return build_corpus(tmp_path_factory.mktemp("corpus"))
