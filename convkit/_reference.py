"""What each operation means, in NumPy and float64: the oracle of the tests, read for truth and not for speed."""

from __future__ import annotations

import numpy as np

from convkit._checks import Array, Pair

# ---- convolution ---------------------------------------------------------------------------------------


def conv2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Pair = (1, 1),
    padding: tuple[int, int, int, int] = (0, 0, 0, 0),
    dilation: Pair = (1, 1),
    groups: int = 1,
    border: str = "constant",
    cval: float = 0.0,
) -> Array:
    """`convkit.conv2d` on BCHW, in the accumulator that the inputs' own sum has (float64, or int64 for integers)."""
    top, bottom, left, right = padding
    outputs, channels, kh, kw = weight.shape
    sides = ((0, 0), (0, 0), (top, bottom), (left, right))
    padded = (
        np.pad(x, sides, border, constant_values=cval) if border == "constant" else np.pad(x, sides, border)
    )
    rows = (padded.shape[2] - dilation[0] * (kh - 1) - 1) // stride[0] + 1
    columns = (padded.shape[3] - dilation[1] * (kw - 1) - 1) // stride[1] + 1
    y = np.zeros((x.shape[0], groups, outputs // groups, rows, columns), np.result_type(x, weight))
    w = weight.reshape(groups, outputs // groups, channels, kh, kw)
    for r in range(kh):
        for s in range(kw):
            seen = padded[:, :, r * dilation[0] :, s * dilation[1] :][:, :, :: stride[0], :: stride[1]]
            seen = seen[:, :, :rows, :columns].reshape(x.shape[0], groups, channels, rows, columns)
            y += np.einsum("goc,bgchw->bgohw", w[..., r, s], seen)
    y = y.reshape(x.shape[0], outputs, rows, columns)
    return y if bias is None else y + bias[:, None, None]


def conv_transpose2d(
    x: Array,
    weight: Array,
    bias: Array | None = None,
    stride: Pair = (1, 1),
    padding: Pair = (0, 0),
    output_padding: Pair = (0, 0),
    groups: int = 1,
    dilation: Pair = (1, 1),
) -> Array:
    """`convkit.conv_transpose2d` on BCHW: every input pixel adds its weighted kernel to the output."""
    batch, inputs, height, width = x.shape
    _, outputs, kh, kw = weight.shape
    full = [
        (n - 1) * s + d * (k - 1) + 1 + extra
        for n, s, d, k, extra in zip((height, width), stride, dilation, (kh, kw), output_padding, strict=True)
    ]
    y = np.zeros((batch, groups, outputs, *full), np.result_type(x, weight))
    grouped = x.reshape(batch, groups, inputs // groups, height, width)
    w = weight.reshape(groups, inputs // groups, outputs, kh, kw)
    for r in range(kh):
        for s in range(kw):
            to = y[..., r * dilation[0] :, s * dilation[1] :][..., :: stride[0], :: stride[1]]
            to[..., :height, :width] += np.einsum("gco,bgchw->bgohw", w[..., r, s], grouped)
    y = y.reshape(batch, groups * outputs, *full)
    y = y[:, :, padding[0] : full[0] - padding[0], padding[1] : full[1] - padding[1]]
    return y if bias is None else y + bias[:, None, None]
