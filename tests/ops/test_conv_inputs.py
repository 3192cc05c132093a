"""What is taken as an array: sequences, images, and other libraries' arrays."""

import array
import sys

import numpy as np
import pytest

import convkit as ck

X = np.arange(2 * 5 * 4, dtype=np.float32).reshape(2, 5, 4)
WEIGHT = np.arange(3 * 2 * 2 * 2, dtype=np.float32).reshape(3, 2, 2, 2) - 9
BIAS = np.array([1, -2, 0.5], np.float32)
FUNCTIONS = [ck.conv2d, ck.conv_transpose2d]


class Interface:
    """An array of another library, by ``__array_interface__`` alone."""

    def __init__(self, values):
        self.values = values
        self.__array_interface__ = values.__array_interface__


class DLPack:
    """An array of another library, by DLPack alone."""

    def __init__(self, values):
        self.values = values

    def __dlpack__(self, **arguments):
        return self.values.__dlpack__(**arguments)

    def __dlpack_device__(self):
        return self.values.__dlpack_device__()


class Array:
    """An array of another library, by ``__array__`` alone."""

    def __init__(self, values):
        self.values = values

    def __array__(self, dtype=None, copy=None):
        return self.values


class Broken:
    """An array that its library refuses to give."""

    def __array__(self, dtype=None, copy=None):
        raise RuntimeError("call detach() first")


class OnAnotherDevice:
    def __dlpack__(self, **_):
        raise BufferError("not on the CPU")

    def __dlpack_device__(self):
        return (2, 0)


def swapped(values):
    return values.astype(values.dtype.newbyteorder("S"))


def weights(function):
    return WEIGHT if function is ck.conv2d else WEIGHT.swapaxes(0, 1).copy()


@pytest.mark.parametrize("wrap", [Interface, DLPack, Array, swapped, np.ndarray.tolist, tuple, list])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_each_argument_in_another_form(function, dtype, wrap):
    arrays = [a.astype(dtype) for a in (X, weights(function), BIAS)]
    y = function(*arrays)
    for i in range(3):
        given = list(arrays)
        given[i] = wrap(arrays[i])
        other = function(*given)
        assert other.dtype == dtype
        assert other.tobytes() == y.tobytes()
    others = function(*map(wrap, arrays))
    assert others.dtype == (np.float64 if wrap is np.ndarray.tolist else dtype)
    np.testing.assert_array_equal(others, y)


@pytest.mark.parametrize("carrier", [Interface, DLPack, Array, swapped, list])
@pytest.mark.parametrize("function", FUNCTIONS)
def test_numbers_take_the_dtype_of_any_array(function, carrier):
    """Wherever it stands, and however it was given."""
    arrays = [X, weights(function), BIAS]
    y = function(*arrays)
    for i in range(3):
        given = [a.tolist() for a in arrays]
        given[i] = carrier(arrays[i])
        other = function(*given)
        assert other.dtype == np.float32
        assert other.tobytes() == y.tobytes()


def test_integers_are_numbers():
    y = ck.conv2d([[[1, 2], [3, 4]]], [[[[1, 1], [1, 1]]]], [1])
    assert y.dtype == np.float64
    assert y.tolist() == [[[11]]]
    assert ck.conv2d(np.ones((1, 2, 2), np.float32), [[[[1, 1], [1, 2]]]]).dtype == np.float32


def test_numpy_scalars_carry_their_dtype():
    items = [[[np.float32(1), np.float32(2)]]]
    assert ck.conv2d(items, [[[[1.0]]]]).dtype == np.float32
    with pytest.raises(TypeError, match="weight has dtype float32 and input has float64"):
        ck.conv2d([[[np.float64(1)]]], np.ones((1, 1, 1, 1), np.float32))


@pytest.mark.parametrize("scalar", [3, 2.5, np.float32(2), np.float64(2), np.array(2.0)])
def test_a_number_alone_is_no_image(scalar):
    with pytest.raises(ValueError, match=r"input has shape \(\); expected BCHW or CHW"):
        ck.conv2d(scalar, np.ones((1, 1, 1, 1), np.asarray(scalar).dtype.char.replace("l", "d")))


@pytest.mark.parametrize("broken", [Broken(), OnAnotherDevice(), [Broken()]])
def test_what_another_library_raises_names_the_argument(broken):
    with pytest.raises(TypeError, match=r"input is .*(detach|CPU|device)"):
        ck.conv2d(broken, WEIGHT)


def test_a_photo_as_it_was_read_is_told_to_become_a_batch():
    photo = np.zeros((9, 8, 3), np.uint8)
    with pytest.raises(TypeError, match=r"it looks like HWC: pass ck\.to_bchw\(input\)"):
        ck.conv2d(photo, np.ones((2, 3, 3, 3), np.float32))
    assert ck.conv2d(ck.to_bchw(photo), np.ones((2, 3, 3, 3), np.float32)).ndim == 4


def test_a_buffer_without_shape_is_no_array():
    with pytest.raises((TypeError, ValueError), match="input"):
        ck.conv2d(array.array("f", [1, 2]), WEIGHT)


def test_an_image_of_pillow():
    image = pytest.importorskip("PIL.Image").fromarray(X[0])
    assert image.mode == "F"
    y = ck.conv2d([image], np.ones((1, 1, 2, 2), np.float32))
    np.testing.assert_array_equal(y, ck.conv2d(X[:1], np.ones((1, 1, 2, 2), np.float32)))
    with pytest.raises(
        ValueError, match=r"input has shape \(5, 4\); expected BCHW or CHW; pass input\[None\]"
    ):
        ck.conv2d(image, [[[[1.0]]]])
    with pytest.raises(TypeError, match="input has dtype uint8"):
        ck.conv2d(image.convert("L"), WEIGHT)


def test_subclasses_and_files(tmp_path):
    np.save(tmp_path / "x.npy", X)
    mapped = np.load(tmp_path / "x.npy", mmap_mode="r")
    y = ck.conv2d(mapped, WEIGHT)
    assert type(y) is np.ndarray
    assert y.tobytes() == ck.conv2d(X, WEIGHT).tobytes()


def test_views_of_records():
    """A field of a structured array: strides that are no multiple of the element."""
    records = np.zeros(X.shape, [("flag", "u1"), ("value", "f4")])
    records["value"] = X
    assert ck.conv2d(records["value"], WEIGHT).tobytes() == ck.conv2d(X, WEIGHT).tobytes()


def test_broadcast_views():
    x = np.broadcast_to(X[:, :1, :1], (3, 2, 5, 4))
    weight = np.broadcast_to(np.float32(2), (3, 2, 2, 2))
    y = ck.conv2d(x, weight, np.broadcast_to(np.float32(1), 3))
    np.testing.assert_array_equal(y, ck.conv2d(x.copy(), weight.copy(), np.ones(3, np.float32)))


@pytest.mark.parametrize("zero_d", [np.array(2), np.int8(2), np.uint64(2)])
def test_numpy_integers_as_numbers(zero_d):
    y = ck.conv2d(X, WEIGHT, stride=zero_d, padding=zero_d, dilation=zero_d)
    np.testing.assert_array_equal(y, ck.conv2d(X, WEIGHT, stride=2, padding=2, dilation=2))
    one = np.ones((2, 1, 1, 1), np.float32)
    assert ck.conv2d(X, one, groups=zero_d, num_threads=zero_d).shape == X.shape


@pytest.mark.peers
def test_tensors_of_torch():
    torch = pytest.importorskip("torch")
    tensors = [torch.from_numpy(a.copy()) for a in (X, WEIGHT, BIAS)]
    y = ck.conv2d(*tensors)
    assert type(y) is np.ndarray
    assert y.tobytes() == ck.conv2d(X, WEIGHT, BIAS).tobytes()
    assert ck.conv2d(tensors[0], WEIGHT.tolist()).dtype == np.float32
    with pytest.raises(TypeError, match=r"weight is Tensor, which gives no array: .*detach"):
        ck.conv2d(X, tensors[1].requires_grad_())
    with pytest.raises(TypeError, match="input is Tensor"):
        ck.conv2d(tensors[0].to(torch.bfloat16), WEIGHT)


def test_masked_arrays_are_refused():
    """A mask would be ignored: the caller says what masked pixels hold."""
    with pytest.raises(TypeError, match=r"input is a masked array; pass input\.filled"):
        ck.conv2d(np.ma.masked_array(X, X > 0), WEIGHT)


def test_cval_keeps_the_digits_of_float64(isa):
    """Python's numbers reach the kernels of float64 whole."""
    y = ck.conv2d(np.zeros((1, 1, 1)), np.ones((1, 1, 1, 1)), padding=1, padding_mode="constant", cval=0.1)
    assert y[0, 0, 0] == 0.1


def test_cval_that_float32_does_not_hold():
    x, weight = np.zeros((1, 1, 1), np.float32), np.ones((1, 1, 1, 1), np.float32)
    with pytest.raises(ValueError, match="cval is 1e\\+300, more than float32 holds"):
        ck.conv2d(x, weight, padding=1, padding_mode="constant", cval=1e300)


BEHIND = """
import ctypes, itertools, mmap
import numpy as np, convkit as ck
libc, page = ctypes.CDLL(None), mmap.PAGESIZE
memory = mmap.mmap(-1, 2 * page)
start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
assert libc.mprotect(ctypes.c_void_p(start + page), page, 0) == 0  # whoever reads here dies
for width, stride, kernel in itertools.product((*range(1, 20), 33, 50), (1, 2, 3, 4), (1, 3, 5)):
    x = np.frombuffer(memory, np.float32, 2 * 3 * width, page - 24 * width).reshape(1, 2, 3, width)
    for groups, outputs in ((1, 5), (1, 24), (2, 2), (2, 8)):
        w = np.ones((outputs, 2 // groups, kernel, kernel), np.float32)
        for algorithm in ("auto", "gemm", "broadcast", "depthwise", "winograd", "winograd_1d"):
            try:
                plan = ck.conv2d_plan(w, input_shape=x.shape, stride=stride, padding=kernel // 2,
                                      groups=groups, algorithm=algorithm)
            except ValueError:  # not with this kernel and stride
                continue
            assert (plan(x) == 0).all()
print("alive")
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="pages are closed by Linux's mprotect")
def test_nothing_behind_the_input_is_read(run_python, isa):
    assert run_python(BEHIND, CONVKIT_ISA=isa) == "alive"
