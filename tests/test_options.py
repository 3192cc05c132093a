"""`ck.options`: a scope, of the thread or task that entered it."""

import asyncio
import contextvars
import threading

import numpy as np
import pytest

import convkit as ck
from convkit import _options, _threads

LARGE = 10**9


@pytest.fixture(autouse=True)
def four_threads(monkeypatch):
    monkeypatch.setenv("CONVKIT_NUM_THREADS", "4")


def threads():
    return _threads.threads_for(LARGE)


def precision():
    return _options.current.get().precision


def test_a_block_and_its_end():
    assert (threads(), precision()) == (4, "fast")
    with ck.options(num_threads=2, precision="exact"):
        assert (threads(), precision()) == (2, "exact")
    assert (threads(), precision()) == (4, "fast")


def test_blocks_within_blocks_change_what_they_name():
    with ck.options(num_threads=2):
        with ck.options(precision="exact"):
            assert (threads(), precision()) == (2, "exact")
            with ck.options(num_threads=3, precision="fast"):
                assert (threads(), precision()) == (3, "fast")
            with ck.options():
                assert (threads(), precision()) == (2, "exact")
        assert (threads(), precision()) == (2, "fast")


def test_an_exception_ends_it():
    with pytest.raises(KeyError), ck.options(num_threads=2):
        raise KeyError
    assert threads() == 4


def test_other_threads_do_not_see_it():
    seen = []
    with ck.options(num_threads=2):
        thread = threading.Thread(target=lambda: seen.append(threads()))
        thread.start()
        thread.join()
        context = contextvars.copy_context()
    assert seen == [4]
    assert context.run(threads) == 2


def test_other_tasks_do_not_see_it():
    async def task(count, seen):
        with ck.options(num_threads=count):
            await asyncio.sleep(0.001)
            seen.append((count, threads()))

    async def main():
        seen = []
        await asyncio.gather(*(task(count, seen) for count in (1, 2, 3)))
        return seen

    assert sorted(asyncio.run(main())) == [(1, 1), (2, 2), (3, 3)]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"num_threads": 0}, ValueError, "num_threads is 0; expected at least 1"),
        ({"num_threads": -3}, ValueError, "num_threads is -3"),
        ({"num_threads": 1.5}, TypeError, "num_threads is 1.5; expected an integer"),
        ({"num_threads": True}, TypeError, "num_threads is True"),
        ({"num_threads": 10**6}, ValueError, "num_threads is 1000000; expected at most"),
        ({"precision": "double"}, ValueError, "precision is 'double'; expected one of 'fast', 'exact'"),
        ({"precision": 1}, ValueError, "precision is 1"),
        ({"threads": 1}, TypeError, "threads"),
    ],
)
def test_bad_values_are_refused_and_change_nothing(arguments, error, message):
    with pytest.raises(error, match=message), ck.options(**arguments):
        pass
    assert (threads(), precision()) == (4, "fast")


def test_the_same_bits_under_every_option(monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    x = np.linspace(-1, 1, 3 * 20 * 21, dtype=np.float32).reshape(3, 20, 21)
    weight = np.linspace(-1, 1, 4 * 3 * 9, dtype=np.float32).reshape(4, 3, 3, 3)
    y = ck.conv2d(x, weight, num_threads=1)
    for count in (1, 2, 5):
        with ck.options(num_threads=count, precision="exact"):
            assert ck.conv2d(x, weight).tobytes() == y.tobytes()
