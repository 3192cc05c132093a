"""The rows of the benchmark: all filters, and the same random calls for the same commit."""

import numpy as np
import pytest

from convkit.filters import registry

cases = pytest.importorskip("benchmarks.filter_cases", reason="not in a checkout")


def test_every_filter_has_a_row():
    rows = [case for case in cases.named() if len(case.chain.stages) == 1]
    assert {case.chain.stages[0].filter.name for case in rows} == set(registry.names())
    assert len({case.name for case in cases.named()}) == len(cases.named())


def test_a_new_filter_appears_by_itself(monkeypatch):
    monkeypatch.setattr(registry, "_filters", dict(registry._filters))

    @registry.register(halo=None, output_dtype=registry.keeps_dtype)
    def newest(image, *, out=None, num_threads=None):
        """New."""
        return image

    assert "newest" in {case.label for case in cases.named()}


def test_random_rows_follow_the_seed():
    first, again, other = (cases.drawn(seed, 12) for seed in (1, 1, 2))
    assert [case.name for case in first] == [case.name for case in again]
    assert [case.name for case in first] != [case.name for case in other]
    for case in first:
        pixels = int(np.prod(case.shape[:2]))
        assert 0.95 * 256**2 <= pixels <= 1.05 * 2160 * 3840


def test_parts_cover_all():
    rows = cases.named()
    parts = [case.name for i in (1, 2, 3) for case in cases.part(rows, f"{i}/3")]
    assert sorted(parts) == sorted(case.name for case in rows)
