"""What a shape may mean, and the refusals of those that cannot mean what was asked for.

A function applies its one documented meaning: a shape such as (3, 3, 3) is taken as the name says and never
guessed. A shape that can only be the other layout is refused with the call that mends it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from convkit._checks import IMAGE_DTYPES, Array, as_array, image_hint, looks_channels_first


def hwc(value: Any, name: str, pixels: bool = False) -> Array:
    """`value`, HW or HWC, as HWC; with `pixels`, of a dtype that images have."""
    image = as_array(value, name)
    if pixels and image.dtype != np.bool_:
        check_pixels(image, name)
    if image.ndim == 2:
        return image[..., None]
    if image.ndim != 3:
        hint = f": pass {name}.reshape(height, width)" if image.ndim == 1 else image_hint(image.shape, name)
        raise ValueError(f"{name} has shape {image.shape}; expected HW or HWC{hint}")
    if looks_channels_first(image.shape):
        hint = image_hint(image.shape, name)
        raise ValueError(f"{name} has shape {image.shape}; expected HW or HWC{hint}")
    return image


def coloured(value: Any) -> Array:
    """`value` as HWC with 3 or 4 channels."""
    image = as_array(value, "image")
    if image.ndim == 3 and image.shape[2] in (3, 4):
        return image
    gray = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 1)
    hint = "; a gray image has no colour order" if gray else image_hint(image.shape, "image")
    raise ValueError(f"image has shape {image.shape}; expected HWC with 3 or 4 channels{hint}")


def check_pixels(array: Array, name: str) -> None:
    """Refuse a dtype that images do not have."""
    if array.dtype not in IMAGE_DTYPES:
        raise TypeError(
            f"{name} has dtype {array.dtype}; expected one of {names(IMAGE_DTYPES)}: "
            f"pass {name}.astype(np.float32)"
        )


def names(dtypes: tuple[np.dtype[Any], ...]) -> str:
    """The names of dtypes, for messages."""
    return ", ".join(map(str, dtypes))
