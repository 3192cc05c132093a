"""Bad arguments: refused with the argument's name, what came, and what would do."""

import datetime
import re

import numpy as np
import pytest

import convkit as ck

X = np.ones((2, 4, 6, 5), np.float32)
WEIGHT = np.ones((6, 4, 3, 3), np.float32)
TRANSPOSED = np.ones((4, 6, 3, 3), np.float32)
HUGE = 2**62


def check(function, error, words):
    """`function` raises exactly `error`, with each of `words` in its message."""
    with pytest.raises((TypeError, ValueError)) as caught:
        function()
    assert caught.type is error
    for word in words:
        assert word in str(caught.value), str(caught.value)


def ones(*shape, dtype=np.float32):
    return np.ones(shape, dtype)


# ---- arrays, in both functions -------------------------------------------------------------------------

NOT_ARRAYS = [
    (None, TypeError, "is None; expected an array"),
    ("image.png", TypeError, "is str; expected an array (ck.imread reads a file)"),
    (b"123", TypeError, "is bytes"),
    ({1, 2}, TypeError, "is set; expected an array"),
    ({}, TypeError, "is dict; expected an array"),
    (object(), TypeError, "is object; expected an array"),
    (1j, TypeError, "is complex; expected an array"),
    (len, TypeError, "expected an array"),
    (np.ndarray, TypeError, "dtype object"),
    ([[1.0, 2.0], [3.0]], ValueError, "is a ragged sequence; expected rows of equal length"),
    ([[[1.0]], [1.0]], ValueError, "is a ragged sequence"),
    ([None], TypeError, "has dtype object"),
    (["a"], TypeError, "has dtype <U1; expected real numbers"),
    ([2**70], TypeError, "has dtype object"),
    ([True], TypeError, "has dtype bool"),
    ([1j], TypeError, "has dtype complex128"),
    ([], ValueError, "is empty: its shape is (0,)"),
    ([[]], ValueError, "is empty: its shape is (1, 0)"),
    (np.array(["a"]), TypeError, "has dtype <U1; expected real numbers"),
    (np.array([None]), TypeError, "has dtype object"),
    (np.array([1j]), TypeError, "has dtype complex128"),
    (np.array([datetime.date(2020, 1, 1)], "M8[D]"), TypeError, "has dtype datetime64[D]"),
    (np.array([1], "m8[s]"), TypeError, "has dtype timedelta64[s]"),
    (np.zeros(2, [("r", "f4")]), TypeError, "expected real numbers"),
    (ones(1, 4, 3, 3, dtype=bool), TypeError, "has dtype bool; expected float32 or float64: pass"),
    (ones(1, 4, 3, 3, dtype=np.uint8), TypeError, "has dtype uint8; expected float32 or float64: pass"),
    (ones(1, 4, 3, 3, dtype=np.int64), TypeError, ".astype(np.float32)"),
    (ones(1, 4, 3, 3, dtype=np.float16), TypeError, "has dtype float16"),
    (ones(1, 4, 3, 3, dtype=np.longdouble), TypeError, "expected float32 or float64"),
    (ones(0, 4, 3, 3), ValueError, "is empty: its shape is (0, 4, 3, 3)"),
    (ones(1, 4, 0, 3), ValueError, "is empty: its shape is (1, 4, 0, 3)"),
    (ones(1, 4, 3, 3, dtype=np.float64), TypeError, "expected one dtype: pass"),
]


@pytest.mark.parametrize("argument", ["input", "weight", "bias"])
@pytest.mark.parametrize("function", [ck.conv2d, ck.conv_transpose2d], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("value", "error", "message"), NOT_ARRAYS, ids=[f"{i}-{row[2][:24]}" for i, row in enumerate(NOT_ARRAYS)]
)
def test_not_a_float_array(function, argument, value, error, message):
    arrays = {"input": X, "weight": WEIGHT if function is ck.conv2d else TRANSPOSED, "bias": ones(6)}
    if argument == "bias" and value is None:
        return
    named = "weight" if "one dtype" in message and argument == "input" else argument
    check(lambda: function(**arrays | {argument: value}), error, [named, message])


def test_a_list_inside_itself():
    endless = []
    endless.append(endless)
    check(lambda: ck.conv2d(endless, WEIGHT), ValueError, ["input is a ragged sequence"])


@pytest.mark.parametrize("shape", [(), (5,), (6, 5), (1, 2, 4, 6, 5)])
def test_input_of_other_axes(shape):
    for function, weight in ((ck.conv2d, WEIGHT), (ck.conv_transpose2d, TRANSPOSED)):
        check(
            lambda f=function, w=weight: f(ones(*shape), w),
            ValueError,
            [f"input has shape {shape}; expected BCHW or CHW"] + ["input[None]"] * (len(shape) == 2),
        )


@pytest.mark.parametrize("shape", [(), (3,), (3, 3), (4, 3, 3), (1, 6, 4, 3, 3)])
def test_weight_of_other_axes(shape):
    check(
        lambda: ck.conv2d(X, ones(*shape)), ValueError, [f"weight has shape {shape}; expected (O, C / groups"]
    )
    check(
        lambda: ck.conv_transpose2d(X, ones(*shape)),
        ValueError,
        [f"weight has shape {shape}; expected (C, O / groups"],
    )


@pytest.mark.parametrize("shape", [(), (5,), (7,), (1, 6), (6, 1), (1,)])
def test_bias_of_another_shape(shape):
    message = f"bias has shape {shape}; expected (6,), one number per output channel"
    check(lambda: ck.conv2d(X, WEIGHT, ones(*shape)), ValueError, [message])
    check(lambda: ck.conv_transpose2d(X, TRANSPOSED, ones(*shape)), ValueError, [message])


@pytest.mark.parametrize("groups", [1, 3])
def test_channels_last_is_noticed(groups):
    weight = ones(6, 3 // groups, 3, 3)
    check(
        lambda: ck.conv2d(ones(32, 31, 3), weight, groups=groups),
        ValueError,
        ["input has shape (32, 31, 3), 32 channels", "looks like HWC", "pass ck.to_bchw(image)"],
    )
    check(
        lambda: ck.conv2d(ones(2, 32, 31, 3), weight, groups=groups),
        ValueError,
        ["input has shape (2, 32, 31, 3), 32 channels", "looks like BHWC", "pass ck.to_bchw(image)"],
    )
    check(
        lambda: ck.conv_transpose2d(ones(32, 31, 3), ones(3, 6, 3, 3), groups=groups),
        ValueError,
        ["looks like HWC", "ck.to_bchw(image)"],
    )


# ---- numbers -------------------------------------------------------------------------------------------

BOTH = [
    ({"stride": 0}, ValueError, ["stride is 0; expected at least 1"]),
    ({"stride": -1}, ValueError, ["stride is -1"]),
    ({"stride": (1, 0)}, ValueError, ["stride[1] is 0"]),
    ({"stride": (1, 2, 3)}, ValueError, ["stride is (1, 2, 3)", "a pair (vertical, horizontal)"]),
    ({"stride": ()}, ValueError, ["stride is ()"]),
    ({"stride": 2.0}, TypeError, ["stride is 2.0; expected an integer"]),
    ({"stride": True}, TypeError, ["stride is True; expected an integer"]),
    ({"stride": np.True_}, TypeError, ["stride is", "True", "expected an integer"]),
    ({"stride": None}, TypeError, ["stride is None"]),
    ({"stride": "2"}, TypeError, ["stride is '2'"]),
    ({"stride": b"\x01\x02"}, TypeError, ["stride is b"]),
    ({"stride": [1, [2]]}, TypeError, ["stride[1] is [2]"]),
    ({"stride": np.ones((2, 2), int)}, TypeError, ["stride[0] is"]),
    ({"stride": 2**63}, ValueError, ["stride is 9223372036854775808; expected at most 2**63 - 1"]),
    ({"dilation": 0}, ValueError, ["dilation is 0; expected at least 1"]),
    ({"dilation": (-2, 1)}, ValueError, ["dilation[0] is -2"]),
    ({"dilation": 1.5}, TypeError, ["dilation is 1.5"]),
    ({"dilation": False}, TypeError, ["dilation is False"]),
    ({"dilation": 2**63}, ValueError, ["dilation"]),
    ({"dilation": HUGE}, ValueError, ["kernel"]),
    ({"padding": -1}, ValueError, ["padding is -1; expected at least 0"]),
    ({"padding": (0, -1)}, ValueError, ["padding[1] is -1"]),
    ({"padding": 1.0}, TypeError, ["padding is 1.0"]),
    ({"padding": True}, TypeError, ["padding is True"]),
    ({"padding": None}, TypeError, ["padding is None"]),
    ({"padding": (1, 2, 3)}, ValueError, ["padding is (1, 2, 3)"]),
    ({"padding": [1, [2, 3]]}, TypeError, ["padding[1] is [2, 3]; expected an integer"]),
    ({"padding": 2**63}, ValueError, ["padding"]),
    ({"groups": 0}, ValueError, ["groups is 0; expected at least 1"]),
    ({"groups": -2}, ValueError, ["groups is -2"]),
    ({"groups": 3}, ValueError, ["groups is 3, which does not divide the input's 4 channels"]),
    ({"groups": 2.0}, TypeError, ["groups is 2.0"]),
    ({"groups": True}, TypeError, ["groups is True"]),
    ({"groups": None}, TypeError, ["groups is None"]),
    ({"groups": (1, 1)}, TypeError, ["groups is (1, 1)"]),
    ({"groups": 2**70}, ValueError, ["groups"]),
    ({"num_threads": 0}, ValueError, ["num_threads is 0; expected at least 1"]),
    ({"num_threads": -1}, ValueError, ["num_threads is -1"]),
    ({"num_threads": 1.5}, TypeError, ["num_threads is 1.5; expected an integer"]),
    ({"num_threads": True}, TypeError, ["num_threads is True"]),
    ({"num_threads": "2"}, TypeError, ["num_threads is '2'"]),
    ({"num_threads": 10**6}, ValueError, ["num_threads is 1000000; expected at most"]),
    (
        {"algorithm": "fastest"},
        ValueError,
        ["algorithm is 'fastest'; expected one of 'auto', 'direct', 'gemm'"],
    ),
    ({"algorithm": None}, ValueError, ["algorithm is None"]),
    ({"algorithm": ["auto"]}, ValueError, ["algorithm is ['auto']"]),
]

CONV2D = [
    (
        {"weight": ones(6, 3, 3, 3)},
        ValueError,
        ["input has shape (2, 4, 6, 5), 4 channels; the weight expects 3"],
    ),
    (
        {"weight": ones(7, 2, 3, 3), "groups": 2},
        ValueError,
        ["groups is 2", "the weight's 7 output channels"],
    ),
    ({"weight": ones(6, 1, 3, 3), "groups": 2}, ValueError, ["4 channels; the weight expects 2"]),
    ({"weight": ones(6, 4, 7, 3)}, ValueError, ["output height would be 0", "kernel 7", "pad by 1 more"]),
    ({"weight": ones(6, 4, 1, 9)}, ValueError, ["output width would be -3", "pad by 4 more"]),
    ({"dilation": 3}, ValueError, ["effective kernel 7", "dilation 3"]),
    ({"padding": "full"}, ValueError, ["padding is 'full'; expected one of 'same', 'valid'"]),
    ({"padding": (1, 2, 3, -4)}, ValueError, ["padding[3] is -4"]),
    ({"padding": (1, 2, 3, 4.0)}, TypeError, ["padding[3] is 4.0"]),
    ({"padding": HUGE}, ValueError, ["more than 64 bits can count"]),
    ({"padding": (HUGE, 0)}, ValueError, ["more than 64 bits can count"]),
    ({"padding": 2**31}, ValueError, ["more than 64 bits can count"]),
    ({"padding": 2**61}, ValueError, ["more than 64 bits can count"]),
    ({"padding_mode": "symmetric"}, ValueError, ["padding_mode is 'symmetric'", "'zeros'", "'circular'"]),
    ({"padding_mode": None}, ValueError, ["padding_mode is None"]),
    ({"cval": 1.0}, ValueError, ["cval is 1.0 with padding_mode='zeros'; pass padding_mode='constant'"]),
    ({"cval": np.nan}, ValueError, ["cval is nan with padding_mode='zeros'"]),
    ({"cval": 1, "padding_mode": "reflect"}, ValueError, ["cval is 1 with padding_mode='reflect'"]),
    ({"cval": "1", "padding_mode": "constant"}, TypeError, ["cval is '1'; expected a number"]),
    ({"cval": None, "padding_mode": "constant"}, TypeError, ["cval is None"]),
    ({"cval": True, "padding_mode": "constant"}, TypeError, ["cval is True"]),
    ({"cval": 1j, "padding_mode": "constant"}, TypeError, ["cval is 1j"]),
    ({"cval": [0.0], "padding_mode": "constant"}, TypeError, ["cval is [0.0]"]),
    ({"cval": 10**400, "padding_mode": "constant"}, ValueError, ["cval is an integer of 1329 bits"]),
]

TRANSPOSED_ONLY = [
    (
        {"weight": ones(8, 6, 3, 3)},
        ValueError,
        ["input has shape (2, 4, 6, 5), 4 channels; the weight expects 8"],
    ),
    ({"padding": "same"}, TypeError, ["padding is 'same'; expected an integer"]),
    ({"padding": (1, 1, 1, 1)}, ValueError, ["padding is (1, 1, 1, 1)"]),
    ({"padding": 4}, ValueError, ["the output height would be 0", "pass padding of at most 3"]),
    ({"padding": HUGE}, ValueError, ["the output"]),
    ({"output_padding": 1}, ValueError, ["output_padding is 1; expected less than the stride 1"]),
    ({"output_padding": 3, "stride": 3, "dilation": 2}, ValueError, ["output_padding is 3"]),
    ({"output_padding": -1, "stride": 2}, ValueError, ["output_padding is -1"]),
    ({"output_padding": 1.0, "stride": 2}, TypeError, ["output_padding is 1.0"]),
    ({"stride": HUGE}, ValueError, ["more than 64 bits can count"]),
    ({"stride": 2**31}, ValueError, ["more than 64 bits can count"]),
    ({"output_size": (7, 7)}, ValueError, ["output_size is (7, 7)", "sizes from (8, 7) to (8, 7)"]),
    ({"output_size": (15, 11), "stride": 2}, ValueError, ["from (13, 11) to (14, 12)"]),
    ({"output_size": 0}, ValueError, ["output_size is 0; expected at least 1"]),
    ({"output_size": (8.0, 7)}, TypeError, ["output_size[0] is 8.0"]),
    ({"output_size": "87"}, TypeError, ["output_size is '87'"]),
    ({"output_size": 2**70}, ValueError, ["output_size is"]),
    (
        {"output_size": (14, 12), "output_padding": 1, "stride": 2},
        ValueError,
        ["output_size and output_padding=1 are both given; pass one of them"],
    ),
]


def identifier(value):
    return re.sub(r"\W+", "_", str(value))[:40] if isinstance(value, dict) else None


@pytest.mark.parametrize(("arguments", "error", "words"), BOTH + CONV2D, ids=identifier)
def test_conv2d(arguments, error, words):
    check(lambda: ck.conv2d(**{"input": X, "weight": WEIGHT} | arguments), error, words)


@pytest.mark.parametrize(("arguments", "error", "words"), BOTH + TRANSPOSED_ONLY, ids=identifier)
def test_conv_transpose2d(arguments, error, words):
    check(lambda: ck.conv_transpose2d(**{"input": X, "weight": TRANSPOSED} | arguments), error, words)


@pytest.mark.parametrize(("arguments", "error", "words"), BOTH + CONV2D, ids=identifier)
def test_plan_refuses_the_same(arguments, error, words):
    """Where a plan is made; a plan's input is a shape, and its channels are the weight's business."""
    plan = {"weight": WEIGHT, "input_shape": X.shape} | arguments
    of_channels = any("channels" in word for word in words) and "output channels" not in words[-1]
    check(lambda: ck.conv2d_plan(**plan), error, ["input_shape"] if of_channels else words)


def test_a_nan_constant_is_taken():
    assert np.isnan(ck.conv2d(X, WEIGHT, padding=1, padding_mode="constant", cval=np.nan)).any()


# ---- numbers of any size -------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("stride", [2**31, 2**62, 2**63 - 1])
def test_a_stride_of_any_size_reads_inside_the_input(stride, dtype, isa):
    """One output: the padding above and left of it is as far as the first tap goes."""
    around = np.full((1, 1, 9, 9), 100, dtype)
    x = around[:, :, 2:7, 2:7]
    x[...] = 1
    assert ck.conv2d(x, ones(1, 1, 3, 3, dtype=dtype), stride=stride, padding=2).tolist() == [[[[1.0]]]]
    far = (0, 0, 2**62 + 2**61, 2**61 - 10)
    y = ck.conv2d(x, ones(1, 1, 3, 3, dtype=dtype), stride=(1, 2**62), padding=far)
    assert y.tolist() == [[[[0.0, 0.0]] * 3]]


def test_a_transposed_stride_of_any_size():
    y = ck.conv_transpose2d(ones(1, 1, 1, 1), ones(1, 1, 2, 3), stride=2**62)
    assert y.tolist() == [[[[1.0] * 3] * 2]]


def test_a_dilation_of_any_size():
    """The kernel's ends lie far outside; the padding makes room for a single window."""
    x = np.arange(1, 10, dtype=np.float32).reshape(1, 3, 3)
    y = ck.conv2d(x, ones(1, 1, 3, 3), padding=2**40, dilation=2**40)
    np.testing.assert_array_equal(y, x)
    y = ck.conv2d(x, ones(1, 1, 3, 3), padding=2**40, dilation=2**40, padding_mode="replicate")
    assert y[0, 1, 1] == x.sum() - 30 + 30
    y = ck.conv2d(x, ones(1, 1, 1, 3), padding=(0, 3 * 2**40), dilation=3 * 2**40, padding_mode="circular")
    np.testing.assert_array_equal(y, 3 * x)
