"""Calls that were made before take a shorter way: it must not be seen but in time."""

from __future__ import annotations

import gc
import weakref
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

import convkit as ck
from convkit import _checks, _dispatch, _threads
from convkit.filters import registry, remember
from convkit.ops import rows

f = ck.filters
RNG = np.random.default_rng(7)
IMAGE = RNG.integers(0, 256, (12, 17), dtype=np.uint8)
FLOATS = RNG.standard_normal((12, 17)).astype(np.float32)
KERNELS = [name for name in registry.names() if name != "canny"]


def spread(image: np.ndarray) -> np.ndarray:
    """The same pixels in memory that no shorter way takes."""
    wide = np.zeros((*image.shape, 2), image.dtype)
    wide[..., 0] = image
    return wide[..., 0]


def read_only(array: np.ndarray) -> np.ndarray:
    array.flags.writeable = False
    return array


@pytest.mark.parametrize("name", registry.names())
def test_a_call_gives_the_same_again(draw, name):
    rng = np.random.default_rng(3)
    for _ in range(5):
        image, arguments = draw(rng, name)
        image = np.nan_to_num(image)
        call = registry.get(name).function
        with np.errstate(all="ignore"):
            expected = call(spread(image), **arguments)
            for other in (image, image.copy(), image[::-1].copy()[::-1], image):
                np.testing.assert_array_equal(call(other, **arguments), expected)
            to = np.empty_like(expected)
            assert call(image, **arguments, out=to) is to
            np.testing.assert_array_equal(to, expected)
            changed = image.copy()
            changed.flat[0] = 1
            np.testing.assert_array_equal(call(changed, **arguments), call(spread(changed), **arguments))


@pytest.mark.parametrize("name", KERNELS)
def test_filters_are_remembered(draw, monkeypatch, name):
    """But for those that are more than kernels, what is asked again comes to no check."""
    image, arguments = draw(np.random.default_rng(5), name)
    arguments.pop("direction", None)
    call = registry.get(name).function
    with np.errstate(all="ignore"):
        first = call(image, **arguments)
        monkeypatch.setattr(ck._checks, "image", lambda *_: pytest.fail("checked again"))
        np.testing.assert_array_equal(call(image, **arguments), first)


def test_otsu_looks_at_every_image():
    bright = np.where(IMAGE > 90, 200, 150).astype(np.uint8)
    for image in (IMAGE, bright, IMAGE):
        np.testing.assert_array_equal(f.otsu(image), f.otsu(spread(image)))
    np.testing.assert_array_equal(f.otsu(bright), np.where(bright == 200, 255, 0))


@pytest.mark.parametrize("make", [np.array, np.ndarray.tolist, lambda k: tuple(map(tuple, k.tolist()))])
def test_kernels_that_change(make):
    values = np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    kernel = make(values)
    before = f.filter2d(FLOATS, kernel)
    if isinstance(kernel, tuple):
        kernel = (*kernel[:2], (0.0, 3.0, 0.0))
    else:
        kernel[2][1] = 3.0
    after = f.filter2d(FLOATS, kernel)
    np.testing.assert_array_equal(after, f.filter2d(spread(FLOATS), np.array(kernel)))
    assert not np.array_equal(after, before)


def test_kernels_that_only_look_constant():
    """An object may give another array each time that it is asked, and have a hash."""

    class Kernel:
        def __init__(self) -> None:
            self.values = np.ones((3, 3))

        def __array__(self, dtype=None, copy=None):
            return self.values

    kernel = Kernel()
    before = f.filter2d(FLOATS, kernel)
    kernel.values = 2 * kernel.values
    np.testing.assert_array_equal(f.filter2d(FLOATS, kernel), 2 * before)
    boxed = np.array([[1.0]], object)
    boxed[0, 0] = 2.0
    with pytest.raises(TypeError):
        f.filter2d(FLOATS, boxed)


@pytest.mark.parametrize(
    ("good", "bad"), [(5, 5.0), (1, True), ((3, 5), (3, 5.0)), ((1, 3), (True, 3)), ([3, 5], [3, 5.0])]
)
def test_equal_arguments_of_other_types_are_refused(good, bad):
    for call in (f.box, f.median, f.maximum):
        call(IMAGE, good)
        with pytest.raises(TypeError):
            call(IMAGE, bad)


def test_arguments_by_other_names():
    """Equal values, of another parameter."""
    for _ in range(2):
        for call, arguments in (
            (f.sharpen, {"amount": 2.0, "sigma": 1.0}),
            (f.sharpen, {"amount": 1.0, "sigma": 2.0}),
        ):
            np.testing.assert_array_equal(call(FLOATS, **arguments), call(spread(FLOATS), **arguments))
    for keywords in ({"size": 3}, {"size": 3, "cval": 0.0}, {"size": 3, "num_threads": None}):
        np.testing.assert_array_equal(f.box(IMAGE, **keywords), f.box(spread(IMAGE), 3))
    with pytest.raises(TypeError):
        f.box(IMAGE, 3, 3)
    with pytest.raises(TypeError):
        f.box(IMAGE, sizes=3)


def test_lists_that_change():
    size = [3, 3]
    for extent in (3, 3, 5):
        size[0] = extent
        np.testing.assert_array_equal(f.box(IMAGE, size), f.box(spread(IMAGE), (extent, 3)))


def test_zeros_of_either_sign():
    image = np.full((3, 3), 5, np.float32)
    for cval in (0.0, -0.0, 0.0):
        found = f.minimum(image, 3, cval=cval)[0, 0]
        assert np.signbit(found) == np.signbit(cval)


@pytest.mark.parametrize(
    ("spoil", "error"),
    [
        (lambda out: out[1:], ValueError),
        (lambda out: out.astype(np.int16), TypeError),
        (lambda out: out.view(out.dtype.newbyteorder()), TypeError),
        (lambda out: np.lib.stride_tricks.as_strided(out, strides=(0, out.itemsize)), ValueError),
        (lambda out: np.broadcast_to(out[:1], out.shape), ValueError),
        (lambda out: out[..., None], ValueError),
        (read_only, ValueError),
        (lambda out: np.zeros(out.shape, "m8[s]"), TypeError),
        (np.ndarray.tolist, TypeError),
    ],
)
def test_outputs_that_do_not_fit_are_refused_again(spoil, error):
    out = np.empty_like(FLOATS)
    f.box(FLOATS, 5, out=out)
    with pytest.raises(error) as second:
        f.box(FLOATS, 5, out=spoil(out))
    with pytest.raises(error) as first:
        f.box(spread(FLOATS), 5, out=spoil(out))
    assert str(second.value) == str(first.value)


@pytest.mark.parametrize("axis", ["auto", None])
def test_outputs_off_the_multiples_of_their_size(axis):
    expected = f.box(FLOATS, 5, channel_axis=axis)
    packed = np.zeros(FLOATS.size, [("before", "u1"), ("value", "f4")]).reshape(FLOATS.shape)
    for out in (packed["value"], packed["value"]):
        assert f.box(FLOATS, 5, channel_axis=axis, out=out) is out
        np.testing.assert_array_equal(out, expected)
        out[:] = FLOATS
        f.box(out, 5, channel_axis=axis, out=out)
        np.testing.assert_array_equal(out, expected)
    assert not packed["before"].any()
    packed.flags.writeable = False
    with pytest.raises(ValueError, match="out is read-only"):
        f.box(FLOATS, 5, channel_axis=axis, out=packed["value"])


def astray(shape: tuple[int, ...], strides: tuple[int, ...] = (68, 4)) -> np.ndarray:
    """An array of float32 that starts off the multiples of its size."""
    return np.ndarray(shape, np.float32, bytearray(12 * 17 * 4 + 1), 1, strides)


@pytest.mark.parametrize("axis", ["auto", None])
@pytest.mark.parametrize(
    ("out", "error", "message"),
    [
        (astray((11, 17)), ValueError, r"out has shape \(11, 17\); expected \(12, 17\)"),
        (astray((12, 17)).view(np.int32), TypeError, "out has dtype <i4; expected float32"),
        (astray((12, 17), (0, 4)), ValueError, "out is a view whose elements share memory"),
        (astray((12, 17), (4, 4)), ValueError, "out is a view whose elements share memory"),
        (np.ndarray((12, 17), "V0", bytearray(240), 0, (20, 1)), TypeError, "out has dtype"),
    ],
    ids=["shape", "dtype", "broadcast", "overlapping", "no bytes"],
)
def test_outputs_off_the_multiples_are_refused_as_others(axis, out, error, message):
    for _ in range(2):
        with pytest.raises(error, match=message):
            f.box(FLOATS, 5, channel_axis=axis, out=out)


@pytest.mark.parametrize("axis", ["auto", None])
def test_outputs_that_do_not_fit_take_no_memory_of_their_size(monkeypatch, axis):
    asked = []
    empty = _checks.empty
    monkeypatch.setattr(_checks, "empty", lambda shape, dtype: asked.append(shape) or empty(shape, dtype))
    with pytest.raises(ValueError, match="out has shape"):
        f.box(spread(FLOATS), 5, channel_axis=axis, out=astray((11, 17)))
    assert (11, 17) not in asked


class Guarded(np.ndarray):
    """An array that Python cannot write to."""

    def __setitem__(self, *_: object) -> None:
        raise AssertionError("written by an item")


def guarded(data: np.ndarray) -> np.ndarray:
    return data.view(Guarded)


def masked(data: np.ndarray) -> np.ndarray:
    return np.ma.masked_array(data, np.eye(*data.shape, dtype=bool))


def hard_masked(data: np.ndarray) -> np.ndarray:
    return masked(data).harden_mask()


@pytest.mark.parametrize("axis", ["auto", None])
@pytest.mark.parametrize("aligned", [True, False])
@pytest.mark.parametrize("make", [guarded, masked, hard_masked])
def test_outputs_of_subclasses_are_written_as_arrays(axis, aligned, make):
    out = make(np.zeros((12, 17), np.float32) if aligned else astray((12, 17)))
    assert f.box(FLOATS, 5, channel_axis=axis, out=out) is out
    np.testing.assert_array_equal(np.asarray(out), f.box(FLOATS, 5))
    if isinstance(out, np.ma.MaskedArray):
        np.testing.assert_array_equal(out.mask, np.eye(12, 17, dtype=bool))


def test_outputs_in_the_image():
    expected = f.gaussian(IMAGE, 1.0)
    f.gaussian(IMAGE, 1.0, out=np.empty_like(IMAGE))
    memory = np.zeros((14, 17), np.uint8)
    for first, to in ((memory[:12], memory[:12]), (memory[:12], memory[2:]), (memory[2:], memory[:12])):
        first[:] = IMAGE
        np.testing.assert_array_equal(f.gaussian(first, 1.0, out=to), expected)


def test_images_that_only_look_the_same():
    f.box(FLOATS, 3)
    swapped = FLOATS.astype(FLOATS.dtype.newbyteorder())
    np.testing.assert_array_equal(f.box(swapped, 3), f.box(FLOATS, 3))
    astray = np.zeros(FLOATS.nbytes + 1, np.uint8)[1:].view(FLOATS.dtype).reshape(FLOATS.shape)
    astray[:] = FLOATS
    np.testing.assert_array_equal(f.box(astray, 3), f.box(FLOATS, 3))
    np.testing.assert_array_equal(f.box(read_only(FLOATS.copy()), 3), f.box(FLOATS, 3))
    for other in (FLOATS.view(np.int32), FLOATS.view("S4"), FLOATS.astype("m8[s]")):
        with pytest.raises(TypeError):
            f.box(other, 3)
    with pytest.raises(TypeError, match="masked"):
        f.box(np.ma.masked_array(FLOATS), 3)


def test_layouts_that_were_told():
    stack = RNG.integers(0, 256, (3, 9, 20), dtype=np.uint8)
    f.box(stack, 3, channel_axis=-1)
    with pytest.raises(ValueError, match="CHW"):
        f.box(stack, 3)


def test_every_build_has_its_own(isa):
    np.testing.assert_array_equal(f.gaussian(FLOATS, 1.3), f.gaussian(spread(FLOATS), 1.3))
    family = _dispatch.native().family("stencil", np.float32)
    made = rows.note(f.gaussian, FLOATS, (1.3,), {})[1]
    assert isinstance(made[0].kernel.run.__self__, family.Kernel)


def test_another_build_is_asked_anew(monkeypatch):
    calls = remember.Calls(f.threshold.__wrapped__, True)
    for isa in 2 * _dispatch.available():
        monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
        for _ in range(3):
            calls.result(IMAGE, (80,), {}, None)
        (kept,) = calls._kept.values()
        family = _dispatch.native().family("threshold", np.uint8)
        assert isinstance(kept.steps[0].kernel.run.__self__, family.Kernel)


def test_threads_are_asked_for_again(monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    asked: list[int] = []
    threads_for = rows.threads_for
    monkeypatch.setattr(rows, "threads_for", lambda *args: asked.append(threads_for(*args)) or asked[-1])
    for count in (1, 3, 2):
        with ck.options(num_threads=count):
            f.box(IMAGE, 3)
        f.box(IMAGE, 3, num_threads=count)
    assert asked == [1, 1, 3, 3, 2, 2]
    monkeypatch.setenv("CONVKIT_NUM_THREADS", "none")
    with pytest.raises(ValueError, match="CONVKIT_NUM_THREADS"):
        f.box(IMAGE, 3)
    for _ in range(2):
        with pytest.raises(ValueError, match="num_threads is 0"):
            f.box(IMAGE, 3, num_threads=0)


def test_calls_at_once():
    """Threads that ask for different things of one filter, which knows its last call."""
    asked = [(image, value) for image in (IMAGE, IMAGE[:7], FLOATS) for value in (80, 90.5)]
    expected = [f.threshold(spread(image), value) for image, value in asked]

    def ask(turn: int) -> bool:
        image, value = asked[turn % len(asked)]
        out = np.empty(image.shape, np.uint8)
        return np.array_equal(f.threshold(image, value, out=out), expected[turn % len(asked)])

    with ThreadPoolExecutor(4) as pool:
        assert all(pool.map(ask, range(3000)))


def test_outputs_come_from_the_pool_of_the_scope():
    image = np.zeros((300, 300), np.uint8)
    f.box(image, 3)
    with ck.options(pool="1MB"):
        address = f.box(image, 3).ctypes.data
        assert f.box(image, 3).ctypes.data == address


def test_nothing_holds_the_image():
    image, out = FLOATS.copy(), np.empty_like(FLOATS)
    seen = [weakref.ref(image), weakref.ref(out)]
    for call in (f.sobel, f.threshold, f.closing):
        call(image, *{f.threshold: (0.5,), f.closing: (3,)}.get(call, ()))
    f.sobel(image, out=out)
    del image, out
    gc.collect()
    assert [ref() for ref in seen] == [None, None]


def test_large_kernels_are_not_kept():
    kept = remember.Calls(f.filter2d.__wrapped__, True)
    for side, count in ((3, 1), (91, 1)):  # the second takes 66 kB
        kept.result(FLOATS, (np.ones((side, side)),), {}, None)
        assert len(kept._kept) == count


def test_few_are_kept():
    kept: list[int] = []
    call = remember.remembered(lambda value: kept.append(value) or value)
    for value in range(3 * remember.MOST):
        assert call(value) == value
    assert call(0) == 0  # forgotten meanwhile
    assert len(kept) == 3 * remember.MOST + 1


def test_results_that_others_make_room_of(monkeypatch):
    """Between keeping a result and giving it, another thread may need the room."""
    monkeypatch.setattr(remember, "MOST", 1)
    double = remember.remembered(lambda number: 2 * number)
    others = iter([4, 3])

    def keep(kept, key, value):
        kept.clear()
        kept[key] = value
        for other in others:
            assert double(other) == 2 * other

    monkeypatch.setattr(remember, "_keep", keep)
    assert double(5) == 10
