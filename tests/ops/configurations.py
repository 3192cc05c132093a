"""Random calls of the convolutions, drawn by the tests against the reference and against PyTorch."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from convkit import _reference, shapes

BORDERS = {
    "zeros": "constant",
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}
UNIT = {np.dtype(np.float32): 2.0**-24, np.dtype(np.float64): 2.0**-53}


class Call(NamedTuple):
    """One call: the arrays as they are passed, and the arguments as the reference takes them."""

    x: np.ndarray
    weight: np.ndarray
    bias: np.ndarray | None
    arguments: dict[str, Any]  # of convkit's function
    reference: dict[str, Any]  # of the definition
    products: int  # that an output pixel sums

    def __str__(self):
        arrays = [
            f"{a.dtype.str}{a.shape} strides {a.strides}"
            for a in (self.x, self.weight, self.bias)
            if a is not None
        ]
        return f"{'; '.join(arrays)}; {self.arguments}"


# ---- the arrays ----------------------------------------------------------------------------------------


def disguised(rng, values):
    """The same values in another array: strided, reversed, transposed, byte-swapped, read-only or shifted."""
    kind = rng.integers(9)
    if kind == 1:
        values = np.asfortranarray(values)
    elif kind == 2:
        values = np.flip(np.flip(values).copy())
    elif kind == 3:
        axis = rng.integers(values.ndim)
        values = np.flip(np.flip(values, axis).copy(), axis)
    elif kind == 4:
        steps = rng.integers(1, 4, values.ndim)
        large = np.full([n * s for n, s in zip(values.shape, steps, strict=True)], np.nan, values.dtype)
        inner = large[tuple(slice(None, None, s) for s in steps)]
        inner[...] = values
        values = inner
    elif kind == 5:
        values = values.astype(values.dtype.newbyteorder("S"))
    elif kind == 6:
        values = values.copy()
        values.flags.writeable = False
    elif kind == 7:  # its data starts at any byte
        memory = np.zeros(values.nbytes + 16, np.uint8)
        start = rng.integers(16)
        shifted = memory[start : start + values.nbytes].view(values.dtype).reshape(values.shape)
        shifted[...] = values
        values = shifted
    elif kind == 8:  # in memory as HWC is
        order = rng.permutation(values.ndim)
        values = values.transpose(order).copy().transpose(np.argsort(order))
    return values


def numbers(rng, shape, dtype):
    """Numbers of both signs and many magnitudes, some of them 0."""
    values = rng.standard_normal(shape) * 2.0 ** rng.integers(-6, 7, shape)
    return np.where(rng.random(shape) < 0.05, 0, values).astype(dtype)


def one_or_pair(rng, pair):
    """A pair as a caller may write it."""
    if pair[0] == pair[1] and rng.random() < 0.7:
        return int(pair[0])
    return [tuple, list, np.array][rng.integers(3)]([int(p) for p in pair])


def small_pair(rng, most, least=1):
    """Two integers, mostly the least of them."""
    return tuple(int(n) for n in np.where(rng.random(2) < 0.4, least, rng.integers(least, most + 1, 2)))


def draw_arrays(rng, inputs, weight_shape, outputs):
    """Input, weight and bias, each of them disguised."""
    dtype = np.dtype(rng.choice([np.float32, np.float32, np.float64]))
    batch = int(rng.choice([1, 1, 2, 3]))
    # mostly small; some rows are longer than the widest tile
    height, width = (int(rng.integers(1, 60 if rng.random() < 0.08 else 14)) for _ in range(2))
    shape = (inputs, height, width) if rng.random() < 0.3 else (batch, inputs, height, width)
    x, weight = numbers(rng, shape, dtype), numbers(rng, weight_shape, dtype)
    bias = numbers(rng, outputs, dtype) if rng.random() < 0.5 else None
    return disguised(rng, x), disguised(rng, weight), None if bias is None else disguised(rng, bias)


def draw_groups(rng):
    """groups, and the channels of each, in and out: one in three depthwise, some of those multiplied."""
    kind = rng.integers(6)
    if kind == 0:
        return int(rng.integers(1, 9)), 1, 1
    if kind == 1:
        return int(rng.integers(1, 6)), 1, int(rng.integers(2, 5))
    groups = 1 if kind < 5 else int(rng.integers(2, 5))
    channels = int(rng.integers(1, 40 if rng.random() < 0.1 else 7))
    return groups, channels, int(rng.integers(1, 40 if rng.random() < 0.2 else 10))


def draw_kernel(rng):
    if rng.random() < 0.25:
        return 1, 1
    return tuple(int(k) for k in rng.integers(1, 9 if rng.random() < 0.1 else 5, 2))


# ---- the calls -----------------------------------------------------------------------------------------


def draw_padding(rng, size, kernel, stride, dilation):
    """`padding` as a caller writes it, and the four sides that it means."""
    kind = rng.integers(6)
    if kind == 0:
        (top, bottom), (left, right) = shapes.same_padding(size, kernel, stride, dilation)
        return "same", (top, bottom, left, right)
    if kind == 1:
        return "valid", (0, 0, 0, 0)
    most = 4 if rng.random() < 0.7 else 2 * max(size) + 3
    if kind == 2:
        sides = tuple(int(p) for p in rng.integers(0, most, 4))
        return (list if rng.random() < 0.5 else tuple)(sides), sides
    vertical, horizontal = small_pair(rng, most, 0)
    return one_or_pair(rng, (vertical, horizontal)), (vertical, vertical, horizontal, horizontal)


def conv2d_call(seed):
    """A call of `conv2d` whose output has pixels."""
    rng = np.random.default_rng([2, seed])
    while True:
        groups, channels, outputs = draw_groups(rng)
        kernel, stride, dilation = draw_kernel(rng), small_pair(rng, 4), small_pair(rng, 4)
        x, weight, bias = draw_arrays(
            rng, groups * channels, (groups * outputs, channels, *kernel), groups * outputs
        )
        padding, sides = draw_padding(rng, x.shape[-2:], kernel, stride, dilation)
        room = [
            n + p + q - d * (k - 1)
            for n, p, q, d, k in zip(x.shape[-2:], sides[::2], sides[1::2], dilation, kernel, strict=True)
        ]
        if min(room) >= 1 and np.prod(room) * groups * outputs * channels < 200_000:
            break
    mode = str(rng.choice(list(BORDERS)))
    # in float64 a number that no float32 holds
    cval = float(x.dtype.type(rng.choice([0, 1.7, -100.1]))) if mode == "constant" else 0.0
    arguments = {
        "stride": one_or_pair(rng, stride),
        "padding": padding,
        "dilation": one_or_pair(rng, dilation),
        "groups": groups,
        "padding_mode": mode,
        "cval": cval,
        "algorithm": str(rng.choice(["direct", "gemm", "broadcast"])),
    }
    reference = {
        "stride": stride,
        "padding": sides,
        "dilation": dilation,
        "groups": groups,
        "border": BORDERS[mode],
        "cval": cval,
    }
    return Call(x, weight, bias, arguments, reference, channels * kernel[0] * kernel[1])


def conv_transpose2d_call(seed):
    """A call of `conv_transpose2d` whose output has pixels."""
    rng = np.random.default_rng([3, seed])
    while True:
        groups, channels, outputs = draw_groups(rng)
        kernel, stride, dilation = draw_kernel(rng), small_pair(rng, 4), small_pair(rng, 4)
        x, weight, bias = draw_arrays(
            rng, groups * channels, (groups * channels, outputs, *kernel), groups * outputs
        )
        padding = small_pair(rng, 4 if rng.random() < 0.8 else 20, 0)
        extra = tuple(int(rng.integers(max(s, d))) for s, d in zip(stride, dilation, strict=True))
        if rng.random() < 0.4:
            extra = (0, 0)
        size = [
            (n - 1) * s - 2 * p + d * (k - 1) + e + 1
            for n, s, p, d, k, e in zip(x.shape[-2:], stride, padding, dilation, kernel, extra, strict=True)
        ]
        if min(size) >= 1 and np.prod(size) * groups * outputs * channels < 200_000:
            break
    reference = {
        "stride": stride,
        "padding": padding,
        "output_padding": extra,
        "groups": groups,
        "dilation": dilation,
    }
    arguments = {k: one_or_pair(rng, v) for k, v in reference.items() if k != "groups"} | {"groups": groups}
    if rng.random() < 0.3:
        del arguments["output_padding"]
        arguments["output_size"] = one_or_pair(rng, size)
    arguments["algorithm"] = str(rng.choice(["direct", "direct", "gemm"]))
    return Call(x, weight, bias, arguments, reference, channels * kernel[0] * kernel[1])


CALLS = {"conv2d": conv2d_call, "conv_transpose2d": conv_transpose2d_call}

# ---- what they must give -------------------------------------------------------------------------------


def gamma(n, unit):
    """Higham's γₙ."""
    return n * unit / (1 - n * unit)


def defined(name, call, dtype, absolute=False):
    """The result by the definition, accumulated in `dtype`; `absolute`: of all the arrays' magnitudes."""
    as_given = np.abs if absolute else np.asarray
    x, weight, bias = (None if a is None else as_given(a.astype(dtype)) for a in call[:3])
    arguments = dict(call.reference)
    if absolute and "cval" in arguments:
        arguments["cval"] = abs(arguments["cval"])
    y = getattr(_reference, name)(x if x.ndim == 4 else x[None], weight, bias, **arguments)
    return y if x.ndim == 4 else y[0]


def expected(name, call):
    """The result, the bound on the difference from it, and |x| ⊛ |w| + |b|.

    The bound is γₙ · (|x| ⊛ |w| + |b|) for n products and the bias; the oracle's own rounding is added to it,
    which is that of the next wider type: nothing where there is one.
    """
    dtype = call.x.dtype.newbyteorder("=")
    wide = np.dtype(np.float64 if dtype == np.float32 else np.longdouble)
    magnitude = defined(name, call, wide, absolute=True)
    n = call.products + 1
    own = gamma(n, float(np.finfo(wide).eps) / 2)
    return defined(name, call, wide), (gamma(n, UNIT[dtype]) + own) * magnitude, magnitude
