"""Activations and residuals: the functions themselves, and that fusing them changes no bit."""

from __future__ import annotations

import configurations
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placing import LAYOUTS, placed

import convkit as ck
from convkit import _checks, _dispatch, _reference
from convkit.ops.epilogue import ACTIVATIONS

NAMES = [name for name in ACTIVATIONS if name]
DTYPES = [np.float32, np.float64]
STEEPEST = {None: 1, "silu": 1.1, "gelu": 1.13, "hardswish": 1.5, "sigmoid": 0.25}  # |f'|; 1 for the others
GELU = {np.dtype(np.float32): 3e-7, np.dtype(np.float64): 1e-15}  # of max(1, |x|)
TINY = {np.dtype(np.float32): 1e-35, np.dtype(np.float64): 1e-304}  # may come out as 0


def activated(x, activation, residual=None, algorithm="depthwise", **options):
    """An activation alone: of a convolution whose one weight is 1."""
    options = {"activation": activation, "residual": residual, "algorithm": algorithm} | options
    return ck.conv2d(x, np.ones((x.shape[-3], 1, 1, 1), x.dtype), groups=x.shape[-3], **options)


def line(values, dtype):
    return np.array(values, dtype).reshape(1, 1, 1, -1)


def error_bound(activation, x):
    """The documented one, of f at `x` of the output's dtype, and the oracle's own."""
    if activation == "gelu":
        return GELU[x.dtype] * np.maximum(1, np.abs(x))
    exact = np.abs(_reference.epilogue(x.astype(np.longdouble), activation))
    return 4 * np.spacing(exact.astype(x.dtype)) + TINY[x.dtype] + 4 * np.finfo(exact.dtype).eps * exact


# ---- the functions -------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", NAMES)
def test_error(isa, activation, dtype):
    """Everywhere within the documented bound of the exact function."""
    steps = np.geomspace(1e-30, 1e3, 40_000)
    x = line([*np.linspace(-12, 12, 100_001), *steps, *-steps], dtype)
    y = activated(x, activation)
    exact = _reference.epilogue(x.astype(np.longdouble), activation)
    assert y.dtype == dtype
    assert (np.abs(y - exact) <= error_bound(activation, x)).all()
    if activation in ("relu", "relu6"):
        np.testing.assert_array_equal(y, exact)


FAR = {
    "relu": (0, np.inf),
    "relu6": (0, 6),
    "leaky_relu": (-np.inf, np.inf),
    "silu": (0, np.inf),
    "gelu": (0, np.inf),
    "hardswish": (0, np.inf),
    "sigmoid": (0, 1),
}


@pytest.mark.parametrize("algorithm", ["depthwise", "gemm"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("activation", NAMES)
def test_special_values(isa, activation, dtype, algorithm):
    """NaN gives NaN, ±Inf the limits, large numbers what belongs to them: nothing overflows on the way."""
    x = line([-np.inf, np.inf, np.nan], dtype)
    np.testing.assert_array_equal(
        activated(x, activation, algorithm=algorithm), line([*FAR[activation], np.nan], dtype)
    )
    largest = np.finfo(dtype).max
    large = np.array([1e3, 1e4, 1e20, largest], dtype)
    left, right = (np.full(large.shape, limit, dtype) for limit in FAR[activation])
    if activation == "leaky_relu":
        left = -large * dtype(0.01)
    if FAR[activation][1] == np.inf:
        right = large
    for sign, expected in ((-1, left), (1, right)):
        y = activated(line(sign * large, dtype), activation, algorithm=algorithm)
        np.testing.assert_array_equal(y.ravel(), expected)
    zero = activated(line([0.0, -0.0], dtype), activation, algorithm=algorithm)
    np.testing.assert_array_equal(zero, 0.5 if activation == "sigmoid" else 0)


@pytest.mark.parametrize("dtype", DTYPES)
def test_slopes(isa, dtype):
    x = line([-2, -0.5, 0, 3, np.nan], dtype)
    for slope in (0.0, 0.2, 1.0, 3.0, -0.5):
        expected = np.where(x > 0, x, dtype(slope) * x)
        y = activated(x, "leaky_relu", negative_slope=slope)
        np.testing.assert_array_equal(y, expected)
    assert activated(x, "leaky_relu").ravel()[0] == dtype(0.01) * dtype(-2)


@pytest.mark.parametrize("activation", ["gelu", "silu", "hardswish"])
def test_the_left_is_not_positive(isa, activation):
    x = line(-np.geomspace(1e-20, 1e20, 200_001), np.float32)
    assert (activated(x, activation) <= 0).all()


@pytest.mark.parametrize("activation", NAMES)
def test_bits_do_not_depend_on_the_place(isa, activation):
    """One number at every place of a row has one result, as part of a vector too."""
    for value in np.random.default_rng(0).normal(0, 3, 10):
        x = np.full((1, 1, 40, 41), value, np.float32)
        wide = activated(x, activation)
        assert len(np.unique(wide)) == 1
        for columns in range(1, 41):
            y = activated(x[..., :columns], activation)
            assert (y == wide[0, 0, 0, 0]).all()


# ---- in every algorithm --------------------------------------------------------------------------------


class Case:
    """Calls of one algorithm: one block of sums or several, outputs written in place or from scratch."""

    def __init__(self, algorithm, dtype):
        self.algorithm, rng = algorithm, np.random.default_rng(3)
        channels, outputs, self.groups = {
            "gemm": (40, 20, 1),
            "broadcast": (40, 20, 1),
            "winograd": (9, 37, 1),
            "winograd_1d": (6, 21, 3),
            "depthwise": (4, 6, 2),
            "transposed": (5, 7, 1),
        }[algorithm]
        shape = (outputs, channels // self.groups, 3, 3)
        if algorithm == "transposed":
            shape = (channels, outputs, 3, 3)
        self.weight, self.bias = (rng.standard_normal(s).astype(dtype) for s in (shape, outputs))
        sizes = [(8, 64), (7, 45), (1, 5)] if algorithm != "winograd" else [(13, 134), (7, 30), (4, 5)]
        self.inputs = [rng.standard_normal((2, channels, *size)).astype(dtype) for size in sizes]
        self.residuals = [2 * rng.standard_normal(self(x).shape).astype(dtype) for x in self.inputs]

    def __call__(self, x, **options):
        if self.algorithm == "transposed":
            return ck.conv_transpose2d(x, self.weight, self.bias, 2, 1, **options)
        options = {"padding": 1, "groups": self.groups, "algorithm": self.algorithm} | options
        return ck.conv2d(x, self.weight, self.bias, **options)


ALGORITHMS = ["gemm", "broadcast", "winograd", "winograd_1d", "depthwise", "transposed"]
OF_FLOAT32 = ["winograd_1d"]


CASES = [(a, d) for a in ALGORITHMS for d in DTYPES if d == np.float32 or a not in OF_FLOAT32]


@pytest.fixture(params=CASES, ids=lambda p: f"{p[0]}-{p[1].__name__}")
def case(request):
    return Case(*request.param)


@pytest.mark.parametrize("activation", [None, *NAMES])
def test_fusing_changes_no_bit(isa, threads, case, activation):
    """The bits of the sums alone, and the residual and the function on them, on any number of threads."""
    for x, residual in zip(case.inputs, case.residuals, strict=True):
        sums = case(x, num_threads=1)
        for added in (None, residual):
            y = case(x, activation=activation, residual=added, num_threads=threads)
            np.testing.assert_array_equal(y, activated(sums, activation, added))


@pytest.mark.parametrize("activation", NAMES)
def test_as_defined(isa, case, activation):
    """Within the bounds of the sum, as far as the function carries them, and of the function."""
    function = _reference.conv_transpose2d if case.algorithm == "transposed" else _reference.conv2d
    options = {"groups": case.groups, "padding": (1, 1, 1, 1)}
    if case.algorithm == "transposed":
        options = {"stride": (2, 2), "padding": (1, 1)}
    for x, residual in zip(case.inputs, case.residuals, strict=True):
        arrays = [a.astype(np.longdouble) for a in (x, case.weight, case.bias)]
        sums, magnitude = function(*arrays, **options), function(*map(np.abs, arrays), **options)
        magnitude = magnitude + np.abs(residual)
        bound = configurations.gamma(case.weight[0].size + 2, configurations.UNIT[x.dtype]) * magnitude
        if case.algorithm in ("winograd", "winograd_1d"):
            bound = (2e-6 if x.dtype == np.float32 else 1e-14) * magnitude.max()
        exact = _reference.epilogue(sums, activation, residual)
        y = case(x, activation=activation, residual=residual)
        function_error = error_bound(activation, (sums + residual).astype(x.dtype))
        assert (np.abs(y - exact) <= STEEPEST.get(activation, 1) * bound + 2 * function_error).all()


@pytest.mark.parametrize("layout", [*LAYOUTS, "swapped"])
def test_residual_of_any_strides(isa, case, layout):
    for x, residual in zip(case.inputs, case.residuals, strict=True):
        expected = case(x, activation="silu", residual=residual)
        read_only = placed(residual, layout)
        read_only.flags.writeable = False
        np.testing.assert_array_equal(case(x, activation="silu", residual=read_only), expected)
        for place in LAYOUTS:
            out = placed(np.full_like(residual, np.nan), place)
            assert case(x, activation="silu", residual=read_only, out=out) is out
            np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_residual_is_out(isa, threads, case, layout):
    """In place: each number is read before it is overwritten, and nothing beside it is written."""
    for x, residual in zip(case.inputs, case.residuals, strict=True):
        expected = case(x, activation="relu", residual=residual)
        out = placed(residual, layout)
        assert case(x, activation="relu", residual=out[...], out=out, num_threads=threads) is out
        np.testing.assert_array_equal(out, expected)
        if layout == "slices":
            assert (out.base[1::2] == 7).all()
            assert (out.base[..., 1::2] == 7).all()


def test_residual_may_be_the_input(isa):
    """As in a block whose shortcut is the identity."""
    x, weight = np.linspace(-1, 1, 3 * 9 * 40, dtype=np.float32).reshape(1, 3, 9, 40), np.ones((3, 3, 3, 3))
    weight = weight.astype(np.float32)
    y = ck.conv2d(x, weight, padding=1, residual=x)
    np.testing.assert_array_equal(y, ck.conv2d(x, weight, padding=1) + x)


@pytest.mark.parametrize("kernel", [1, 2])
@pytest.mark.parametrize("groups", [1, 2])
@pytest.mark.parametrize("in_place", [False, True])
def test_pixels_without_taps(isa, threads, kernel, groups, in_place):
    """A transposed convolution whose stride exceeds its kernel: they are f(bias + residual)."""
    rng = np.random.default_rng(0)
    x, bias = rng.standard_normal((2, 4, 5, 6)), rng.standard_normal(3 * groups)
    weight = rng.standard_normal((4, 3, kernel, kernel))
    sums = _reference.conv_transpose2d(x, weight, bias, (4, 3), (1, 0), groups=groups)
    residual = rng.standard_normal(sums.shape)
    exact = _reference.epilogue(sums, "sigmoid", residual)
    out = residual.copy() if in_place else np.full_like(residual, np.nan)
    y = ck.conv_transpose2d(
        *(x, weight, bias, (4, 3), (1, 0)),
        groups=groups,
        activation="sigmoid",
        residual=out if in_place else residual,
        out=out,
        num_threads=threads,
    )
    np.testing.assert_allclose(y, exact, rtol=1e-13)


@settings(max_examples=200)
@given(
    name=st.sampled_from(list(configurations.CALLS)),
    seed=st.integers(0, 10_000),
    activation=st.sampled_from(ACTIVATIONS),
    residual=st.sampled_from([None, "new", "out"]),
    count=st.sampled_from([1, 2, 3, 7]),
)
def test_any_call(isa, name, seed, activation, residual, count):
    """Random calls of every kind: with an epilogue they have the bits of the sums, finished apart."""
    call, function = configurations.CALLS[name](seed), getattr(ck, name)
    sums = function(*call[:3], **call.arguments)
    rng = np.random.default_rng(seed)
    added = configurations.numbers(rng, sums.shape, sums.dtype) if residual else None
    options = {"activation": activation, "num_threads": count}
    expected = activated(sums, activation, added)
    if residual == "new":
        options["residual"] = configurations.disguised(rng, added)
    elif residual == "out":
        options["residual"] = options["out"] = added
    np.testing.assert_array_equal(function(*call[:3], **call.arguments, **options), expected)


# ---- plans ---------------------------------------------------------------------------------------------

X = np.linspace(-2, 2, 2 * 4 * 9 * 20, dtype=np.float32).reshape(2, 4, 9, 20)
WEIGHT = np.linspace(-1, 1, 6 * 4 * 9, dtype=np.float32).reshape(6, 4, 3, 3)


def test_plan(isa, threads):
    plan = ck.conv2d_plan(WEIGHT, input_shape=X.shape, activation="leaky_relu", negative_slope=0.3)
    assert plan.activation == "leaky_relu"
    assert repr(plan).endswith(f"float32, {plan.algorithm}, leaky_relu>")
    options = {"activation": "leaky_relu", "negative_slope": 0.3}
    residual = np.ones(plan.output_shape, np.float32)
    out = np.zeros_like(residual)
    for added in (None, residual, residual.tolist()):
        expected = ck.conv2d(X, WEIGHT, residual=added, algorithm=plan.algorithm, **options)
        np.testing.assert_array_equal(plan(X, residual=added, num_threads=threads), expected)
        assert plan(X, out, added) is out
        np.testing.assert_array_equal(out, expected)
    np.testing.assert_array_equal(plan(X[:1], residual=residual[:1])[0], expected[0])
    with pytest.raises(ValueError, match=r"residual has shape \(2, 6, 7, 18\); expected .*\(1, 6, 7, 18\)"):
        plan(X[:1], residual=residual)


def test_plan_of_one_image():
    plan = ck.conv2d_plan(WEIGHT, input_shape=X.shape[1:])
    assert plan.activation is None
    residual = np.ones(plan.output_shape, np.float32)
    np.testing.assert_array_equal(plan(X[0], residual=residual), plan(X[0]) + 1)


# ---- what is refused -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["conv2d", "conv_transpose2d", "plan"])
@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"activation": "mish"},
            ValueError,
            "activation is 'mish'; expected one of 'relu', .*'gelu', 'hardswish', 's",
        ),
        ({"activation": "ReLU"}, ValueError, "activation is 'ReLU'; expected"),
        ({"activation": len}, ValueError, "activation is <built-in function len>; expected one of"),
        ({"activation": ["relu"]}, ValueError, r"activation is \['relu'\]; expected one of"),
        ({"negative_slope": 0.1}, ValueError, "activation=None; pass activation='leaky_relu'"),
        (
            {"negative_slope": 0.1, "activation": "relu"},
            ValueError,
            "negative_slope is 0.1 with activation='relu'; pass activation='leaky_relu'",
        ),
        ({"negative_slope": "x", "activation": "leaky_relu"}, TypeError, "negative_slope is 'x'; expected"),
        (
            {"negative_slope": np.nan, "activation": "leaky_relu"},
            ValueError,
            "negative_slope is nan; expected",
        ),
        (
            {"negative_slope": 1e39, "activation": "leaky_relu"},
            ValueError,
            r"negative_slope is 1e\+39, more than float32",
        ),
    ],
    ids=lambda value: str(value) if isinstance(value, dict) else "",
)
def test_refuses_activations(name, options, error, message):
    calls = {
        "conv2d": lambda: ck.conv2d(X, WEIGHT, **options),
        "conv_transpose2d": lambda: ck.conv_transpose2d(X, WEIGHT[:4], **options),
        "plan": lambda: ck.conv2d_plan(WEIGHT, input_shape=X.shape, **options),
    }
    with pytest.raises(error, match=message):
        calls[name]()


SHAPE = (2, 6, 7, 18)


@pytest.mark.parametrize(
    ("residual", "error", "message"),
    [
        (np.zeros(SHAPE), TypeError, r"dtype float64; .* float32: pass residual\.astype\(np\.float32\)"),
        (np.zeros(SHAPE, int), TypeError, "residual has dtype int64"),
        (np.zeros(SHAPE, "c8"), TypeError, "residual has dtype complex64"),
        (np.zeros((2, 6, 7, 17), "f4"), ValueError, r"shape \(2, 6, 7, 17\); expected the output's, \(2, 6,"),
        (np.zeros((6, 7, 18), "f4"), ValueError, r"pass np\.broadcast_to\(residual, \(2, 6, 7, 18\)\)"),
        (np.zeros((1, 6, 1, 1), "f4"), ValueError, r"pass np\.broadcast_to"),
        (np.zeros((2, 7, 18, 6), "f4"), ValueError, r"first: pass residual\.transpose\(0, 3, 1, 2\)"),
        ([[1.0, 2.0], [3.0]], ValueError, "residual is a ragged sequence"),
        ("x", TypeError, "residual is str"),
        (np.ma.zeros(SHAPE, "f4"), TypeError, "residual is a masked array"),
        (np.zeros((2, 0, 7, 18), "f4"), ValueError, "residual is empty"),
    ],
    ids=range(11),
)
def test_refuses_residuals(residual, error, message):
    plan = ck.conv2d_plan(WEIGHT, input_shape=X.shape)
    for call in (lambda: ck.conv2d(X, WEIGHT, residual=residual), lambda: plan(X, residual=residual)):
        with pytest.raises(error, match=message):
            call()


def test_refuses_channels_last_of_one_image():
    with pytest.raises(ValueError, match=r"pass residual\.transpose\(2, 0, 1\)"):
        ck.conv2d(X[0], WEIGHT, residual=np.zeros((7, 18, 6), np.float32))


def test_what_the_messages_say_works():
    y = ck.conv2d(X, WEIGHT)
    row = np.linspace(0, 1, 18, dtype=np.float32)
    np.testing.assert_array_equal(ck.conv2d(X, WEIGHT, residual=np.broadcast_to(row, SHAPE)), y + row)
    last = np.ascontiguousarray(y.transpose(0, 2, 3, 1))
    np.testing.assert_array_equal(ck.conv2d(X, WEIGHT, residual=last.transpose(0, 3, 1, 2)), y + y)


def test_refuses_to_overwrite_a_residual():
    """It may be the output, and no array that shares a part of it, or all of it in another order."""
    memory = np.zeros(2 * np.prod(SHAPE), np.float32)
    out = memory[: np.prod(SHAPE)].reshape(SHAPE)
    plan = ck.conv2d_plan(WEIGHT, input_shape=X.shape)
    for residual in (
        memory[1 : 1 + out.size].reshape(SHAPE),
        memory[out.size - 1 :][: out.size].reshape(SHAPE),
        out[::-1],
        out[..., ::-1],
        np.broadcast_to(out[:, :, :, :1], SHAPE),
    ):
        for call in (ck.conv2d, lambda x, _, **options: plan(x, **options)):
            with pytest.raises(ValueError, match=r"out overlaps residual .*; pass out=residual to"):
                call(X, WEIGHT, residual=residual, out=out)
    assert ck.conv2d(X, WEIGHT, residual=memory[out.size :].reshape(SHAPE), out=out) is out


def test_strides_along_axes_of_one_do_not_count():
    a = np.lib.stride_tricks.as_strided(np.zeros(12, np.float32), (1, 3, 4), (4, 16, 4))
    assert _checks.same_strides(a, np.zeros((1, 3, 4), np.float32))
    assert not _checks.same_strides(a, np.zeros((1, 4, 3), np.float32).transpose(0, 2, 1))


# ---- peers ---------------------------------------------------------------------------------------------


@pytest.mark.peers
@pytest.mark.parametrize("activation", NAMES)
def test_as_torch(case, activation, monkeypatch):
    torch = pytest.importorskip("torch")
    function = getattr(torch.nn.functional, activation)
    x, residual = case.inputs[0], case.residuals[0]
    for isa in _dispatch.available():
        monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
        sums = case(x) + residual
        theirs = function(torch.from_numpy(sums.astype(np.float64))).numpy()
        y = case(x, activation=activation, residual=residual)
        assert (np.abs(y - theirs) <= 2 * error_bound(activation, sums)).all()


@pytest.mark.peers
def test_what_torch_makes_of_special_values():
    """The same, but for infinities of silu, gelu and hardswish: torch makes NaN of Inf times 0."""
    torch = pytest.importorskip("torch")
    x = line([np.nan, np.inf, -np.inf, 1e4, -1e4, 0.0], np.float32)
    for activation in NAMES:
        theirs = getattr(torch.nn.functional, activation)(torch.from_numpy(x)).numpy()
        y = activated(x, activation)
        known = ~np.isnan(theirs) | ~np.isinf(x)
        np.testing.assert_array_equal(y[known], theirs[known])
        assert known.all() or activation in ("silu", "gelu", "hardswish")
