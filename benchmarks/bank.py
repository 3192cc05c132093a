"""The filters of the bank as other libraries have them: for the benchmark, and for the tests of equality.

A peer is a function of the complete arguments of a filter and of an image's dtype and channels. It gives a
call ``(image, dst) -> result``, with all that need not be done again done before, or None where the library
means something else by these arguments. `DRAWS` gives each filter arguments of its own at random, and
`DIFFERENCES` tells where OpenCV's results are others on purpose: a filter without an entry here is an error
in the tests, and a row without peers in the benchmark.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np

from convkit.filters import coefficients
from convkit.filters.registry import Filter
from convkit.filters.smooth import gaussian_radii

Array = np.ndarray
Call = Callable[[Array, Array | None], Array]
Peer = Callable[[SimpleNamespace, np.dtype, int], Call | None]

DEPTH = {
    "uint8": cv2.CV_8U,
    "uint16": cv2.CV_16U,
    "int16": cv2.CV_16S,
    "float32": cv2.CV_32F,
    "float64": cv2.CV_64F,
}
BORDERS = {
    "reflect": cv2.BORDER_REFLECT_101,
    "symmetric": cv2.BORDER_REFLECT,
    "edge": cv2.BORDER_REPLICATE,
    "constant": cv2.BORDER_CONSTANT,
}

ONE_PLANE = ("canny",)
"""Filters that make one plane of all channels."""

PEERS: dict[str, dict[str, Peer]] = {"opencv": {}, "scipy": {}, "scikit-image": {}, "pillow": {}}


def peer(library: str, *filters: str) -> Callable[[Peer], Peer]:
    """Register what `library` has for the `filters`."""

    def add(function: Peer) -> Peer:
        PEERS[library] |= dict.fromkeys(filters, function)
        return function

    return add


def call_of(library: str, found: Filter, arguments: dict[str, Any], image: Array) -> Call | None:
    """The call by which `library` does what `found` does, None where it cannot; tried once on `image`."""
    function = PEERS[library].get(found.name)
    if function is None:
        return None
    complete = SimpleNamespace(name=found.name, **found.arguments(**arguments))
    complete.result = found.output_dtype(image.dtype, vars(complete))
    if library == "opencv" and getattr(complete, "border", "edge") not in BORDERS:
        return None
    call = function(complete, image.dtype, image.shape[2] if image.ndim == 3 else 1)
    try:
        return call if call is not None and call(image, None) is not None else None
    except cv2.error:  # it refuses this dtype or size
        return None


# ---- OpenCV -------------------------------------------------------------------------------------------


def outside_is_zero(a: SimpleNamespace) -> bool:
    """OpenCV's linear filters know no other constant."""
    return a.border != "constant" or a.cval == 0


@peer("opencv", "gaussian")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if not outside_is_zero(a) or getattr(a, "order", 0) not in (0, (0, 0)):
        return None
    rows, columns = gaussian_radii(a.sigma, a.truncate, a.ksize)
    size, border = (2 * columns + 1, 2 * rows + 1), BORDERS[a.border]
    down, along = np.broadcast_to(a.sigma, 2).tolist()
    return lambda image, dst: cv2.GaussianBlur(image, size, along, dst, down, border)


@peer("opencv", "box")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if not outside_is_zero(a):
        return None
    rows, columns = np.broadcast_to(a.size, 2).tolist()
    border = BORDERS[a.border]
    return lambda image, dst: cv2.blur(image, (columns, rows), dst, (-1, -1), border)


@peer("opencv", "sobel", "scharr", "prewitt")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if not outside_is_zero(a) or a.direction not in ("x", "y", "magnitude"):
        return None
    kernel = {
        "sobel": coefficients.sobel(getattr(a, "ksize", 3)),
        "scharr": coefficients.SCHARR,
        "prewitt": coefficients.PREWITT,
    }[a.name]
    norm = np.abs(kernel.derivative).sum() * np.abs(kernel.smoothing).sum() if a.normalize else 1.0
    depth, scale, border = DEPTH[a.result.name], 1.0 / norm, BORDERS[a.border]

    def along(dx: int, dy: int) -> Call:
        if a.name == "sobel":
            return lambda image, dst: cv2.Sobel(image, depth, dx, dy, dst, a.ksize, scale, 0, border)
        if a.name == "scharr":
            return lambda image, dst: cv2.Scharr(image, depth, dx, dy, dst, scale, 0, border)
        x, y = (kernel.derivative, kernel.smoothing) if dx else (kernel.smoothing, kernel.derivative)
        return lambda image, dst: cv2.sepFilter2D(image, depth, x * scale, y, dst, (-1, -1), 0, border)

    if a.direction != "magnitude":
        return along(1, 0) if a.direction == "x" else along(0, 1)
    parts: list[Array | None] = [None, None]  # kept, as `dst` is
    x, y = along(1, 0), along(0, 1)

    def magnitude(image: Array, dst: Array | None) -> Array:
        if dst is None:
            return cv2.magnitude(x(image, None), y(image, None))
        parts[:] = x(image, parts[0]), y(image, parts[1])
        return cv2.magnitude(*parts, dst)

    return magnitude


@peer("opencv", "laplacian")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if not outside_is_zero(a):
        return None
    pairs = coefficients.second_derivatives(a.ksize)
    norm = np.abs(sum(np.outer(v, h) for v, h in pairs)).sum() if a.normalize else 1.0
    depth, border = DEPTH[a.result.name], BORDERS[a.border]
    return lambda image, dst: cv2.Laplacian(image, depth, dst, a.ksize, 1.0 / norm, 0, border)


@peer("opencv", "sharpen", "unsharp_mask")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if not outside_is_zero(a):
        return None
    rows, columns = gaussian_radii(a.sigma, a.truncate, None)
    size, border = (2 * columns + 1, 2 * rows + 1), BORDERS[a.border]
    down, along = np.broadcast_to(a.sigma, 2).tolist()

    def call(image: Array, dst: Array | None) -> Array:
        blurred = cv2.GaussianBlur(image, size, along, None, down, border)
        return cv2.addWeighted(image, 1 + a.amount, blurred, -a.amount, 0, dst)

    return call


def turned(
    a: SimpleNamespace, shape: tuple[int, int], *kernels: Array
) -> tuple[tuple[int, int], list[Array]]:
    """Anchor (x, y) and kernels as a correlation has them."""
    row, column = a.anchor or (shape[0] // 2, shape[1] // 2)
    if a.mode == "correlate":
        return (column, row), list(kernels)
    return (shape[1] - 1 - column, shape[0] - 1 - row), [np.flip(kernel) for kernel in kernels]


@peer("opencv", "filter2d")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if not outside_is_zero(a):
        return None
    anchor, (kernel,) = turned(a, np.shape(a.kernel), np.asarray(a.kernel, np.float64))
    kernel = (kernel * a.scale).astype(np.float64 if np.float64 in (dtype, a.result) else np.float32)
    depth, border = DEPTH[a.result.name], BORDERS[a.border]
    return lambda image, dst: cv2.filter2D(image, depth, kernel, dst, anchor, a.delta, border)


@peer("opencv", "sepfilter2d")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if not outside_is_zero(a):
        return None
    shape = len(a.kernel_y), len(a.kernel_x)
    anchor, (x, y) = turned(a, shape, np.asarray(a.kernel_x, np.float64), np.asarray(a.kernel_y, np.float64))
    depth, border = DEPTH[a.result.name], BORDERS[a.border]
    return lambda image, dst: cv2.sepFilter2D(image, depth, x * a.scale, y, dst, anchor, a.delta, border)


MORPHOLOGY = {
    "minimum": cv2.MORPH_ERODE,
    "maximum": cv2.MORPH_DILATE,
    "erode": cv2.MORPH_ERODE,
    "dilate": cv2.MORPH_DILATE,
    "opening": cv2.MORPH_OPEN,
    "closing": cv2.MORPH_CLOSE,
}


def footprint_of(a: SimpleNamespace) -> Array:
    """The neighbourhood of a filter of morphology, as an array."""
    shape = getattr(a, "size", None) if hasattr(a, "size") else a.footprint
    return (
        np.ones(np.broadcast_to(shape, 2), np.uint8)
        if np.ndim(shape) < 2
        else (np.array(shape) != 0).astype(np.uint8)
    )


@peer("opencv", *MORPHOLOGY)
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    what, border, footprint = MORPHOLOGY[a.name], BORDERS[a.border], footprint_of(a)
    centred = (
        footprint.shape[0] % 2 == footprint.shape[1] % 2 == 1 and (footprint == footprint[::-1, ::-1]).all()
    )
    if a.name in ("opening", "closing") and not centred:
        return None  # it does not turn the footprint round
    if a.cval is not None and a.border == "constant":
        outside = (float(a.cval),) * 4
        return lambda image, dst: cv2.morphologyEx(image, what, footprint, dst, (-1, -1), 1, border, outside)
    return lambda image, dst: cv2.morphologyEx(image, what, footprint, dst, (-1, -1), 1, border)


@peer("opencv", "median")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    rows, columns = np.broadcast_to(a.size, 2).tolist()
    if a.border != "edge" or rows != columns:
        return None
    return lambda image, dst: cv2.medianBlur(image, rows, dst)


@peer("opencv", "threshold", "otsu")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if a.name == "otsu":
        if dtype != np.uint8 or channels > 1:
            return None
        return lambda image, dst: cv2.threshold(image, 0, 255, cv2.THRESH_BINARY | cv2.THRESH_OTSU, dst)[1]
    if dtype == np.uint8:
        return lambda image, dst: cv2.threshold(image, a.value, 255, cv2.THRESH_BINARY, dst)[1]
    if channels > 1:
        return None
    return lambda image, dst: cv2.compare(image, a.value, cv2.CMP_GT, dst)  # its threshold keeps the dtype


@peer("opencv", "bilateral")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if (
        not outside_is_zero(a)
        or dtype not in (np.uint8, np.float32)
        or channels not in (1, 3)
        or a.diameter < 3
    ):
        return None
    border = BORDERS[a.border]
    return lambda image, dst: cv2.bilateralFilter(
        image, a.diameter, a.sigma_color, a.sigma_space, dst, border
    )


@peer("opencv", "canny")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    if a.border != "edge" or a.sigma is not None or dtype != np.uint8:
        return None
    return lambda image, dst: cv2.Canny(image, a.low, a.high, dst, a.aperture, a.l2)


# ---- SciPy --------------------------------------------------------------------------------------------

MODES = {
    "edge": "nearest",
    "reflect": "mirror",
    "symmetric": "reflect",
    "wrap": "wrap",
    "constant": "constant",
}


def each_plane(size: Any, channels: int, one: Any) -> Any:
    """A value for each axis of an image: `one` for the channels'."""
    pair = tuple(np.broadcast_to(size, 2).tolist())
    return pair if channels == 1 else (*pair, one)


@peer("scipy", "gaussian")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from scipy import ndimage

    if a.border == "valid":
        return None
    how = {"mode": MODES[a.border], "cval": a.cval, "order": getattr(a, "order", 0)}
    how["radius"] = each_plane(gaussian_radii(a.sigma, a.truncate, a.ksize), channels, 0)
    sigma = each_plane(a.sigma, channels, 0)
    return lambda image, dst: ndimage.gaussian_filter(image, sigma, output=dst, **how)


@peer("scipy", "gaussian_gradient")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from scipy import ndimage

    if a.border == "valid" or a.direction != "magnitude" or channels != 1:
        return None
    how = {"mode": MODES[a.border], "cval": a.cval, "truncate": a.truncate}
    out = a.result
    return lambda image, dst: ndimage.gaussian_gradient_magnitude(
        image, a.sigma, out if dst is None else dst, **how
    )


@peer("scipy", "box", "minimum", "maximum", "median")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from scipy import ndimage

    if a.border == "valid":
        return None
    names = {"box": "uniform_filter", "minimum": "minimum_filter", "maximum": "maximum_filter"}
    function = getattr(ndimage, names.get(a.name, "median_filter"))
    size, mode, cval = each_plane(a.size, channels, 1), MODES[a.border], a.cval or 0
    return lambda image, dst: function(image, size, output=dst, mode=mode, cval=cval)


@peer("scipy", "sobel", "prewitt")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from scipy import ndimage

    if a.border == "valid" or getattr(a, "ksize", 3) != 3 or a.direction not in ("x", "y", "magnitude"):
        return None
    function, mode = getattr(ndimage, a.name), MODES[a.border]

    def along(axis: int) -> Call:
        out = a.result
        return lambda image, dst: function(image, axis, out if dst is None else dst, mode, a.cval)

    if a.direction != "magnitude":
        return along(1 if a.direction == "x" else 0)
    x, y = along(1), along(0)
    return lambda image, dst: np.hypot(x(image, None), y(image, None), out=dst)


@peer("scipy", "laplacian")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from scipy import ndimage

    if a.border == "valid" or a.ksize != 1 or a.normalize or channels != 1:
        return None
    mode, out = MODES[a.border], a.result
    return lambda image, dst: ndimage.laplace(image, out if dst is None else dst, mode, a.cval)


@peer("scipy", "filter2d")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from scipy import ndimage

    kernel = np.asarray(a.kernel, np.float64)
    plain = a.scale == 1 and a.delta == 0 and a.anchor is None and a.mode == "correlate"
    if a.border == "valid" or not plain:
        return None
    kernel, mode, out = kernel if channels == 1 else kernel[..., None], MODES[a.border], a.result
    return lambda image, dst: ndimage.correlate(image, kernel, out if dst is None else dst, mode, a.cval)


@peer("scipy", "erode", "dilate", "opening", "closing")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from scipy import ndimage

    if a.border == "valid" or channels != 1:
        return None
    names = {"erode": "erosion", "dilate": "dilation"}
    function = getattr(ndimage, f"grey_{names.get(a.name, a.name)}")
    footprint, mode, cval = footprint_of(a), MODES[a.border], a.cval or 0
    how = {"size": footprint.shape} if footprint.all() else {"footprint": footprint}
    return lambda image, dst: function(image, output=dst, mode=mode, cval=cval, **how)


# ---- scikit-image -------------------------------------------------------------------------------------


@peer("scikit-image", "gaussian")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from skimage import filters

    if a.border == "valid" or a.ksize is not None or getattr(a, "order", 0):
        return None
    how = {"mode": MODES[a.border], "cval": a.cval, "truncate": a.truncate, "preserve_range": True}
    how["channel_axis"] = None if channels == 1 else -1
    return lambda image, dst: filters.gaussian(image, a.sigma, **how)


@peer("scikit-image", "sobel", "scharr", "prewitt")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from skimage import filters

    axes = {"x": 1, "y": 0, "magnitude": None}
    if a.border == "valid" or getattr(a, "ksize", 3) != 3 or a.direction not in axes or channels != 1:
        return None
    function, axis, mode = getattr(filters, a.name), axes[a.direction], MODES[a.border]
    return lambda image, dst: function(image, axis=axis, mode=mode, cval=a.cval)


@peer("scikit-image", "sharpen", "unsharp_mask")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from skimage import filters

    if np.ndim(a.sigma):
        return None
    axis = None if channels == 1 else 2  # of a negative one it filters the first rows alone
    return lambda image, dst: filters.unsharp_mask(
        image, a.sigma, a.amount, preserve_range=True, channel_axis=axis
    )


@peer("scikit-image", "erode", "dilate", "opening", "closing")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from skimage import morphology

    if channels != 1 or a.cval is not None or a.border == "valid":
        return None
    function = getattr(morphology, {"erode": "erosion", "dilate": "dilation"}.get(a.name, a.name))
    footprint = footprint_of(a)
    return lambda image, dst: function(image, footprint)


# ---- Pillow -------------------------------------------------------------------------------------------


@peer("pillow", "box", "median", "minimum", "maximum", "filter2d")
def _(a: SimpleNamespace, dtype: np.dtype, channels: int) -> Call | None:
    from PIL import Image, ImageFilter

    if dtype != np.uint8 or channels not in (1, 3) or a.result != np.uint8:
        return None
    if a.name == "filter2d":
        kernel = np.asarray(a.kernel, np.float64)
        if kernel.shape not in ((3, 3), (5, 5)) or a.mode != "correlate" or a.anchor is not None:
            return None
        what = ImageFilter.Kernel(kernel.shape, kernel[::-1].ravel().tolist(), 1 / a.scale, a.delta)
    elif np.ndim(a.size) or a.size % 2 == 0:
        return None
    else:
        kinds = {
            "box": lambda: ImageFilter.BoxBlur(a.size // 2),
            "median": lambda: ImageFilter.MedianFilter(a.size),
            "minimum": lambda: ImageFilter.MinFilter(a.size),
            "maximum": lambda: ImageFilter.MaxFilter(a.size),
        }
        what = kinds[a.name]()
    pictures: dict[int, Any] = {}  # the conversion is not the filter

    def call(image: Array, dst: Array | None) -> Any:
        if id(image) not in pictures:
            pictures[id(image)] = Image.fromarray(image)
        return pictures[id(image)].filter(what)

    return call


# ---- where OpenCV differs -----------------------------------------------------------------------------

WITHOUT_PEER: dict[str, str] = {
    "gaussian_gradient": "OpenCV derives with Sobel's kernels alone",
    "recursive_gaussian": "OpenCV sums a Gaussian's weights, more of them the larger sigma is",
}
"""Filters that OpenCV has not, and why nothing of it means the same."""


def area(a: SimpleNamespace) -> int:
    """Pixels under a box."""
    return int(np.prod(np.broadcast_to(a.size, 2)))


def is_16_bit(dtype: np.dtype) -> bool:
    """Whether images of `dtype` hold integers of 16 bits."""
    return dtype in (np.uint16, np.int16)


def is_ipp_alone() -> bool:
    """Whether OpenCV calls IPP where it does so on one thread only."""
    return bool(cv2.ipp.useIPP()) and cv2.getNumThreads() == 1


Differs = Callable[[SimpleNamespace, np.dtype], float]
DIFFERENCES: dict[str, Differs] = {
    "box of a power of two of pixels": lambda a, dtype: (
        a.name == "box" and dtype == np.uint8 and area(a) % 2 == 0 and area(a) & (area(a) - 1) == 0
    ),
    "box of more than 256 pixels": lambda a, dtype: a.name == "box" and dtype == np.uint8 and area(a) > 256,
    "box of 16-bit images": lambda a, dtype: a.name == "box" and is_16_bit(dtype),
    "gaussian of uint16": lambda a, dtype: 2 * (a.name == "gaussian" and dtype == np.uint16),
    "sums of 16-bit images": lambda a, dtype: a.name in ("filter2d", "sepfilter2d") and is_16_bit(dtype),
    "normalize": lambda a, dtype: getattr(a, "normalize", False) and a.result.kind != "f",
    "sharpen": lambda a, dtype: (
        np.ceil(2 * abs(a.amount)) + 1 if a.name in ("sharpen", "unsharp_mask") and dtype.kind != "f" else 0
    ),
    "canny of aperture 5": lambda a, dtype: (
        255 * (a.name == "canny" and a.aperture == 5 and a.l2 and is_ipp_alone())
    ),
    "canny with thresholds of 2³¹ and more": lambda a, dtype: (
        255 * (a.name == "canny" and not a.l2 and max(a.low, a.high) >= 2**31)
    ),
    "erode and dilate of floats": lambda a, dtype: 0,  # which no integer result shows
}
"""Each by its name in docs/semantics.md: by how many units integer results may differ; 0: it is not met."""


# ---- arguments at random --------------------------------------------------------------------------------

Draw = Callable[[np.random.Generator, np.dtype], dict[str, Any]]
DRAWS: dict[str, Draw] = {}


def draw(*filters: str) -> Callable[[Draw], Draw]:
    """Register how the own arguments of the `filters` are drawn."""

    def add(function: Draw) -> Draw:
        DRAWS.update(dict.fromkeys(filters, function))
        return function

    return add


def some_size(rng: np.random.Generator, largest: int = 9) -> Any:
    """An extent, or two of them."""
    pair = tuple(rng.integers(1, largest, 2, endpoint=True).tolist())
    return pair if rng.random() < 0.4 else pair[0]


@draw("gaussian")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    sigma = tuple(np.exp(rng.uniform(-1, 1.5, 2)).round(2).tolist())
    ksize = int(rng.integers(1, 8)) * 2 + 1 if rng.random() < 0.3 else None
    return {"sigma": sigma if rng.random() < 0.3 else sigma[0], "ksize": ksize}


@draw("recursive_gaussian")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    return {"sigma": round(float(np.exp(rng.uniform(0, 4))), 2)}


@draw("gaussian_gradient")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    return {"sigma": round(float(np.exp(rng.uniform(-0.5, 1))), 2)}


@draw("box", "minimum", "maximum")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    return {"size": some_size(rng, int(rng.choice([9, 31])))}


@draw("sobel", "scharr", "prewitt")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    direction = str(rng.choice(["x", "y", "magnitude"]))
    wanted = {"dtype": np.dtype(np.int16)} if dtype == np.uint8 and direction != "magnitude" else {}
    return {"direction": direction, "normalize": bool(rng.random() < 0.2)} | (
        wanted if rng.random() < 0.4 else {}
    )


@draw("laplacian")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    wanted = {"dtype": np.dtype(np.int16)} if dtype == np.uint8 and rng.random() < 0.4 else {}
    return {"ksize": int(rng.choice([1, 3, 5, 7]))} | wanted


@draw("sharpen", "unsharp_mask")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    sigma = float(np.exp(rng.uniform(-0.5, 1)))
    return {"amount": round(float(rng.uniform(0.2, 2)), 2), "sigma": round(sigma, 2)}


def some_kernel(rng: np.random.Generator, shape: Any) -> Array:
    """Integers or numbers that add up to about 1."""
    if rng.random() < 0.5:
        return rng.integers(-4, 5, shape).astype(np.float64)
    return rng.standard_normal(shape) / np.sqrt(np.prod(shape))


def some_anchor(rng: np.random.Generator, shape: tuple[int, int]) -> dict[str, Any]:
    """What the general filters share."""
    return {
        "mode": str(rng.choice(["correlate", "convolve"])),
        "anchor": tuple(int(rng.integers(n)) for n in shape) if rng.random() < 0.5 else None,
        "scale": float(rng.choice([1.0, 0.5])),
        "delta": float(rng.choice([0.0, 3.0, -7.5])),
    }


@draw("filter2d")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    shape = tuple(rng.integers(1, 9, 2).tolist())
    return {"kernel": some_kernel(rng, shape), **some_anchor(rng, shape)}


@draw("sepfilter2d")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    rows, columns = rng.integers(1, 12, 2).tolist()
    kernels = {"kernel_x": some_kernel(rng, columns), "kernel_y": some_kernel(rng, rows)}
    return {**kernels, **some_anchor(rng, (rows, columns))}


@draw("erode", "dilate", "opening", "closing")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    size = some_size(rng, int(rng.choice([9, 31])))
    if rng.random() < 0.7:
        return {"footprint": size}
    rows, columns = np.broadcast_to(size, 2).tolist()
    footprint = rng.random((rows, columns)) < 0.7
    footprint[rows // 2, columns // 2] = True  # none is empty
    return {"footprint": footprint}


@draw("bilateral")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    diameter, (color, space) = int(rng.choice([3, 5, 9])), rng.uniform(1, 5, 2).round(2).tolist()
    return {"diameter": diameter, "sigma_color": 20 * color, "sigma_space": space}


@draw("threshold")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    return {"value": float(rng.integers(-10, 270)) + float(rng.choice([0.0, 0.5]))}


@draw("otsu")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    return {}


@draw("median")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    return {"size": int(rng.choice([3, 5, 7, 15]))}


@draw("canny")
def _(rng: np.random.Generator, dtype: np.dtype) -> dict[str, Any]:
    low, high = rng.uniform(0, 600, 2).round(1).tolist()
    return {"low": low, "high": high, "aperture": int(rng.choice([3, 5, 7])), "l2": bool(rng.random() < 0.4)}


def random_arguments(rng: np.random.Generator, found: Filter, dtype: np.dtype) -> dict[str, Any]:
    """Arguments for images of `dtype`, with a border that OpenCV has."""
    arguments = DRAWS[found.name](rng, dtype)
    if found.default_border is not None:
        arguments["border"] = str(rng.choice(list(BORDERS)))
    return arguments


# ---- work -----------------------------------------------------------------------------------------------


def products(found: Filter, arguments: dict[str, Any]) -> int:
    """Multiply-adds that a pixel takes at least, as far as they are what limits a filter; else 0."""
    a = SimpleNamespace(**found.arguments(**arguments))
    if found.name in ("filter2d", "sepfilter2d"):
        return int(np.size(a.kernel)) if found.name == "filter2d" else len(a.kernel_x) + len(a.kernel_y)
    if found.name in ("gaussian", "sharpen", "unsharp_mask", "gaussian_gradient"):
        return 2 * sum(gaussian_radii(a.sigma, a.truncate, getattr(a, "ksize", None))) + 2
    return 0
