"""An image file read, filtered and fitted to the format that it is written in."""

from __future__ import annotations

import time
from typing import NamedTuple

import numpy as np

from convkit._checks import Array
from convkit.cli.fit import fitted
from convkit.cli.told import count
from convkit.filters.pipeline import Pipeline
from convkit.io.formats import channel_count, for_name
from convkit.io.read import ImageInfo, Mode, image_and_info

SIDE = 256
"""Of an image that chains are tried on, where their size is not known."""


def check(chain: Pipeline) -> None:
    """Refuse arguments that are wrong for whatever image, as small ones of several kinds tell."""
    halo = chain.halo  # which needs no image
    side = 1 + sum(halo) if halo else SIDE + _left_off(chain)
    errors: list[Exception] = []
    for shape in ((1, 1), (side, side), (side, side, 3)):
        for dtype in (np.uint8, np.float32):
            try:
                result = chain(np.zeros(shape, dtype))
            except (ValueError, TypeError) as error:
                errors.append(error)
                continue
            if result.ndim > len(shape):
                raise ValueError(
                    f"{chain} makes {len(result)} images of one, and a file holds one: pass another "
                    "direction, as 'magnitude' or 'angle'"
                )
            return
    raise errors[2]  # that of gray bytes: of one pixel, it may be about the size


def _left_off(chain: Pipeline) -> int:
    """Rows and columns, at most, by which a result is smaller than its image."""
    return sum(sum(filter.left_off(filter.arguments(**arguments))) for filter, arguments in chain.stages)


class Filtered(NamedTuple):
    """A result as it is to be written, what was done to it besides, and the seconds that the filters took."""

    image: Array
    notes: list[str]
    seconds: float


def filtered(chain: Pipeline, given: str, wanted: str, mode: Mode, stretch: bool) -> Filtered:
    """What `chain` makes of the file `given`, for the file `wanted`."""
    target = for_name(wanted)
    image, info = image_and_info(given, mode)
    notes = _left_out(info)
    if channel_count(image) == 4:  # a derivative of an opaque alpha is 0: the result would be invisible
        image = image[..., :3]
        notes.append("alpha dropped")
    start = time.perf_counter()
    result = chain(image)
    seconds = time.perf_counter() - start
    result, done = fitted(result, target, image.dtype, stretch)
    return Filtered(result, [*notes, *done], seconds)


def _left_out(info: ImageInfo) -> list[str]:
    """What of the file is not read."""
    if info.pages > 1:
        return [f"the first of {count(info.pages, 'page')}"]
    return [f"the still image of {count(info.frames, 'frame')}"] if info.frames > 1 else []
