"""Symptom → likely cause: what a layer's refusal most likely comes from, and the line that mends it.

Each symptom is a function that looks at the layer and at what came, and gives (cause, mend), or None where it
is another's. They are asked in order.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

import numpy as np

from convkit import shapes
from convkit._checks import looks_channels_last
from convkit.nn.image_size import size_that_gives

Shape = tuple[int, ...]
Diagnosis = tuple[str, str]


class Refusal(NamedTuple):
    """A layer that refused, and what it was given."""

    reason: str
    layer: Any
    given: Shape
    first: bool
    """No layer ran before it: what came is the user's own."""
    inputs: tuple[Any, ...]
    """Empty where shapes alone were traced."""
    ran: Sequence[tuple[Any, Shape, Shape]] = ()
    """The layers before it, and what they were given and gave."""

    @property
    def name(self) -> str:
        """The layer's."""
        return self.written.removeprefix("nn.")

    @property
    def written(self) -> str:
        """What is called to make the layer."""
        kind = getattr(self.layer, "_made_from", type(self.layer))
        return "nn." * kind.__module__.startswith("convkit.nn.") + kind.__name__

    @property
    def own(self) -> np.dtype[Any]:
        """What the layer computes in."""
        weight = getattr(self.layer, "_weight", np.empty(0, np.float32))
        return next((p.dtype for p in self.layer.parameters()), weight.dtype)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Of the first input."""
        return np.dtype(getattr(self.inputs[0], "dtype", np.float32) if self.inputs else np.float32)


def diagnosis(refusal: Refusal) -> Diagnosis:
    """The likely cause of a refusal, and the line that mends it."""
    found = symptom(refusal)
    if found is not None:
        return found
    takes = (type(refusal.layer).forward.__doc__ or "").partition("\n")[0].strip(" .")
    cause = f"{refusal.name} does not take {refusal.given}" + f": {takes}" * takes.startswith("(")
    _, passes, call = refusal.reason.rpartition("pass ")
    return cause, call if passes else f"help({refusal.written}) tells what it takes"


def symptom(refusal: Refusal) -> Diagnosis | None:
    """What the first symptom says that knows the refusal."""
    return next((found for known in SYMPTOMS if (found := known(refusal)) is not None), None)


def is_ours(layer: Any) -> bool:
    """Whether the layer has a `forward` of this package, which takes tensors, and none of the user's."""
    return str(type(layer).forward.__module__).startswith("convkit.")


def no_map(module: Any, value: Any) -> tuple[str, str, str]:
    """What is said of a forward that gave no tensor, the likely cause, and the line that mends it."""
    name = f"{type(module).__name__}.forward"
    code = getattr(type(module).forward, "__code__", None)
    where = f"{name}, line {code.co_firstlineno} of {PurePath(code.co_filename).name}" if code else name
    came, cause, within = f"a {type(value).__name__}", "no map, but something else", ""
    mend = "return nn.Tensor(...) of it"
    if value is None:
        came, cause, mend = "None", "a forward without return", "return what it computes"
    elif isinstance(value, tuple) and not value:
        came, cause, mend = "an empty tuple", "no map at all", "return what it computes"
    elif isinstance(value, (list, tuple, Mapping)):
        came += f" of {', '.join(map(repr, value)) if isinstance(value, Mapping) else len(value)}"
        cause = "several maps, and one is followed"
        mend = "return one of them"
        within = ", or trace list(model.children())" if any(module.children()) else ""
    return f"{name} gives {came}; expected a tensor", cause, f"{mend}, in {where}{within}"


def no_tensor(layer: str, value: Any) -> str:
    """What a layer says that was given something without numbers, and the line that mends it."""
    came = "None" if value is None else type(value).__name__
    if value is None:
        mend = (
            "a forward without return gives None, and so does cv2.imread of no image, where ck.imread raises"
        )
    elif isinstance(value, (str, bytes, PurePath)):
        mend = 'pass ck.to_bchw(ck.imread(path), scale="unit")'
    elif isinstance(value, Mapping):
        mend = "pass one of its arrays"
    else:
        mend = "pass np.asarray(...) of it"
    return f"{layer} got {came}; expected an array or a nn.Tensor: {mend}"


# ---- what came --------------------------------------------------------------------------------------


def _dtype(it: Refusal) -> Diagnosis | None:
    dtype = it.dtype
    own = it.own
    if dtype.kind in "ui" and it.first and len(it.given) in (2, 3, 4):
        return f"pixels as they were read, {dtype}: layers compute in {own}", _unit(it, own)
    if dtype.kind != "f" or dtype.itemsize not in (4, 8):
        return f"{dtype} numbers: layers compute in {own}", f"x.astype(np.{own})"
    if dtype != own and "dtype" in it.reason:
        return f"{dtype} numbers for weights of {own}", f"x.astype(np.{own})"
    return None


def _unit(it: Refusal, own: np.dtype[Any]) -> str:
    """The line that makes pixels numbers of 0 to 1, in the layout of a layer."""
    pixels = np.asarray(getattr(it.inputs[0], "data", it.inputs[0]))
    top = next((top for top in (255, 65535) if pixels.min() >= 0 and pixels.max() <= top), None)
    if it.dtype in (np.uint8, np.uint16):
        top = np.iinfo(it.dtype).max
    expected = getattr(it.layer, "in_channels", None)
    gray = _image(it) and pixels.ndim == 2
    last = _image(it) and pixels.ndim > 2 and pixels.shape[-3] != expected
    if top is None or not (gray or (last and looks_channels_last(pixels.shape[-3:]))):
        return f"x.astype(np.{own})" + f" / {top}" * (top is not None)
    image = "image"
    if (pixels.shape[-1], expected) == (4, 3) and not gray:
        image = "image[..., :3]"
    if gray and expected == 3:
        image = "np.stack([image] * 3, axis=-1)"
    if it.dtype not in (np.uint8, np.uint16):
        image += f".astype(np.{'uint8' if top == 255 else 'uint16'})"
    return f'ck.to_bchw({image}, scale="unit")'


def _image(it: Refusal) -> bool:
    return 4 in it.layer._axes and len(it.given) in (2, 3, 4)


def _axes(it: Refusal) -> Diagnosis | None:
    """A number of axes that the layer does not take."""
    axes, found = it.layer._axes, len(it.given)
    if not axes or found in axes:
        return None
    most = max(axes)
    layout = {(3, 4): "BCHW or CHW", (2, 3): "(B, C, L) or (C, L)", (4,): "BCHW"}[axes]
    if found > most:
        if most == 3:
            return (
                f"maps, for {it.name}, which takes {layout}",
                f"{it.written.replace('1d', '2d')}, or x.flatten(2)",
            )
        return (
            f"{found} axes, as videos have, or batches of batches: {it.name} takes {layout}",
            f"x.reshape(-1, *x.shape[-{most - 1}:])",
        )
    if found == most - 1:
        return f"an example without a batch axis, which {it.name} needs", "x[None]"
    if not it.first:
        return (
            f"what comes before {it.name} gives {it.given}, numbers and no maps",
            f"nn.Unflatten(1, (C, H, W)) before {it.name}, or {it.name} before nn.Flatten()",
        )
    if found == 2:
        channels = getattr(it.layer, "in_channels", None) or 1
        mend = (
            "x[None, None]" if channels == 1 else f"np.stack([x] * {channels})[None], or {it.written}(1, ...)"
        )
        return f"one map, without channels: {it.name} takes {layout}", mend
    axis = "L" if most == 3 else "H, W"
    return f"{found} axes, where {it.name} takes {layout}", f"x.reshape(B, C, {axis})"


# ---- channels and features --------------------------------------------------------------------------


def _channels(it: Refusal) -> Diagnosis | None:
    expected = getattr(it.layer, "in_channels", None)
    if not expected:
        return None
    found = it.given[1 - max(it.layer._axes)]
    if found == expected:
        return None
    if it.first and _image(it):
        colours = _colours(it, expected, found)
        if colours is not None:
            return colours
    come = "the input has" if it.first else "what comes before gives"
    outputs = "" if "Depthwise" in it.name else f"{getattr(it.layer, 'out_channels', '...')}, "
    mend = f"{it.written}({found}, {outputs}...)"
    return f"in_channels is {expected}, and {come} {found} channels", mend


def _colours(it: Refusal, expected: int, found: int) -> Diagnosis | None:
    """An image in another layout, or of other colours, than the first layer was made for."""
    if last := _channels_last(it, expected):
        return last
    if (found, expected) == (4, 3):
        return (
            "an image with alpha for a layer of colours: in_channels is 3",
            "x[..., :3, :, :], without alpha",
        )
    if {found, expected} != {1, 3}:
        return None
    have, want = ("gray", "colour") if found == 1 else ("colour", "gray")
    convert = "np.repeat(x, 3, axis=-3)" if found == 1 else "ck.to_gray(image)"
    mend = f"{it.written}({found}, ...), or {convert}"
    return f"a {have} image for a layer of {want} ones: in_channels is {expected}", mend


def _norm_of_images(it: Refusal) -> Diagnosis | None:
    """A norm of so many channels, given them last; a group norm takes three axes that are no image."""
    expected = getattr(it.layer, "num_features", getattr(it.layer, "num_channels", None))
    image = len(it.given) == 4 or (len(it.given) == 3 and 4 in it.layer._axes)
    if not it.first or expected is None or not image:
        return None
    return None if it.given[-3] == expected else _channels_last(it, expected)


def _channels_last(it: Refusal, expected: int) -> Diagnosis | None:
    *batch, height, width, last = it.given
    if not looks_channels_last(it.given[-3:]) or last not in (expected, expected + (expected == 3)):
        return None
    alpha, colours = (", and alpha beside the colours", "[..., :3]") if last != expected else ("", "")
    whose = "an image is HWC, a layer takes BCHW" if not alpha else "a layer takes BCHW"
    gives = (*(batch or [1]), expected, height, width)
    return f"channels last{alpha}: {whose}", f"ck.to_bchw(image{colours}), which gives {gives}"


def _norms(it: Refusal) -> Diagnosis | None:
    noun = "channels" if hasattr(it.layer, "num_channels") else "features"
    expected = getattr(it.layer, f"num_{noun}", None)
    if expected is None:
        return None
    if len(it.given) < 2:
        return f"{it.name} takes a batch, (B, C, ...), and {it.given} has none", "x[None]"
    found = it.given[1]
    if found == expected:
        return None
    if len(it.given) == 3 and it.given[0] == expected:
        return f"an example without a batch axis: {it.name} looks for channels in axis 1", "x[None]"
    arguments = f"{found}, ..."
    if hasattr(it.layer, "num_groups"):
        arguments = f"{math.gcd(it.layer.num_groups, found)}, {found}"
    return f"{it.name} was made for {expected} {noun}, not {found}", f"{it.written}({arguments})"


def _last_axes(it: Refusal) -> Diagnosis | None:
    expected = getattr(it.layer, "normalized_shape", None)
    if expected is None:
        return None
    found = it.given[-len(expected) :]
    if len(it.given) > 1 and expected == it.given[1:2]:
        return (
            "LayerNorm goes over the last axes, and here channels are axis 1",
            f"nn.GroupNorm(1, {expected[0]}), or x.transpose(0, 2, 3, 1) before it",
        )
    return f"LayerNorm was made for last axes of {expected}, and they are {found}", f"nn.LayerNorm({found})"


def _features(it: Refusal) -> Diagnosis | None:
    expected = getattr(it.layer, "in_features", None)
    if expected is None or (it.given and it.given[-1] == expected):
        return None
    if math.prod(it.given) == expected and len(it.given) > 1 and it.given[0] != 1:
        if len(it.given) == 2:
            return (
                f"an example without a batch axis: Flatten left axis 0 alone and gave {it.given}",
                "x[None] at the start",
            )
        return (
            f"an example without a batch axis, and maps that were not flattened, {it.given}",
            f"x[None] at the start, nn.Flatten() before {it.name}",
        )
    if len(it.given) in (3, 4):
        return "feature maps go into Linear without being flattened", f"nn.Flatten() before {it.name}"
    found = it.given[-1] if it.given else 1
    cause, mend = f"{it.name} was made for {expected} features, not {found}", f"{it.written}({found}, ...)"
    maps = next((gave for _, _, gave in reversed(it.ran) if len(gave) == 4), None)
    if maps is None or math.prod(maps[1:]) != found or expected % maps[1]:
        return cause, mend
    cause += f": maps of {maps[2]}×{maps[3]}, flattened, are {found}; another size of image gives others"
    size = size_that_gives(expected, it.ran)
    return cause, mend + (f", or images of {size[0]}×{size[1]}" if size else ", or images of another size")


def _pixels_of_channels(it: Refusal) -> Diagnosis | None:
    up, down = (getattr(it.layer, f"{way}scale_factor", None) for way in ("up", "down"))
    if up is not None and len(it.given) in (3, 4):
        found = it.given[-3]
        return (
            f"{found} channels do not make pixels of {up}×{up}",
            f"{-(-found // up**2) * up**2} channels from the layer before it",
        )
    if down is not None and len(it.given) in (3, 4):
        below, right = (-n % down for n in it.given[-2:])
        return (
            f"{it.given[-2:]} pixels are no multiple of {down}",
            f"nn.ZeroPad2d((0, {right}, 0, {below})) before it",
        )
    return None


# ---- sizes ------------------------------------------------------------------------------------------


def _cut_away(it: Refusal) -> Diagnosis | None:
    if "padding cuts" not in it.reason:
        return None
    most = it.reason.rpartition("at most ")[2]
    cause = "padding of a transposed convolution takes pixels off, here all of them"
    return cause, f"{it.written}(..., padding={most}) or less"


def _too_small(it: Refusal) -> Diagnosis | None:
    if "effective kernel" not in it.reason:
        return None
    size = it.given[-2:] if 4 in it.layer._axes else it.given[-1:]
    dilated = _dilated(it, size)
    if dilated is not None:
        return dilated
    fits = _that_fits(it, size)
    if it.first:
        return f"the input, {size}, is smaller than the kernel", f"{fits}, or a larger input"
    mend = "a stride of 1 in an earlier layer, or a larger input"
    if hasattr(it.layer, "in_channels"):
        mend = f"{it.written}(..., padding=kernel_size // 2), {mend}"
    else:
        mend = f"{fits}, {mend}"
    cause = f"the map has shrunk to {size}, too small for the kernel: missing padding, or strides that "
    return f"{cause}halve it too often", mend


def _that_fits(it: Refusal, size: Shape) -> str:
    """The layer with the largest kernel that the map has room for."""
    axes = _axes_of(it, size)
    most = [min(axis.kernel, (axis.room + axis.extent - 1) // axis.dilation + 1) for axis in axes][
        -len(size) :
    ]
    kernel = most[0] if len(set(most)) == 1 else tuple(most)
    return f"{it.written}(..., kernel_size={kernel}) or smaller"


def _axes_of(it: Refusal, size: Shape) -> list[shapes.Axis]:
    """The windows of a layer over a map, down and across."""
    kernel, dilation, padding = (getattr(it.layer, n, 1) for n in ("kernel_size", "dilation", "padding"))
    return list(
        shapes._padded(shapes._axes(size if len(size) == 2 else (1, *size), kernel, 1, dilation), padding)
    )


def _dilated(it: Refusal, size: Shape) -> Diagnosis | None:
    """Of a kernel that would fit if its taps were side by side."""
    axes = _axes_of(it, size)
    tight = [axis for axis in axes if axis.room < 0]
    if not tight or any(axis._replace(dilation=1).room < 0 for axis in tight):
        return None
    axis = max(tight, key=lambda axis: axis.extent)
    cause = f"a kernel of {axis.kernel} with dilation {axis.dilation} spans {axis.extent} pixels"
    come = "the input is" if it.first else "the map that comes is"
    most = min((axis.size + axis.before + axis.after - 1) // (axis.kernel - 1) for axis in tight)
    mend = f"dilation={most} or less"
    if hasattr(it.layer, "in_channels"):
        mend = f"{it.written}(..., padding={axis.extent // 2}), which keeps the size, or {mend}"
    return f"{cause}, and {come} {size}", mend


def _no_variance(it: Refusal) -> Diagnosis | None:
    if "has no variance" not in it.reason and "to train on" not in it.reason:
        return None
    return (
        "one number a channel has no variance: the map has shrunk to a pixel, or the batch to an example",
        f"a larger batch, {it.name} before the pooling, or model.eval() to use a trained model",
    )


# ---- losses -----------------------------------------------------------------------------------------


def _labels(it: Refusal) -> Diagnosis | None:
    """What a loss was given as target."""
    if len(it.inputs) < 2 or not hasattr(it.layer, "reduction"):
        return None
    target = np.asarray(getattr(it.inputs[1], "data", it.inputs[1]))
    if "target holds" in it.reason:
        classes, low, high = it.given[1] if len(it.given) > 1 else it.given[0], target.min(), target.max()
        if low < 0:
            cause = f"{low} is no class; what does not count is marked by ignore_index"
            return cause, f"{it.written}(ignore_index={low})"
        if low == 1 and high == classes:
            return f"labels that count from 1, to {high}", "target - 1"
        return (
            f"labels go up to {high}, and {classes} scores came, of the classes 0 to {classes - 1}",
            f"{high + 1} outputs of the model's last layer",
        )
    if target.dtype.kind == "f" and "probabilities" in it.reason and target.ndim < len(it.given):
        return "labels came as floats, which stand for probabilities", "target.astype(np.int64)"
    if target.shape[:1] != it.given[:1]:
        return (
            f"{it.given[0]} predictions and {len(target) if target.ndim else 1} targets",
            "the same batch of both: loss(model(x[i]), y[i])",
        )
    if target.shape != it.given and target.size == math.prod(it.given):
        return "prediction and target have the same numbers in two shapes", f"target.reshape({it.given})"
    return None


SYMPTOMS: tuple[Callable[[Refusal], Diagnosis | None], ...] = (
    _labels,
    _dtype,
    _norm_of_images,
    _axes,
    _channels,
    _no_variance,
    _norms,
    _last_axes,
    _features,
    _pixels_of_channels,
    _cut_away,
    _too_small,
)
