"""Random calls of every filter, and what the reference says about them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from convkit import _reference
from convkit.filters import registry

SHORT = {"u8": np.uint8, "u16": np.uint16, "s16": np.int16, "f32": np.float32, "f64": np.float64}
DTYPES = tuple(np.dtype(dtype) for dtype in SHORT.values())
BORDERS = ("constant", "edge", "reflect", "symmetric", "wrap", "valid")
GRADIENTS = ("sobel", "scharr", "prewitt", "gaussian_gradient")
BOUND = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-12}


# ---- the table --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """One line of the table in docs/semantics.md."""

    operations: tuple[str, ...]
    qualifier: str
    inputs: tuple[np.dtype[Any], ...]
    border: str
    equality: str


def parse_row(line: str) -> Row:
    cells = [cell.strip() for cell in line.replace("\\|", "¦").strip("| \n").split("|")]
    first, _, rest = cells[0].partition("(")
    qualifier, _, rest = rest.partition(")")
    names = tuple(name.strip() for name in (first + rest).split(",") if name.strip())
    inputs = tuple(np.dtype(SHORT[name.strip()]) for name in cells[1].partition("→")[0].split(","))
    return Row(names, qualifier, inputs, cells[2], cells[-1])


@pytest.fixture(scope="session")
def semantics() -> list[Row]:
    text = Path(__file__).parents[2].joinpath("docs", "semantics.md").read_text("utf-8")
    lines = [line for line in text.splitlines() if line.startswith("| ") and "→" in line]
    return [parse_row(line) for line in lines if not line.startswith("| operation")]


# ---- random calls -----------------------------------------------------------------------------------


def random_image(rng: np.random.Generator, dtype: np.dtype[Any], shape: tuple[int, ...]) -> np.ndarray:
    if dtype.kind == "f":
        return (rng.standard_normal(shape) * 100).astype(dtype)
    limits = np.iinfo(dtype)
    values = rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)
    extremes = rng.choice([limits.min, limits.max], shape).astype(dtype)
    return np.where(rng.random(shape) < 0.2, extremes, values)


def random_shape(rng: np.random.Generator, largest: int = 40) -> tuple[int, ...]:
    height, width = rng.integers(1, largest, 2, endpoint=True).tolist()
    channels = rng.choice([0, 1, 2, 3, 4, 5])  # 0: HW
    return (height, width, int(channels)) if channels else (height, width)


def random_kernel(rng: np.random.Generator, shape: Any) -> np.ndarray:
    if rng.random() < 0.5:
        return rng.integers(-4, 5, shape).astype(np.float64)
    return rng.standard_normal(shape)


def own_arguments(rng: np.random.Generator, name: str) -> dict[str, Any]:
    """The arguments that are the filter's own."""
    sigma: Any = float(rng.uniform(0.3, 2.0))
    if rng.random() < 0.3:
        sigma = (sigma, float(rng.uniform(0.3, 2.0)))
    direction = {"direction": str(rng.choice(["x", "y", "magnitude", "angle"]))}
    size = tuple(rng.integers(1, 9, 2).tolist())
    anchor = tuple(int(rng.integers(0, extent)) for extent in size) if rng.random() < 0.5 else None
    general = {
        "mode": str(rng.choice(["correlate", "convolve"])),
        "anchor": anchor,
        "scale": float(rng.choice([1.0, 0.5, 0.25])),
        "delta": float(rng.choice([0.0, 3.0, -7.5])),
    }
    kernels = {"kernel_y": random_kernel(rng, size[0]), "kernel_x": random_kernel(rng, size[1])}
    odd = tuple((2 * rng.integers(0, 5, 2) + 1).tolist())
    footprint = rng.random(size) < 0.6
    footprint[0, 0] |= not footprint.any()
    area = {"footprint": [size, size[0], footprint][rng.integers(3)]}
    return {
        "bilateral": lambda: {
            "diameter": int(rng.choice([1, 3, 5, 7])),
            "sigma_color": float(np.exp(rng.uniform(0, 9))),
            "sigma_space": float(rng.uniform(0.5, 5)),
        },
        "canny": lambda: {
            "low": float(rng.uniform(0, 400)),
            "high": float(rng.uniform(0, 800)),
            "aperture": int(rng.choice([3, 5, 7])),
            "l2": bool(rng.random() < 0.5),
        },
        "closing": lambda: area,
        "dilate": lambda: area,
        "erode": lambda: area,
        "maximum": lambda: {"size": size},
        "median": lambda: {"size": odd if rng.random() < 0.5 else int(rng.choice([3, 5]))},
        "minimum": lambda: {"size": size},
        "opening": lambda: area,
        "otsu": dict,
        "threshold": lambda: {"value": float(rng.uniform(-100, 300))},
        "box": lambda: {"size": size if rng.random() < 0.5 else size[0]},
        "filter2d": lambda: {"kernel": random_kernel(rng, size), **general},
        "gaussian": lambda: {"sigma": sigma, "ksize": None if rng.random() < 0.7 else 5},
        "gaussian_gradient": lambda: direction | {"sigma": float(rng.uniform(0.3, 2.0))},
        "laplacian": lambda: {"ksize": int(rng.choice([1, 3, 5, 7, 9]))},
        "prewitt": lambda: direction,
        "recursive_gaussian": lambda: {"sigma": tuple(rng.uniform(0.1, 0.6, 2).tolist())},
        "scharr": lambda: direction,
        "sepfilter2d": lambda: {**kernels, **general},
        "sharpen": lambda: {"sigma": sigma, "amount": float(rng.uniform(-1, 3))},
        "unsharp_mask": lambda: {"sigma": sigma, "amount": float(rng.uniform(-1, 3))},
        "sobel": lambda: {**direction, "ksize": int(rng.choice([1, 3, 5, 7, 9]))},
    }[name]()


def random_arguments(rng: np.random.Generator, name: str, dtype: np.dtype[Any]) -> dict[str, Any]:
    """All arguments of a call on an image of `dtype`."""
    arguments = own_arguments(rng, name)
    if registry.get(name).default_border is not None:
        arguments["border"] = str(rng.choice(BORDERS))
    if arguments.get("border") == "constant":
        arguments["cval"] = float(rng.integers(0, 100)) + (0.1 if dtype == np.float64 else 0)
    if dtype == np.float64 and arguments.get("delta"):
        arguments["delta"] += 0.1  # a number that no float32 holds
    vector = arguments.get("direction") in ("magnitude", "angle")
    if "dtype" in registry.get(name).signature.parameters and rng.random() < 0.4:
        arguments["dtype"] = DTYPES[rng.integers(3, 5) if vector else rng.integers(0, 5)]
    if "normalize" in registry.get(name).signature.parameters:
        arguments["normalize"] = bool(rng.random() < 0.3)
    return arguments


@pytest.fixture(scope="session")
def draw() -> Any:
    """draw(rng, name) -> (image, arguments): a call whose kernel fits where the border is "valid"."""

    def call(rng: np.random.Generator, name: str, largest: int = 40) -> tuple[np.ndarray, dict[str, Any]]:
        dtype = DTYPES[rng.integers(0, 5)]
        image = random_image(rng, dtype, random_shape(rng, largest))
        arguments = random_arguments(rng, name, dtype)
        found = registry.get(name)
        halo = registry.Halo(3, 3, 3, 3) if found.halo is None else found.halo(found.arguments(**arguments))
        too_large = image.shape[0] <= halo.top + halo.bottom or image.shape[1] <= halo.left + halo.right
        if arguments.get("border") == "valid" and too_large:
            arguments["border"] = "edge"
        return image, arguments

    return call


# ---- the oracle -------------------------------------------------------------------------------------


def kernel_of(name: str, image: np.ndarray, arguments: dict[str, Any]) -> tuple[Any, float, float, Any]:
    """The kernel of a call as a correlation, its divisor, delta and anchor."""
    own = {k: v for k, v in arguments.items() if k in ("sigma", "truncate", "ksize", "size", "amount")}
    if name in _reference.KERNELS:
        if name == "gaussian":
            own["quantised"] = image.dtype == np.uint8 and arguments.get("dtype", image.dtype) == image.dtype
        kernel = _reference.KERNELS[name](**own)
        normal = np.abs(kernel).sum() if name == "box" or arguments.get("normalize") else 1.0
        return kernel, float(normal), 0.0, None
    separable = name == "sepfilter2d"
    kernel = np.outer(arguments["kernel_y"], arguments["kernel_x"]) if separable else arguments["kernel"]
    anchor = arguments["anchor"] or (kernel.shape[0] // 2, kernel.shape[1] // 2)
    if arguments["mode"] == "convolve":
        kernel = kernel[::-1, ::-1]
        anchor = tuple(n - 1 - a for n, a in zip(kernel.shape, anchor, strict=True))
    return kernel, 1 / arguments["scale"], arguments["delta"], anchor


def is_exact(name: str, image: np.ndarray, arguments: dict[str, Any], rows: list[Row]) -> bool:
    """Whether the table promises the reference's very value."""
    fitting = [row for row in rows if name in row.operations and image.dtype in row.inputs]
    if name in ("filter2d", "sepfilter2d"):
        kernels = [arguments[key] for key in ("kernel", "kernel_x", "kernel_y") if key in arguments]
        integral = all((kernel == np.rint(kernel)).all() for kernel in kernels)
        fitting = [row for row in fitting if (row.qualifier == "integer kernel") == integral] or fitting
    if name == "gaussian" and arguments.get("dtype", image.dtype) != image.dtype:
        return False
    (row,) = fitting
    return row.equality.startswith("exact")


@pytest.fixture(scope="session")
def assert_as_reference(semantics: list[Row]) -> Any:
    """Hold the result of a call to the oracle and the tolerance that its row names."""

    def check(name: str, image: np.ndarray, arguments: dict[str, Any], results: list[np.ndarray]) -> None:
        if name in _reference.NONLINEAR:
            expected = _reference.NONLINEAR[name](image, **arguments)
            for result in results:
                assert result.dtype == registry.get(name).output_dtype(image.dtype, arguments)
                compare_values(image, result, expected, is_exact(name, image, arguments, semantics))
            return
        kernel, divisor, delta, anchor = kernel_of(name, image, arguments)
        border, cval = arguments["border"], arguments.get("cval", 0.0)

        def correlate(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
            return _reference.correlate(values, weights, border, cval, anchor) / divisor

        magnitudes = np.abs(image.astype(np.float64))
        bound = correlate(magnitudes, np.abs(kernel)) + abs(delta)
        expected = correlate(image, kernel) + delta
        direction = arguments.get("direction", "x")
        if name in GRADIENTS and direction != "x":
            y = correlate(image, kernel.T)
            bound = bound + correlate(magnitudes, np.abs(kernel.T))
            expected = {"y": y, "magnitude": np.hypot(expected, y), "angle": expected + 1j * y}[direction]
        exact = is_exact(name, image, arguments, semantics)
        for result in results:
            assert result.dtype == registry.get(name).output_dtype(image.dtype, arguments)
            assert result.shape == expected.shape
            compare(name, image, result, expected, bound, exact)

    return check


def compare_values(image: np.ndarray, result: np.ndarray, expected: np.ndarray, exact: bool) -> None:
    """Of filters whose results lie between the image's pixels."""
    if exact:
        np.testing.assert_array_equal(result, expected)
    elif image.dtype.kind == "f":
        assert (np.abs(result - expected) <= BOUND[image.dtype] * np.abs(image).max()).all()
    else:
        assert (np.abs(result - expected) <= 0.5 + 1e-5 * np.abs(image.astype(np.float64)).max()).all()


def compare(
    name: str, image: np.ndarray, result: np.ndarray, expected: np.ndarray, bound: np.ndarray, exact: bool
) -> None:
    half_up = image.dtype == result.dtype == np.uint8 and name in ("gaussian", "box")
    coarsest = np.dtype(np.float32) if np.float32 in (image.dtype, result.dtype) else np.dtype(np.float64)
    if image.dtype == np.uint8 and not exact and result.dtype != np.float64:
        coarsest = np.dtype(np.float32)
    tolerance = BOUND[coarsest] * bound
    if np.iscomplexobj(expected):  # an angle: what counts is how far off its end the vector points
        turn = np.angle(np.exp(1j * (result - np.angle(expected))))
        assert (np.abs(turn) * np.abs(expected) <= tolerance + 1e-6 * np.abs(expected)).all()
        assert (np.abs(result) <= np.float32(np.pi)).all()
    elif result.dtype.kind == "f":
        error = np.abs(result - expected)
        assert (error <= tolerance).all(), error.max()
        whole = (np.abs(expected) < 2**24).all() and (expected % 1 == 0).all()
        if exact and whole and image.dtype.kind != "f":
            np.testing.assert_array_equal(result, expected)
    elif exact:
        np.testing.assert_array_equal(result, _reference.to_dtype(expected, result.dtype, half_up=half_up))
    elif image.dtype.kind == "f":
        limits = np.iinfo(result.dtype)
        error = np.abs(result - expected.clip(limits.min, limits.max))
        assert (error <= 0.5 + tolerance).all(), error.max()
    else:
        nearest = _reference.to_dtype(expected, result.dtype, half_up=half_up)
        assert np.abs(result.astype(int) - nearest).max() <= 1
