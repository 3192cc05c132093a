"""`ck.options(pool=...)`: memory comes back when the last view of it died, in any thread, up to a limit."""

import gc
import threading

import numpy as np
import pytest

import convkit as ck
from convkit import _checks, _pool

SHAPE = (300, 400)  # 120 kB of uint8: large enough to be pooled


def array():
    return _checks.empty(SHAPE, np.dtype(np.uint8))


def address(result):
    return result.ctypes.data


def is_pooled(result):
    while isinstance(result, np.ndarray):
        result = result.base
    return isinstance(result, _pool.Lease)


@pytest.fixture
def pool():
    with ck.options(pool="10MB"):
        yield _pool.current.get()


def test_a_loop_reuses_the_memory_of_what_died(pool):
    image = np.random.default_rng(0).integers(0, 256, SHAPE, np.uint8)
    expected = ck.filters.sobel(image)
    seen = set()
    for _ in range(20):
        result = ck.filters.sobel(image)
        np.testing.assert_array_equal(result, expected)
        assert address(result) % 64 == 0
        seen.add(address(result))
    assert len(seen) == 2  # the last result lives until the next one is there
    assert expected.ctypes.data not in seen


@pytest.mark.parametrize(
    "view",
    [
        lambda a: a[3:],
        lambda a: a[:, 7][::2],
        lambda a: a.reshape(-1)[5:9].view(np.int8).T,
        memoryview,
        lambda a: np.asarray(memoryview(a)),
        lambda a: np.from_dlpack(a[1:]),
        lambda a: np.lib.stride_tricks.as_strided(a, (2,), (0,)),
        lambda a: (a, [a]),
    ],
)
def test_any_view_keeps_the_memory(pool, view):
    result = array()
    place = address(result)
    kept = view(result)
    del result
    assert pool.idle_bytes == 0
    others = [array() for _ in range(4)]
    assert place not in map(address, others)
    del kept
    gc.collect()
    assert pool.idle_bytes > 0
    assert address(array()) == place


def test_cycles_keep_it_until_they_are_collected(pool):
    gc.disable()
    try:
        cycle = [array()]
        cycle.append(cycle)
        del cycle
        assert pool.idle_bytes == 0
    finally:
        gc.enable()
    gc.collect()
    assert pool.idle_bytes > 0


def test_it_is_bounded():
    with ck.options(pool=500_000):
        pool = _pool.current.get()
        held = [array() for _ in range(20)]
        last = address(held[-1])
        while held:
            held.pop(0)
        assert 250_000 < pool.idle_bytes <= 500_000
        assert address(array()) == last
        large = _checks.empty((1000, 1000), np.dtype(np.uint8))
        del large
        assert pool.idle_bytes <= 500_000


def test_what_was_used_longest_ago_goes_first():
    with ck.options(pool=1_000_000):
        pool = _pool.current.get()
        old = [_checks.empty((4, 100_000), np.dtype(np.uint8)) for _ in range(2)]
        old.clear()
        new = [array() for _ in range(3)]
        new.clear()
        assert pool._pop(122_880) is not None
        assert pool._pop(401_408) is not None
        assert pool._pop(401_408) is None


def test_small_arrays_are_left_alone(pool):
    result = _checks.empty((10, 10), np.dtype(np.uint8))
    assert not is_pooled(result)


def test_scopes():
    assert _pool.current.get() is None
    with ck.options(pool="1MB"):
        outer = _pool.current.get()
        with ck.options(num_threads=1):
            assert _pool.current.get() is outer
        with ck.options(pool=0):
            assert _pool.current.get() is None
        with ck.options(pool=2**20):
            inner = _pool.current.get()
            assert inner.limit == 2**20
            survivor = array()
        assert inner.limit == inner.idle_bytes == 0
        survivor[:] = 7
        assert _pool.current.get() is outer
        array()
        assert outer.idle_bytes > 0
    assert outer.idle_bytes == 0
    assert (survivor == 7).all()
    del survivor
    assert inner.idle_bytes == 0


def test_threads(pool):
    """No two live arrays share memory, whichever thread made them and whichever let them go."""
    wrong = []
    handed = []

    def work(number):
        rng = np.random.default_rng(number)
        held = []
        with_pool = _pool.current.set(pool)
        for _ in range(300):
            mine = _checks.empty(SHAPE, np.dtype(np.uint8))
            mine[::50] = number
            held.append(mine)
            handed.append(mine[50:])
            if len(held) > rng.integers(0, 6):
                last = held.pop(0)
                if not (last[::50] == number).all():
                    wrong.append(number)
            if len(handed) > 10:
                handed.pop(0)
        _pool.current.reset(with_pool)

    workers = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    handed.clear()
    assert not wrong
    assert 0 < pool.idle_bytes <= pool.limit
    assert not pool._returned


def test_chains_and_convolutions_take_from_it(pool):
    image = np.zeros((200, 500), np.float32)
    for call in (
        lambda: ck.Pipeline("box(3) | sobel")(image),
        lambda: ck.conv2d(image[None], np.ones((4, 1, 3, 3), np.float32)),
    ):
        result = call()
        assert is_pooled(result)
        assert np.isfinite(result).all()


@pytest.mark.parametrize(
    ("text", "size"),
    [("256MB", 256_000_000), ("1 GiB", 2**30), ("0.5KB", 500), ("12", 12), (12, 12), ("7 B", 7), (0, 0)],
)
def test_sizes(text, size):
    assert _checks.byte_count(text, "pool") == size


@pytest.mark.parametrize(
    ("value", "error", "message"),
    [
        ("much", ValueError, "pool is 'much'; expected bytes, or a text such as '256MB'"),
        ("MB", ValueError, "pool is 'MB'"),
        ("-1MB", ValueError, "pool is '-1MB'"),
        ("1mb", ValueError, "pool is '1mb'"),
        ("1.2.3", ValueError, "pool is '1.2.3'"),
        (-1, ValueError, "pool is -1; expected at least 0"),
        (1.5, TypeError, "pool is 1.5; expected an integer"),
        (True, TypeError, "pool is True"),
    ],
)
def test_bad_sizes(value, error, message):
    with pytest.raises(error, match=message), ck.options(pool=value):
        pass
    assert _pool.current.get() is None
