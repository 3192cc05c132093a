"""`conv_transpose2d`: convolutions without stride, for the phases of the output's stride (`phases.py`)."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any

from convkit import _checks, shapes
from convkit._checks import Array, Pair
from convkit._threads import threads_for
from convkit.ops.choice import ALGORITHMS, LARGE, WORDS
from convkit.ops.conv import Algorithm, check_bias, check_groups, write_conv
from convkit.ops.epilogue import Activation, Epilogue, check_activation
from convkit.ops.phases import write_phases
from convkit.ops.problem import Layer
from convkit.ops.zipped import takes, write_zipped
from convkit.shapes import Axis

if TYPE_CHECKING:
    from numpy.typing import ArrayLike


def conv_transpose2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Pair = 1,
    padding: int | Pair = 0,
    output_padding: int | Pair = 0,
    groups: int = 1,
    dilation: int | Pair = 1,
    *,
    output_size: Pair | None = None,
    activation: Activation | None = None,
    negative_slope: float | None = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: Algorithm = "auto",
    num_threads: int | None = None,
) -> Array:
    """Transposed 2-D convolution: the gradient of `conv2d` by its input, used to enlarge feature maps.

    Every input pixel adds ``x[b, c, i, j] · weight[c, o, r, s]`` to the output pixel
    ``(i·stride + r·dilation - padding, j·stride + s·dilation - padding)``.

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        float32 or float64, any strides.
    weight : array_like, (C, O / groups, kh, kw)
        PyTorch's layout: the weight of the `conv2d` whose gradient this is.
    bias : array_like, (O,), optional
    stride : int or (vertical, horizontal), at least 1
        Output pixels from one input pixel to the next.
    padding : int or (vertical, horizontal), at least 0
        Pixels taken off each side of the output.
    output_padding : int or (vertical, horizontal)
        Rows and columns added at the bottom and right; below stride or below dilation.
    groups : int
        Divides C.
    dilation : int or (vertical, horizontal), at least 1
    output_size : (height, width), optional
        Chooses `output_padding`: among the sizes that a convolution of this stride maps to the input's.
    activation, negative_slope, residual, out, num_threads
        As in `conv2d`.
    algorithm : str
        As in `conv2d` with stride 1, where this is a convolution with the kernel turned; with others, and
        where `padding` is more than the kernel adds, "auto", "direct" and "autotune" are one, and of the
        others "gemm" alone may be asked for.

    Returns
    -------
    ndarray, (B, O, H', W') or (O, H', W')
        Of `input`'s dtype; ``H' = (H - 1)·stride - 2·padding + dilation·(kh - 1) + output_padding + 1``.

    Raises
    ------
    TypeError
        An array is None, not numeric, or of another dtype than `input`.
    ValueError
        Shapes that do not fit, an `output_padding` or `output_size` out of range, an output without pixels,
        an `algorithm` that cannot compute it.

    Notes
    -----
    Border pixels multiply the weights of taps that miss the input by zero: one of Inf or NaN gives NaN there.
    The formula is Dumoulin and Visin's, *A guide to convolution arithmetic for deep learning* (2016), §4.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> x = np.arange(1, 5, dtype=np.float32).reshape(1, 1, 2, 2)
    >>> ck.conv_transpose2d(x, np.ones((1, 1, 2, 2), np.float32), stride=2)[0, 0]
    array([[1., 1., 2., 2.],
           [1., 1., 2., 2.],
           [3., 3., 4., 4.],
           [3., 3., 4., 4.]], dtype=float32)
    """
    arrays = {"input": input, "weight": weight} | ({} if bias is None else {"bias": bias})
    x, w, *rest = _checks.float_arrays(**arrays)
    b = rest[0] if rest else None
    groups = _checks.integer(groups, "groups", 1)
    if w.ndim != 4:
        raise ValueError(f"weight has shape {w.shape}; expected (C, O / groups, kh, kw)")
    batch, single = _checks.batch(x, "input", w.shape[0])
    check_groups(batch.shape[1], groups)
    outputs = w.shape[1] * groups
    check_bias(None if b is None else b.shape, outputs)
    _checks.choice(algorithm, "algorithm", WORDS)
    epilogue = check_activation(activation, negative_slope, x.dtype)
    stride = _checks.pair(stride, "stride", 1)
    padding = _checks.pair(padding, "padding", 0)
    dilation = _checks.pair(dilation, "dilation", 1)
    size, kernel = (batch.shape[2], batch.shape[3]), (w.shape[2], w.shape[3])
    if output_size is not None:
        output_padding = padding_for(output_size, size, kernel, stride, padding, output_padding, dilation)
    find = remembered_output if type(output_padding) is int else shapes.conv_transpose2d_output
    output = find(size, kernel, stride, padding, output_padding, dilation)
    shape = (batch.shape[0], outputs, *output)[single:]
    added = _checks.residual(residual, shape, x.dtype)
    y = _checks.output(out, shape, x.dtype, x, w, *rest, residual=added)
    weight_gockk = w.reshape(groups, w.shape[0] // groups, *w.shape[1:]).swapaxes(1, 2)
    y_bchw = y[None] if single else y
    epilogue = epilogue.adding(added[None] if added is not None and single else added, y_bchw)
    run(batch, weight_gockk, b, y_bchw, stride, padding, dilation, algorithm, num_threads, epilogue)
    return y


def padding_for(
    output_size: Any,
    size: Pair,
    kernel: Pair,
    stride: Pair,
    padding: Pair,
    output_padding: Any,
    dilation: Pair,
) -> Pair:
    """The `output_padding` that makes the output `output_size`."""
    if _checks.pair(output_padding, "output_padding", 0) != (0, 0):
        raise ValueError(f"output_size and output_padding={output_padding} are both given; pass one of them")
    wanted = _checks.pair(output_size, "output_size", 1)
    least = [
        (n - 1) * s - 2 * p + d * (k - 1) + 1
        for n, k, s, p, d in zip(size, kernel, stride, padding, dilation, strict=True)
    ]
    extra = [w - n for w, n in zip(wanted, least, strict=True)]
    if any(not 0 <= e < max(s, d) for e, s, d in zip(extra, stride, dilation, strict=True)):
        most = [n + max(s, d) - 1 for n, s, d in zip(least, stride, dilation, strict=True)]
        raise ValueError(
            f"output_size is {wanted}; an input of {size} gives sizes from {tuple(least)} to {tuple(most)}"
        )
    return extra[0], extra[1]


@lru_cache(maxsize=1024)
def remembered_output(
    size: Pair, kernel: Pair, stride: Pair, padding: Pair, output_padding: int, dilation: Pair
) -> Pair:
    """`shapes.conv_transpose2d_output`."""
    return shapes.conv_transpose2d_output(size, kernel, stride, padding, output_padding, dilation)


@lru_cache(maxsize=1024)
def convolution_axes(
    size: Pair, kernel: Pair, stride: Pair, padding: Pair, dilation: Pair, output: Pair
) -> tuple[Axis, Axis] | None:
    """Those of the convolution, with its kernel turned, that a transposed one of stride 1 is.

    None where it is none, or cuts more off the output than the kernel adds.
    """
    axes = []
    for name, n, k, p, d, outputs in zip(
        ("vertical", "horizontal"), size, kernel, padding, dilation, output, strict=True
    ):
        before = d * (k - 1) - p
        axes.append(Axis(name, n, k, 1, d, before, outputs - n + p))
    if stride != (1, 1) or any(axis.before < 0 or axis.after < 0 for axis in axes):
        return None
    return axes[0], axes[1]


def run(
    x: Array,
    weight_gockk: Array,
    bias: Array | None,
    y: Array,
    stride: Pair,
    padding: Pair,
    dilation: Pair,
    algorithm: str,
    num_threads: int | None,
    epilogue: Epilogue,
    images: int = 1,
) -> None:
    """Write every output pixel; `images` as in `write_conv`."""
    kernel = weight_gockk.shape[3:]
    size, output = (x.shape[2], x.shape[3]), (y.shape[2], y.shape[3])
    if axes := convolution_axes(size, (kernel[0], kernel[1]), stride, padding, dilation, output):
        layer = Layer(weight_gockk[..., ::-1, ::-1], bias, "constant", 0.0)
        write_conv(x, layer, y, axes, algorithm, num_threads, epilogue, images)
        return
    if algorithm in ALGORITHMS and algorithm != "gemm":
        raise ValueError(
            f"algorithm is {algorithm!r} with stride {stride} and padding {padding}, whose phases are summed "
            "by 'gemm': pass algorithm='auto'"
        )
    if algorithm != "gemm" and takes(weight_gockk, y, stride, dilation):
        write_zipped(x, weight_gockk, bias, y, stride, padding, dilation, num_threads, epilogue)
        return
    write_phases(
        x, weight_gockk, bias, y, stride, padding, dilation, threads_for(LARGE, num_threads), epilogue
    )
