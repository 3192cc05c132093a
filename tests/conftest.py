"""Fixtures that run a test on every build and on several thread counts."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, settings

from convkit import _dispatch, _threads

# The fixtures below hold for the whole of a test, so that drawing many examples under one of them is meant.
settings.register_profile(
    "convkit",
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
settings.load_profile("convkit")


@pytest.fixture(params=_dispatch.available())
def isa(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Each instruction set that this machine has and this installation was built for."""
    name: str = request.param
    monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(name))
    return name


@pytest.fixture(params=(1, 2, 3, 7))
def threads(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> int:
    """A thread count that even small work runs on, to be passed as ``num_threads=``."""
    monkeypatch.setattr(_threads, "force_threads", True)
    count: int = request.param
    return count


@pytest.fixture
def run_python():
    """Runs a line of Python in its own process, with changes to the environment; gives what it prints."""

    def run(code: str, **environment: str) -> str:
        paths = os.pathsep.join(filter(None, sys.path))
        done = subprocess.run(
            [sys.executable, "-W", "error", "-c", code],
            env=os.environ | {"PYTHONPATH": paths} | environment,
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run
