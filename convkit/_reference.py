"""What each operation means, in NumPy and float64: the oracle of the tests, for truth and not for speed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb, erfc, sqrt
from typing import Any

import numpy as np

from convkit._checks import Array, Pair


def pad(array: Array, sides: Sequence[Pair], border: str, cval: float) -> Array:
    """`numpy.pad`, whose borders are convkit's."""
    values = {"constant_values": cval} if border == "constant" else {}
    padded: Array = np.pad(array, sides, border, **values)  # type: ignore[call-overload]
    return padded


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
    """`convkit.conv2d` on BCHW; float64 inputs are summed in float64, int64 inputs in int64."""
    top, bottom, left, right = padding
    outputs, channels, kh, kw = weight.shape
    sides = ((0, 0), (0, 0), (top, bottom), (left, right))
    padded = pad(x, sides, border, cval)
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


def conv2d_grads(
    x: Array,
    weight: Array,
    g: Array,
    stride: Pair,
    padding: tuple[int, int, int, int],
    dilation: Pair,
    groups: int,
    border: str = "constant",
) -> tuple[Array, Array]:
    """The gradients of `conv2d` by its input and its weight, product by product."""
    top, bottom, left, right = padding
    sides = ((0, 0), (0, 0), (top, bottom), (left, right))
    padded = pad(x, sides, border, 0.0)
    places = np.arange(x[0, 0].size).reshape(x.shape[2:])
    from_place = np.pad(
        places, sides[2:], **({"mode": border} if border != "constant" else {"constant_values": -1})
    )
    images, outputs, rows, columns = g.shape
    by_padded, by_weight = np.zeros_like(padded), np.zeros_like(weight)
    g_grouped = g.reshape(images, groups, -1, rows, columns)
    w = weight.reshape(groups, -1, *weight.shape[1:])
    for r in range(weight.shape[2]):
        for s in range(weight.shape[3]):
            i = r * dilation[0] + stride[0] * np.arange(rows)[:, None]
            j = s * dilation[1] + stride[1] * np.arange(columns)
            seen = padded[:, :, i, j].reshape(images, groups, -1, rows, columns)
            by_weight[:, :, r, s] = np.einsum("bgohw,bgchw->goc", g_grouped, seen).reshape(outputs, -1)
            sent = np.einsum("bgohw,goc->bgchw", g_grouped, w[..., r, s])
            by_padded[:, :, i, j] += sent.reshape(images, -1, rows, columns)
    by_input = np.zeros((*x.shape[:2], places.size), x.dtype)
    for place in zip(*np.nonzero(from_place >= 0), strict=True):
        by_input[:, :, from_place[place]] += by_padded[:, :, *place]
    return by_input.reshape(x.shape), by_weight


# ---- pooling, columns, normalisation --------------------------------------------------------------------


def windows(size: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool) -> list[range]:
    """The places of each window of an axis; those outside lie in the padding, or beyond it by `ceil_mode`."""
    reach, most = dilation * (kernel - 1), size + padding - 1
    starts = range(-padding, size + padding, stride)
    whole = [start for start in starts if start + reach <= most]
    cut = [start for start in starts if start + reach > most and start < size]
    rounded_up = ceil_mode and bool(cut) and cut[0] + reach - most < stride
    return [range(i, i + reach + 1, dilation) for i in whole + cut[: int(rounded_up)]]


def max_pool2d(x: Array, axes: Sequence[list[range]]) -> tuple[Array, Array]:
    """`convkit.max_pool2d` of windows of rows and of columns: the largest number of each, and its place."""
    height, width = x.shape[2:]
    y, places = (np.empty((*x.shape[:2], len(axes[0]), len(axes[1])), kind) for kind in (x.dtype, np.int64))
    for i, rows in enumerate(axes[0]):
        for j, columns in enumerate(axes[1]):
            seen = [r * width + c for r in rows for c in columns if 0 <= r < height and 0 <= c < width]
            numbers = x.reshape(*x.shape[:2], -1)[..., seen]
            y[..., i, j], places[..., i, j] = numbers.max(-1), np.array(seen)[numbers.argmax(-1)]
    return y, places


def avg_pool2d(x: Array, axes: Sequence[list[range]], padding: Pair, include_pad: bool) -> Array:
    """`convkit.avg_pool2d` as a matrix for each axis: (windows, pixels), and their product's counts."""
    means, counts = list[Array](), list[Array]()
    for n, pad, places in zip(x.shape[2:], padding, axes, strict=True):
        before, after = (pad, n + pad) if include_pad else (0, n)
        means.append(np.array([[float(i in window) for i in range(n)] for window in places]))
        counts.append(np.array([sum(-before <= i < after for i in window) for window in places]))
    sums = np.einsum("ih,bchw,jw->bcij", means[0], x, means[1])
    return np.asarray(sums / np.multiply.outer(*counts))


def unfold(x: Array, kernel: Pair, dilation: Pair, padding: Pair, stride: Pair) -> Array:
    """`convkit.unfold`: the convolution with every kernel of a single 1."""
    ones = np.eye(kernel[0] * kernel[1]).reshape(-1, 1, *kernel)
    sides = (padding[0], padding[0], padding[1], padding[1])
    maps = x.reshape(-1, 1, *x.shape[2:])
    return conv2d(maps, ones, None, stride, sides, dilation).reshape(x.shape[0], x.shape[1] * len(ones), -1)


def normalised(x: Array, axes: tuple[int, ...], eps: float) -> Array:
    """`x` less its mean along some axes, over its standard deviation."""
    centred = x - x.mean(axes, keepdims=True)
    return np.asarray(centred / np.sqrt((centred**2).mean(axes, keepdims=True) + eps))


def normalised_grad(g: Array, x: Array, axes: tuple[int, ...], eps: float) -> Array:
    """The gradient by `x` of Σ g · normalised(x)."""
    y, rate = normalised(x, axes, eps), 1 / np.sqrt(x.var(axes, keepdims=True) + eps)
    along = (g * y).mean(axes, keepdims=True)
    return np.asarray(rate * (g - g.mean(axes, keepdims=True) - y * along))


# ---- epilogues: functions of a sum; NaN gives NaN, and ±Inf the limit -----------------------------------


def sigmoid(x: Array) -> Array:
    """1 / (1 + e⁻ˣ)."""
    e = np.exp(-np.abs(x))
    return np.asarray(np.where(x < 0, e, 1) / (1 + e))


def silu(x: Array) -> Array:
    """x · sigmoid(x)."""
    return np.asarray(np.maximum(x, -1e4) * sigmoid(x))


def gelu(x: Array) -> Array:
    """x · Φ(x), with the normal distribution Φ(x) = (1 + erf(x / √2)) / 2."""
    phi = np.array([0.5 * erfc(-number / sqrt(2)) for number in x.flat]).reshape(x.shape)
    return np.asarray(np.maximum(x, -1e4) * phi)


def hardswish(x: Array) -> Array:
    """x · min(max(x + 3, 0), 6) / 6."""
    held = np.maximum(x, -3)
    return np.asarray(held * (np.minimum(held + 3, 6) / 6))


ACTIVATIONS: dict[str | None, Callable[[Array], Array]] = {
    None: lambda x: x,
    "relu": lambda x: np.maximum(x, 0),
    "relu6": lambda x: np.clip(x, 0, 6),
    "silu": silu,
    "gelu": gelu,
    "hardswish": hardswish,
    "sigmoid": sigmoid,
}


def epilogue(
    sums: Array, activation: str | None, residual: Array | None = None, negative_slope: float = 0.01
) -> Array:
    """What `convkit.conv2d` makes of its sums."""
    x = sums if residual is None else sums + residual
    if activation == "leaky_relu":
        return np.asarray(np.where(x > 0, x, negative_slope * x))
    return ACTIVATIONS[activation](x)


# ---- filters: a 2-D kernel, which is laid on the padded image -----------------------------------------


def correlate(image: Array, kernel: Array, border: str, cval: float = 0.0, anchor: Any = None) -> Array:
    """Σ kernel[i, j] · image[y + i − anchor, x + j − anchor]."""
    rows, columns = kernel.shape
    top, left = anchor or (rows // 2, columns // 2)
    padded = image.astype(np.float64)
    if border != "valid":
        widths = [(top, rows - 1 - top), (left, columns - 1 - left)] + [(0, 0)] * (image.ndim - 2)
        padded = pad(padded, widths, border, cval)
    height, width = padded.shape[0] - rows + 1, padded.shape[1] - columns + 1
    result = np.zeros((height, width, *image.shape[2:]))
    for i, j in zip(*np.nonzero(kernel), strict=True):
        result += kernel[i, j] * padded[i : i + height, j : j + width]
    return result


def to_dtype(values: Array, dtype: Any, *, half_up: bool = False) -> Array:
    """`values` as `dtype`: integers are the nearest (ties to even, or up) that the dtype holds, NaN is 0."""
    if np.dtype(dtype).kind == "f":
        return values.astype(dtype)
    limits = np.iinfo(dtype)
    nearest = np.floor(values + 0.5) if half_up else np.rint(values)
    return np.nan_to_num(nearest).clip(limits.min, limits.max).astype(dtype)


def binomial_derivative(size: int, order: int) -> Array:
    """The `order`-th difference of a row of Pascal's triangle, `size` long."""
    row = [comb(size - 1 - order, i) for i in range(size - order)]
    padded: Array = np.array([0] * order + row + [0] * order, np.float64)
    return np.asarray(np.diff(padded, order) * (-1) ** order)


def sobel(ksize: int = 3) -> Array:
    """∂/∂x; its transpose is ∂/∂y."""
    smooth = binomial_derivative(ksize, 0) if ksize > 1 else np.array([0.0, 1.0, 0.0])
    return np.outer(smooth, binomial_derivative(max(ksize, 3), 1))


def scharr() -> Array:
    """∂/∂x."""
    return np.array([[-3.0, 0, 3], [-10, 0, 10], [-3, 0, 3]])


def prewitt() -> Array:
    """∂/∂x."""
    return np.array([[-1.0, 0, 1], [-1, 0, 1], [-1, 0, 1]])


def laplacian(ksize: int = 3) -> Array:
    """∂²/∂x² + ∂²/∂y²."""
    if ksize == 1:
        return np.array([[0.0, 1, 0], [1, -4, 1], [0, 1, 0]])
    second: Array = np.outer(binomial_derivative(ksize, 0), binomial_derivative(ksize, 2))
    return second + second.T


def gaussian(sigma: Any, truncate: float = 4.0, ksize: Any = None, quantised: bool = False) -> Array:
    """The outer product of two Gaussians; quantised: of two in units of 1/256, for uint8."""
    sizes = [2 * int(truncate * s + 0.5) + 1 for s in np.broadcast_to(sigma, 2)]
    pair = zip(np.broadcast_to(sigma, 2), sizes if ksize is None else np.broadcast_to(ksize, 2), strict=True)
    vertical, horizontal = (_gaussian_line(s, int(n) // 2, quantised) for s, n in pair)
    return np.outer(vertical, horizontal)


def _gaussian_line(sigma: float, radius: int, quantised: bool) -> Array:
    line: Array = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    line = line / float(line.sum())
    if not quantised:
        return line
    half = np.diff(np.rint(np.cumsum(line[:radius] * 256)), prepend=0)  # errors are carried on
    return np.array([*half, 256 - 2 * half.sum(), *half[::-1]]) / 256


def gaussian_gradient(sigma: Any, truncate: float = 4.0) -> Array:
    """∂/∂x of a Gaussian, as a correlation."""
    down, along = (np.arange(-(r := int(truncate * s + 0.5)), r + 1.0) for s in np.broadcast_to(sigma, 2))
    sigma_y, sigma_x = np.broadcast_to(sigma, 2)
    smooth, slope = np.exp(-((down / sigma_y) ** 2) / 2), np.exp(-((along / sigma_x) ** 2) / 2)
    return np.outer(smooth / smooth.sum(), slope * along / (sigma_x**2 * slope.sum()))


def box(size: Any) -> Array:
    """The sum over a rectangle, to be divided by its area."""
    return np.ones(np.broadcast_to(size, 2))


def sharpen(amount: float = 1.0, sigma: Any = 1.0, truncate: float = 4.0) -> Array:
    """Unsharp masking."""
    kernel: Array = -amount * gaussian(sigma, truncate)
    kernel[kernel.shape[0] // 2, kernel.shape[1] // 2] += 1 + amount
    return kernel


KERNELS: dict[str, Callable[..., Array]] = {
    "box": box,
    "gaussian": gaussian,
    "gaussian_gradient": gaussian_gradient,
    "laplacian": laplacian,
    "prewitt": prewitt,
    "scharr": scharr,
    "sharpen": sharpen,
    "sobel": sobel,
    "unsharp_mask": sharpen,
}


# ---- filters that compare ------------------------------------------------------------------------------


def neighbourhood(
    image: Array, footprint: Any, border: str, cval: float, anchor: Pair | None = None
) -> Array:
    """The pixels under a footprint, along a new first axis."""
    mask = (
        np.ones(np.broadcast_to(footprint, 2), bool) if np.ndim(footprint) < 2 else np.asarray(footprint) != 0
    )
    rows, columns = mask.shape
    top, left = anchor or (rows // 2, columns // 2)
    padded = image
    if border != "valid":
        widths = [(top, rows - 1 - top), (left, columns - 1 - left)] + [(0, 0)] * (image.ndim - 2)
        padded = pad(image, widths, border, cval)
    height, width = padded.shape[0] - rows + 1, padded.shape[1] - columns + 1
    places = zip(*np.nonzero(mask), strict=True)
    return np.stack([padded[i : i + height, j : j + width] for i, j in places])


def extreme(
    image: Array,
    footprint: Any,
    greatest: bool,
    border: str = "constant",
    cval: float | None = None,
    anchor: Pair | None = None,
) -> Array:
    """The least or greatest pixel under a footprint; unless `cval` is given, those outside do not count."""
    if cval is None and image.dtype.kind == "f":
        cval = -np.inf if greatest else np.inf
    elif cval is None:
        cval = np.iinfo(image.dtype).min if greatest else np.iinfo(image.dtype).max
    seen = neighbourhood(image, footprint, border, cval, anchor)
    return np.asarray(seen.max(0) if greatest else seen.min(0))


def twice(
    image: Array, footprint: Any, greatest: bool, border: str = "constant", cval: float | None = None
) -> Array:
    """An extreme, and the other one under the footprint turned round."""
    mask = np.ones(np.broadcast_to(footprint, 2), bool) if np.ndim(footprint) < 2 else np.asarray(footprint)
    once = extreme(image, mask, greatest, border, cval)
    back = (mask.shape[0] - 1) // 2, (mask.shape[1] - 1) // 2
    return extreme(once, mask[::-1, ::-1], not greatest, border, cval, back)


def median(image: Array, size: Any, border: str = "edge", cval: float = 0.0) -> Array:
    """The middle of the sorted pixels."""
    seen = np.sort(neighbourhood(image, size, border, cval), 0)
    return np.asarray(seen[len(seen) // 2])


def bilateral(
    image: Array,
    diameter: int,
    sigma_color: float,
    sigma_space: float,
    border: str = "reflect",
    cval: float = 0.0,
) -> Array:
    """A mean under two Gaussians: of the distance, and of the sum of the channels' differences."""
    radius = diameter // 2
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    disc = rows**2 + columns**2 <= radius**2
    seen = neighbourhood(image.astype(np.float64), disc, border, cval)
    middle = neighbourhood(image.astype(np.float64), (rows == 0) & (columns == 0), border, cval)
    difference = np.abs(seen - middle)
    if image.ndim == 3:
        difference = difference.sum(-1, keepdims=True)
    square = (rows**2 + columns**2)[disc].reshape(-1, *[1] * image.ndim)
    weight = np.exp(-square / (2 * sigma_space**2) - difference**2 / (2 * sigma_color**2))
    return np.asarray((seen * weight).sum(0) / weight.sum(0))


def recursive_gaussian(image: Array, sigma: Any, border: str = "reflect", cval: float = 0.0) -> Array:
    """By the weights that the recursion has: a sum of two waves that fade."""
    result = image.astype(np.float64)
    for axis, own in enumerate(np.broadcast_to(np.asarray(sigma, np.float64), 2)):
        result = np.moveaxis(_faded(np.moveaxis(result, axis, 0), float(own), border, cval), 0, axis)
    if image.dtype.kind == "f":
        return result
    limits = np.iinfo(image.dtype)
    return result.clip(limits.min, limits.max)


def _faded(values: Array, sigma: float, border: str, cval: float) -> Array:
    """Along the first axis; beyond the border's 5 standard deviations its last pixel stays for ever."""
    reach, far = int(np.ceil(5 * sigma)), int(np.ceil(40 * sigma)) + 1
    others = [(0, 0)] * (values.ndim - 1)
    padded = pad(values, [(reach, reach), *others], "edge" if border == "valid" else border, cval)
    padded = pad(padded, [(far, far), *others], "edge", cval)
    places = np.arange(reach + far, reach + far + len(values))
    t = np.abs(places[:, None] - np.arange(len(padded))) / sigma
    weights = (1.68 * np.cos(0.6318 * t) + 3.735 * np.sin(0.6318 * t)) * np.exp(-1.783 * t)
    weights -= (0.6803 * np.cos(1.997 * t) + 0.2598 * np.sin(1.997 * t)) * np.exp(-1.723 * t)
    result: Array = np.tensordot(weights / weights.sum(1, keepdims=True), padded, 1)
    return result[reach : len(values) - reach] if border == "valid" else result


def canny(
    image: Array,
    low: float,
    high: float,
    aperture: int = 3,
    l2: bool = False,
    border: str = "edge",
    cval: float = 0.0,
) -> Array:
    """Gradients, their local maxima, and what of them is connected to a strong one."""
    dx, dy = (correlate(image, kernel, border, cval) for kernel in (sobel(aperture), sobel(aperture).T))
    low, high = min(low, high), max(low, high)
    if image.dtype == np.uint8 and aperture == 7:
        dx, dy, low, high = np.rint(dx / 16), np.rint(dy / 16), low / 16, high / 16
    if image.dtype == np.uint8:
        low, high = ((int(x * x) if l2 and x > 0 else np.floor(x)) for x in (low, high))
    elif l2:
        low, high = low * low, high * high
    length = dx**2 + dy**2 if l2 else np.abs(dx) + np.abs(dy)
    if image.ndim == 3:
        longest = length.argmax(2)[..., None]
        dx, dy, length = (np.take_along_axis(a, longest, 2)[..., 0] for a in (dx, dy, length))
    around = np.pad(length, 1)
    near = {
        (i, j): around[1 + i : 1 + i + length.shape[0], 1 + j : 1 + j + length.shape[1]]
        for i in (-1, 0, 1)
        for j in (-1, 0, 1)
    }
    tan = 13573 / 2**15 if image.dtype == np.uint8 else sqrt(2) - 1
    flat, steep, falls = np.abs(dy) < np.abs(dx) * tan, np.abs(dy) > np.abs(dx) * (tan + 2), dx * dy < 0
    along = (length > near[0, -1]) & (length >= near[0, 1])
    down = (length > near[-1, 0]) & (length >= near[1, 0])
    one, other = (
        (length > near[-1, 1]) & (length > near[1, -1]),
        (length > near[-1, -1]) & (length > near[1, 1]),
    )
    weak = np.where(flat, along, np.where(steep, down, np.where(falls, one, other))) & (length > low)
    edges, before = weak & (length > high), None
    while before is None or (edges != before).any():
        before = edges
        edges = weak & (neighbourhood(edges, 3, "constant", 0).max(0) > 0)
    return edges.astype(np.uint8) * np.uint8(255)


def threshold(image: Array, value: float) -> Array:
    """255 above the value."""
    return (image.astype(np.float64) > value) * np.uint8(255)


def otsu(image: Array) -> Array:
    """The split of the histogram that makes the variance between the classes greatest, in each channel."""
    if image.ndim == 3:
        return np.stack([otsu(image[..., c]) for c in range(image.shape[2])], axis=-1)
    x = np.sort(image.astype(np.float64), axis=None)
    low, high = x[0], x[-1]
    if image.dtype.kind == "f" and low < high:
        bins = np.minimum(np.floor((x - low) * (256 / (high - low))), 255)
        ends = low + (np.arange(256) + 1) / (256 / (high - low))
    else:
        bins, ends = x, np.unique(x)
    splits = np.unique(bins)[:-1]
    if not len(splits):  # one value alone: OpenCV's threshold of integers is the least there is
        return threshold(image, low if image.dtype.kind == "f" else np.iinfo(image.dtype).min)
    shares = np.array([(bins <= split).mean() for split in splits])
    apart = [bins[bins > split].mean() - bins[bins <= split].mean() for split in splits]
    best = splits[np.argmax(shares * (1 - shares) * np.square(apart))]
    return threshold(image, ends[int(best)] if image.dtype.kind == "f" else best)


NONLINEAR: dict[str, Callable[..., Array]] = {
    "bilateral": bilateral,
    "canny": canny,
    "closing": lambda image, footprint, **how: twice(image, footprint, True, **how),
    "dilate": lambda image, footprint, **how: extreme(image, footprint, True, **how),
    "erode": lambda image, footprint, **how: extreme(image, footprint, False, **how),
    "maximum": lambda image, size, **how: extreme(image, size, True, **how),
    "median": median,
    "minimum": lambda image, size, **how: extreme(image, size, False, **how),
    "otsu": otsu,
    "recursive_gaussian": recursive_gaussian,
    "threshold": threshold,
    "opening": lambda image, footprint, **how: twice(image, footprint, False, **how),
}
