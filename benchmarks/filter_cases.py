"""The calls that are measured: named rows, every other registered filter, and calls drawn at random."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from typing import Any

import cv2
import numpy as np

from benchmarks import bank
from convkit.cli import show
from convkit.filters import registry
from convkit.filters.pipeline import Pipeline

FOUR_K = (2160, 3840)
SHORT = {"uint8": "u8", "uint16": "u16", "int16": "s16", "float32": "f32", "float64": "f64"}


@dataclass(frozen=True)
class Case:
    """One filter or a chain of them, on one image."""

    label: str
    chain: Pipeline
    shape: tuple[int, ...] = FOUR_K
    dtype: str = "float32"
    content: str = "noise"

    @property
    def name(self) -> str:
        channels = f"×{self.shape[2]}" if len(self.shape) == 3 else ""
        content = "" if self.content == "noise" else f", {self.content}"
        size = f"{self.shape[0]}×{self.shape[1]}"
        return f"{self.label} {SHORT[self.dtype]}{channels} {size}{content}"

    @cached_property
    def image(self) -> np.ndarray:
        """The same in every run."""
        if self.content == "photo":
            return photo(self.shape[:2])
        rng = np.random.default_rng(0)
        if self.dtype == "float64":
            return rng.random(self.shape)
        if self.dtype == "float32":
            return rng.random(self.shape, np.float32)
        limits = np.iinfo(self.dtype)
        return rng.integers(limits.min, limits.max, self.shape, self.dtype, endpoint=True)

    @property
    def products(self) -> int:
        """Multiply-adds of the whole image, where they limit."""
        each = [bank.products(stage.filter, stage.arguments) for stage in self.chain.stages]
        return int(np.prod(self.shape)) * sum(each)


def photo(shape: tuple[int, int]) -> np.ndarray:
    """Matplotlib's sample photo, gray, enlarged."""
    from matplotlib.cbook import get_sample_data

    import convkit as ck

    gray = ck.to_gray(ck.imread(get_sample_data(show.PHOTO, asfileobj=False)))
    return cv2.resize(gray, shape[::-1], interpolation=cv2.INTER_CUBIC)


def kernel(size: int) -> str:
    """A dense kernel that is no product of two, as text."""
    numbers = np.random.default_rng(size).standard_normal((size, size)) / size
    return str(numbers.round(4).tolist())


# (what the row is called, the chain, dtypes and channels); a row whose filters are not registered is left out
NAMED: list[tuple[str, str, list[tuple[str, int]]]] = [
    ("gaussian 5", "gaussian(sigma=1.1, ksize=5)", [("uint8", 1), ("uint8", 3), ("float32", 1)]),
    ("gaussian 31", "gaussian(sigma=5.0, ksize=31)", [("float32", 1)]),
    ("gaussian 121", "gaussian(sigma=15.0, ksize=121)", [("float32", 1)]),
    ("sobel x to s16", "sobel('x', dtype='int16')", [("uint8", 1)]),
    ("sobel x", "sobel('x')", [("float32", 1)]),
    ("sobel magnitude", "sobel", [("float32", 1)]),
    ("filter2d 3×3", f"filter2d({kernel(3)})", [("float32", 1)]),
    ("filter2d 5×5", f"filter2d({kernel(5)})", [("float32", 1), ("uint8", 1)]),
    ("filter2d 15×15", f"filter2d({kernel(15)})", [("float32", 1)]),
    ("filter2d 31×31", f"filter2d({kernel(31)})", [("float32", 1)]),
    ("box 5", "box(5)", [("uint8", 1)]),
    ("box 31", "box(31)", [("float32", 1)]),
    ("median 3", "median(3)", [("uint8", 1)]),
    ("median 5", "median(5)", [("uint8", 1)]),
    ("median 7", "median(7)", [("uint8", 1)]),
    ("median 15", "median(15)", [("uint8", 1)]),
    ("bilateral 9", "bilateral(9, 50.0, 3.0)", [("uint8", 1)]),
    ("erode 5", "erode(5)", [("uint8", 1)]),
    ("erode 31", "erode(31)", [("uint8", 1)]),
    ("dilate 5", "dilate(5)", [("uint8", 1)]),
    ("dilate 31", "dilate(31)", [("uint8", 1)]),
    ("laplacian 3", "laplacian(3)", [("float32", 1), ("uint8", 1)]),
    ("canny", "canny(50, 150)", [("uint8", 1)]),
    ("canny", "canny(50, 150)", [("photo", 1)]),
    (
        "gaussian | sobel | threshold",
        "gaussian(sigma=1.4, ksize=9) | sobel | threshold(80)",
        [("uint8", 1), ("float32", 1)],
    ),
]
QUICK = ("gaussian 5", "sobel magnitude", "filter2d 5×5", "median 5")
SIZES = ("gaussian 5", "sobel magnitude", "filter2d 5×5", "median 5")


def read(label: str, text: str, shape: tuple[int, int], dtype: str, channels: int) -> Case | None:
    """A case of the table; None while one of its filters does not exist."""
    try:
        chain = Pipeline(text)
    except ValueError as error:
        if "there is no filter" in str(error):
            return None
        raise
    content, dtype = ("photo", "uint8") if dtype == "photo" else ("noise", dtype)
    return Case(label, chain, shape if channels == 1 else (*shape, channels), dtype, content)


def named() -> list[Case]:
    """The named rows, then the rest of the registered filters with the arguments of `convkit demo`."""
    found = [read(label, text, FOUR_K, *kind) for label, text, kinds in NAMED for kind in kinds]
    cases = [case for case in found if case is not None]
    seen = {case.chain.stages[0].filter.name for case in cases if len(case.chain.stages) == 1}
    for name in registry.names():
        if name not in seen:
            cases.append(Case(name, Pipeline(show.sample(name)), FOUR_K, sample_dtype(name)))
    return cases


def sample_dtype(name: str) -> str:
    """uint8 where a filter takes it."""
    image = np.zeros((32, 32), np.uint8)
    try:
        Pipeline(show.sample(name))(image)
    except TypeError:
        return "float32"
    return "uint8"


def quick() -> list[Case]:
    """A few rows of the named ones."""
    return [case for case in named() if case.label in QUICK]


def sizes() -> list[Case]:
    """Squares of 32 to 16384 pixels."""
    return [
        case
        for label, text, kinds in NAMED
        if label in SIZES
        for size in (32, 256, 1024, 4096, 16384)
        if (case := read(label, text, (size, size), kinds[0][0], 1)) is not None
    ]


def drawn(seed: int, count: int) -> list[Case]:
    """`count` calls that OpenCV takes: any filter, dtype, border, 1 to 4 channels, 256² pixels to 4K."""
    rng = np.random.default_rng(seed)
    names = [name for name in registry.names() if name in bank.DRAWS and name in bank.PEERS["opencv"]]
    cases: list[Case] = []
    while len(cases) < count:
        found = registry.get(str(rng.choice(names)))
        dtype = np.dtype(str(rng.choice(list(SHORT))))
        channels = int(rng.choice([1, 1, 2, 3, 4]))
        aspect = float(rng.choice([1, 4 / 3, 16 / 9, 9 / 16]))
        pixels = np.exp(rng.uniform(np.log(256**2), np.log(FOUR_K[0] * FOUR_K[1])))
        size = round((pixels / aspect) ** 0.5), round((pixels * aspect) ** 0.5)
        arguments = bank.random_arguments(rng, found, dtype)
        tried = np.zeros((40, 40) if channels == 1 else (40, 40, channels), dtype)
        if bank.call_of("opencv", found, arguments, tried) is None:
            continue
        shape = size if channels == 1 else (*size, channels)
        cases.append(
            Case(
                label(found.name, arguments),
                Pipeline([partial(found.function, **arguments)]),
                shape,
                dtype.name,
            )
        )
    return cases


def label(name: str, arguments: dict[str, Any]) -> str:
    """A call in short: arrays as their shapes."""
    told = [
        f"{key}={short(value)}"
        for key, value in arguments.items()
        if value is not None and value is not False
    ]
    return f"{name}({', '.join(told)})"


def short(value: Any) -> str:
    """An argument in few letters."""
    if isinstance(value, np.ndarray):
        return "×".join(map(str, value.shape))
    return str(value)


def part(cases: Iterable[Case], which: str | None) -> list[Case]:
    """Part i of n, "i/n", of the cases; all of them for None."""
    if which is None:
        return list(cases)
    index, _, count = which.partition("/")
    return list(cases)[int(index) - 1 :: int(count)]
