"""Convolution by Fourier transforms: the work for one output hardly grows with the kernel.

The padded input is cut into tiles that overlap by the kernel's extent (overlap-save). A tile's transform
times the conjugate of the kernel's, transformed back, is their correlation; what wraps around is left
out. With a stride, every stride-th output is kept.

Between the transforms, each frequency is a product of small complex matrices over the channels. The kernels'
GEMM does it, with the frequencies as groups and the tiles as pixels: no bit depends on the number of tiles or
threads.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import product
from typing import NamedTuple

import numpy as np

from convkit._checks import Array, empty
from convkit.ops.costs import Work
from convkit.ops.epilogue import PLAIN, Epilogue
from convkit.ops.problem import Layer, Problem
from convkit.ops.taps import Tap, TapConv, cross
from convkit.shapes import Axis

MOST_EXTENT = 1024
"""Rows or columns of a dilated kernel whose transform still fits memory."""

SPECTRA_BYTES = 6 << 20
"""Transforms of the tiles that are worked on at a time; one tile of many channels may take more."""

BLOCK_BYTES = 1 << 20
"""What a thread transforms or multiplies at a time: it stays in the L2 cache."""


def refusal(problem: Problem) -> str | None:
    """Why `FftConv` cannot compute it; None where it can."""
    vertical, horizontal = problem.axes
    if all(axis.stride <= axis.extent <= MOST_EXTENT for axis in (vertical, horizontal)):
        return None
    return (
        f"stride ({vertical.stride}, {horizontal.stride}) and a dilated kernel of {vertical.extent}×"
        f"{horizontal.extent}; expected at most {MOST_EXTENT} in each direction, and strides of at most that"
    )


def work(problem: Problem, lanes: int) -> Work:
    """The steps of `FftConv`; `lanes`: the elements of a vector."""
    outputs, channels = problem.outputs, problem.channels
    vertical, horizontal = cuts(problem.axes, problem.groups, outputs, channels)
    tiles, pixels = problem.images * vertical.tiles * horizontal.tiles, vertical.length * horizontal.length
    rounds = math.ceil(tiles / fitting(4 * pixels * (channels + outputs)))
    return {
        "plan": 1,
        "weights": problem.groups * outputs * channels * pixels,
        "call": 1,
        "transforms": problem.groups * tiles * pixels * (channels + outputs),
        "products": problem.groups * tiles * pixels * channels * outputs,
        "read": problem.groups * rounds * pixels * channels * outputs,
        "tiles": tiles,
        "moved": problem.moved,
    }


# ---- tiles ---------------------------------------------------------------------------------------------


class Cut(NamedTuple):
    """One axis of the padded input, cut into tiles of `length` pixels for `outputs` outputs each."""

    axis: Axis
    length: int
    outputs: int
    tiles: int

    def source(self, tile: int) -> tuple[int, int]:
        """The pixels that a tile reads, from the first to one past the last; the input's begin at 0."""
        axis = self.axis
        first = tile * self.outputs * axis.stride
        end = min(first + self.length, (axis.output - 1) * axis.stride + axis.extent)
        return first - axis.before, end - axis.before

    def target(self, tile: int) -> slice:
        """The outputs that a tile gives."""
        return slice(tile * self.outputs, min((tile + 1) * self.outputs, self.axis.output))


def cuts(axes: tuple[Axis, Axis], groups: int, outputs: int, channels: int) -> tuple[Cut, Cut]:
    """The cheapest tiles for one image: larger ones overlap less, but have more weights to be read."""

    def cost(pair: tuple[Cut, Cut]) -> float:
        tiles, pixels = pair[0].tiles * pair[1].tiles, pair[0].length * pair[1].length
        rounds = math.ceil(tiles / fitting(4 * pixels * (channels + outputs)))
        transforms, products = 60 * (channels + outputs), channels * outputs
        return pixels * groups * (tiles * (transforms + products) + 10 * rounds * products)

    return min(product(possible_cuts(axes[0]), possible_cuts(axes[1])), key=cost)


def possible_cuts(axis: Axis) -> list[Cut]:
    """Tiles of several sizes."""
    found = {}
    for quarters in (5, 6, 7, 8, 10, 12, 16, 24, 32, 64, 128, 256):
        longest = axis.extent * quarters // 4
        tiles = -(-axis.output // ((longest - axis.extent) // axis.stride + 1))
        outputs = -(-axis.output // tiles)
        length = good_length((outputs - 1) * axis.stride + axis.extent)
        if length <= max(256, 2 * axis.extent):
            found[length] = Cut(axis, length, outputs, tiles)
    return list(found.values())


@cache
def good_length(n: int) -> int:
    """The least length from `n` on without prime factors above 5: its transform takes few steps."""
    rest = n
    for prime in (2, 3, 5):
        while rest % prime == 0:
            rest //= prime
    return n if rest == 1 else good_length(n + 1)


def tile_bytes(cuts: tuple[Cut, Cut], maps: int, itemsize: int) -> int:
    """A tile of so many maps, transformed."""
    return maps * cuts[0].length * (cuts[1].length + 2) * itemsize


def fitting(size: int) -> int:
    """How many transforms of so many bytes fit `SPECTRA_BYTES`, at least one."""
    return max(1, SPECTRA_BYTES // size)


def fill(
    tile: Array, x_chw: Array, rows: tuple[int, int], columns: tuple[int, int], border: str, cval: float
) -> None:
    """Copy pixels of `x_chw` and of its border to the corner of `tile`; zeros behind them."""
    height, width = x_chw.shape[1:]
    (top, bottom), (left, right) = rows, columns
    tile[...] = 0
    needed = tile[:, : bottom - top, : right - left]
    if border != "constant" and (min(top, left) < 0 or bottom > height or right > width):
        down = border_index(np.arange(top, bottom), height, border)
        across = border_index(np.arange(left, right), width, border)
        above, before = down.min(), across.min()
        near = x_chw[:, above : down.max() + 1, before : across.max() + 1]  # `take` copies what is not packed
        needed[...] = near.take(down - above, axis=1).take(across - before, axis=2)
        return
    if cval:
        needed[...] = cval
    inside = x_chw[:, max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)]
    top, left = max(-top, 0), max(-left, 0)
    needed[:, top : top + inside.shape[1], left : left + inside.shape[2]] = inside


def border_index(places: Array, n: int, border: str) -> Array:
    """The indices in 0..n-1 that `places`, however far outside, are read from, as in `_native/border.pxd`."""
    if border == "edge" or n == 1:
        return np.clip(places, 0, n - 1)
    period = {"reflect": 2 * n - 2, "symmetric": 2 * n, "wrap": n}[border]
    places = places % period
    return np.where(places < n, places, period - places - (border == "symmetric"))


# ---- products ------------------------------------------------------------------------------------------
# NumPy's transforms run far slower where no factor is multiplied with their results; "ortho" has one.


def kernel_spectra(weight_gockk: Array, cuts: tuple[Cut, Cut]) -> Array:
    """What the kernels' maps are multiplied with, [group][output][channel][frequency]."""
    vertical, horizontal = cuts
    *some, rows, _ = weight_gockk.shape
    wide = np.zeros((*some, rows, horizontal.axis.extent), weight_gockk.dtype)
    wide[..., :: horizontal.axis.dilation] = weight_gockk
    across = np.fft.rfft(wide, n=horizontal.length, axis=-1, norm="ortho")
    tall = np.zeros((*some, vertical.axis.extent, across.shape[-1]), across.dtype)
    tall[..., :: vertical.axis.dilation, :] = across
    spectra = np.fft.fft(tall, n=vertical.length, axis=-2, norm="ortho").conj()
    spectra *= np.sqrt(vertical.length * horizontal.length, dtype=weight_gockk.dtype)
    return spectra.reshape(*some, -1)


class SingleProducts:
    """One channel a group: a number times a number for each frequency."""

    def __init__(self, spectra_gocf: Array, tiles: int) -> None:
        self.groups, self.tiles, self.spectra = len(spectra_gocf), tiles, spectra_gocf

    def multiply(self, x_gctf: Array, y_gotf: Array, num_threads: int | None) -> None:
        """Write `y_gotf`."""
        np.multiply(x_gctf, self.spectra, out=y_gotf)


class MatrixProducts:
    """A matrix of outputs × channels for each frequency and group, times the channels of all tiles.

    Complex numbers are pairs of real ones: rows [re | im] of a matrix times columns [re | -im] of pixels give
    the products' real parts, times [im | re] their imaginary ones.
    """

    def __init__(self, spectra_gocf: Array, tiles: int) -> None:
        self.groups, outputs, channels, frequencies = spectra_gocf.shape
        self.tiles = tiles
        frequency_bytes = self.groups * (2 * channels + outputs) * tiles * spectra_gocf.itemsize
        self.matrices = [
            (block, matrices(spectra_gocf[..., block]))
            for block in parts(frequencies, BLOCK_BYTES // frequency_bytes)
        ]

    def multiply(self, x_gctf: Array, y_gotf: Array, num_threads: int | None) -> None:
        """Write `y_gotf`, a block of frequencies after another."""
        groups, channels, tiles, _ = x_gctf.shape
        for block, conv in self.matrices:
            x, y = np.moveaxis(x_gctf[..., block], -1, 0), np.moveaxis(y_gotf[..., block], -1, 0)
            pixels = np.empty((len(x), groups, 2, channels, 2, tiles), x.real.dtype)
            pixels[:, :, 0, :, 0] = pixels[:, :, 1, :, 1] = x.real
            pixels[:, :, 0, :, 1] = x.imag
            np.negative(x.imag, out=pixels[:, :, 1, :, 0])
            sums = np.empty((*y.shape[:3], 2, tiles), pixels.dtype)
            conv.run(pixels.reshape(1, -1, 1, 2 * tiles), sums.reshape(1, -1, 1, 2 * tiles), num_threads)
            y.real, y.imag = sums[..., 0, :], sums[..., 1, :]


def matrices(spectra_gocf: Array) -> TapConv:
    """The products of some frequencies as a 1×1 convolution, whose groups are the frequencies' groups."""
    groups, outputs, channels, frequencies = spectra_gocf.shape
    rows = np.empty((frequencies, groups, outputs, 2, channels), spectra_gocf.real.dtype)
    rows[..., 0, :] = np.moveaxis(spectra_gocf.real, -1, 0)
    rows[..., 1, :] = np.moveaxis(spectra_gocf.imag, -1, 0)
    weight_gockk = rows.reshape(frequencies * groups, outputs, 2 * channels, 1, 1)
    return TapConv(weight_gockk, None, cross([Tap(0, 0)], [Tap(0, 0)]))


Products = SingleProducts | MatrixProducts


def parts(n: int, size: int) -> list[slice]:
    """0..n-1 in runs of about equal length, at most `size` or 1."""
    count = -(-n // max(size, 1))
    return [slice(n * i // count, n * (i + 1) // count) for i in range(count)]


# ---- the convolution -----------------------------------------------------------------------------------

Place = tuple[int, int, int]  # of a tile: its image, and its numbers down and across


class FftConv:
    """Weights transformed once; `run` convolves a batch, from any number of threads."""

    __slots__ = ("bias", "border", "cuts", "cval", "group", "products")

    def __init__(
        self,
        weight_gockk: Array,
        bias: Array | None,
        axes: tuple[Axis, Axis],
        border: str = "constant",
        cval: float = 0.0,
    ) -> None:
        groups, outputs, channels = weight_gockk.shape[:3]
        self.group, self.border, self.cval = (outputs, channels), border, cval
        self.bias = np.zeros(groups * outputs, weight_gockk.dtype) if bias is None else bias.copy()
        self.cuts = cuts(axes, groups, outputs, channels)
        group_bytes = tile_bytes(self.cuts, channels + outputs, weight_gockk.itemsize)
        kind = SingleProducts if channels == 1 else MatrixProducts
        self.products = [
            kind(
                kernel_spectra(weight_gockk[some], self.cuts), fitting(group_bytes * (some.stop - some.start))
            )
            for some in parts(groups, fitting(group_bytes))
        ]

    def run(
        self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None, epilogue: Epilogue = PLAIN
    ) -> None:
        """Write the convolution of `x_bchw` to `y_bchw`, whose shapes are already checked."""
        if epilogue.activation == 0 and epilogue.residual is None:
            self.sum(x_bchw, y_bchw, num_threads)
        else:  # by a kernel of ones, which changes no bit of the sums
            sums = empty(y_bchw.shape, y_bchw.dtype)
            self.sum(x_bchw, sums, num_threads)
            ones = np.ones((sums.shape[1], 1, 1, 1, 1), sums.dtype)
            one = [Tap(0, 0)]
            TapConv(ones, None, cross(one, one)).run(sums, y_bchw, num_threads, epilogue)

    def sum(self, x_bchw: Array, y_bchw: Array, num_threads: int | None) -> None:
        """`run` without an epilogue."""
        outputs, channels = self.group
        down, across = (range(cut.tiles) for cut in self.cuts)
        places = list(product(range(len(x_bchw)), down, across))
        group = 0
        for products in self.products:
            y_maps = slice(group * outputs, (group + products.groups) * outputs)
            x = x_bchw[:, group * channels : (group + products.groups) * channels]
            for some in parts(len(places), products.tiles):
                with np.errstate(all="ignore"):  # NaN, Inf and overflow are the caller's to judge
                    self.run_tiles(
                        x, y_bchw[:, y_maps], self.bias[y_maps], products, places[some], num_threads
                    )
            group += products.groups

    def run_tiles(
        self,
        x_bchw: Array,
        y_bchw: Array,
        bias: Array,
        products: Products,
        places: list[Place],
        num_threads: int | None,
    ) -> None:
        """Convolve some tiles of all images."""
        spectrum = len(places), self.cuts[0].length, self.cuts[1].length // 2 + 1
        x_spectra, y_spectra = (
            np.empty((a.shape[1], *spectrum), np.result_type(a, np.complex64)) for a in (x_bchw, y_bchw)
        )
        at_a_time = BLOCK_BYTES // tile_bytes(self.cuts, len(places), x_bchw.itemsize)
        for maps in parts(x_bchw.shape[1], at_a_time):
            self.transform(x_bchw[:, maps], places, x_spectra[maps])
        frequencies = math.prod(spectrum[1:])
        x_gctf, y_gotf = (
            spectra.reshape(products.groups, -1, len(places), frequencies)
            for spectra in (x_spectra, y_spectra)
        )
        products.multiply(x_gctf, y_gotf, num_threads)
        for maps in parts(y_bchw.shape[1], at_a_time):
            self.restore(y_spectra[maps], bias[maps], places, y_bchw[:, maps])

    def transform(self, x_bchw: Array, places: list[Place], spectra: Array) -> None:
        """Fill the tiles of some maps, and transform them."""
        vertical, horizontal = self.cuts
        tiles = np.empty((x_bchw.shape[1], len(places), vertical.length, horizontal.length), x_bchw.dtype)
        for tile, (image, down, across) in zip(tiles.swapaxes(0, 1), places, strict=True):
            rows, columns = vertical.source(down), horizontal.source(across)
            fill(tile, x_bchw[image], rows, columns, self.border, self.cval)
        np.fft.rfft(tiles, axis=-1, norm="ortho", out=spectra)
        np.fft.fft(spectra, axis=-2, norm="ortho", out=spectra)

    def restore(self, spectra: Array, bias: Array, places: list[Place], y_bchw: Array) -> None:
        """Transform `spectra`, which are used up, back to outputs of some maps."""
        vertical, horizontal = self.cuts
        np.fft.ifft(spectra, axis=-2, norm="ortho", out=spectra)
        tiles = np.fft.irfft(spectra, n=horizontal.length, axis=-1, norm="ortho")
        tiles = tiles[..., :: vertical.axis.stride, :: horizontal.axis.stride]
        for tile, (image, down, across) in zip(tiles.swapaxes(0, 1), places, strict=True):
            y = y_bchw[image, :, vertical.target(down), horizontal.target(across)]
            np.add(tile[:, : y.shape[1], : y.shape[2]], bias[:, None, None], out=y)


def workspace(problem: Problem, num_threads: int) -> int:
    """Bytes of scratch for each thread."""
    cut = cuts(problem.axes, problem.groups, problem.outputs, problem.channels)
    group_bytes = tile_bytes(cut, problem.outputs + problem.channels, problem.itemsize)
    some_bytes = group_bytes * min(fitting(group_bytes), problem.groups)
    tiles = min(fitting(some_bytes), problem.images * cut[0].tiles * cut[1].tiles)
    return some_bytes * tiles + 2 * BLOCK_BYTES


def prepare(problem: Problem, layer: Layer, num_threads: int | None) -> FftConv:
    """Weights transformed for a convolution."""
    return FftConv(layer.weight_gockk, layer.bias, problem.axes, layer.border, layer.cval)
