"""What a network looks at, and what it found."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from convkit._checks import Array, as_array, integer, maps, pair
from convkit.viz.display import false_colours
from convkit.viz.style import (
    DIVERGING,
    FAINT,
    LINE,
    ORANGE,
    axes_for,
    bare,
    described,
    draws,
    headed,
    missing,
    panels,
    quiet,
    titled,
    told,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike

# ---- feature maps -----------------------------------------------------------------------------------


@draws
def feature_maps(
    model: Any,
    image: ArrayLike,
    layer: Any,
    *,
    count: int = 16,
    columns: int | None = None,
    title: str | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw what a layer gives for an image, a map for each channel.

    Parameters
    ----------
    model : convkit.nn.Module
        Run in `eval` mode, and left in the mode that it was in.
    image : array_like, BCHW or CHW
        Floats as the model takes them, ``ck.to_bchw(photo, scale="unit")``; of a batch the first image is
        drawn. A photo as it was read, HWC, is refused by the model, with the line that mends it.
    layer : str or Module
        A name of ``model.named_modules()``, or the layer itself.
    count : int
        At most so many maps, the first ones.
    columns : int, optional
        Default: about a square.
    title : str, optional
        Default: the layer's name.
    figure : matplotlib Figure or SubFigure, optional
        Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure
        All maps on one scale: diverging where any is negative.

    Raises
    ------
    ValueError
        The layer is not the model's, did not run, or gives no maps.
    TypeError
        No model, or no image of floats.
    """
    name, module = _layer(_network(model), layer)
    array = as_array(image, "image")
    array = array.astype(_dtype(model), copy=False) if array.dtype.kind == "f" else array
    from convkit.nn.trace import tensor_of

    found: list[Any] = []
    remove = module.register_forward_hook(
        lambda ran, inputs, output: found.append(tensor_of(ran, inputs[0] if inputs else None, output))
    )
    try:
        _evaluated(model, array[None] if array.ndim == 3 else array)
    finally:
        remove()
    if not found:
        raise ValueError(f"layer {name!r} did not run; expected one that the model calls")
    output = np.asarray(getattr(found[-1], "data", found[-1]))
    if output.ndim != 4:
        raise ValueError(f"layer {name!r} gives shape {output.shape}; expected maps, BCHW: {_BEFORE}")
    tiles = output[0][: integer(count, "count", 1)].astype(np.float64)
    host = _tiles(tiles, columns, figure, [str(i) for i in range(len(tiles))])
    none = missing(tiles)
    heading = (
        title or f"layer {name}: {len(tiles)} of {output.shape[1]} maps, {output.shape[2]}×{output.shape[3]}"
    )
    headed(host, heading + none, 10.5, bold=False)
    return told(host, f"Feature maps of {heading}{none}")


_BEFORE = "pass a layer before those that flatten or pool the whole map, as print(model) names them"


def _layer(model: Any, layer: Any) -> tuple[str, Any]:
    modules = dict(model.named_modules())
    for name, module in modules.items():
        if module is layer or (isinstance(layer, str) and name == layer):
            return name or type(module).__name__, module
    names = [repr(name) for name in modules if name]
    text = f"layer is {layer!r}; expected a layer of the model, or its name"
    if not names:
        raise ValueError(f"{text}: this model has none within, pass layer=model")
    hint = f": pass {str(layer)!r}" if repr(str(layer)) in names else ""
    raise ValueError(f"{text}, one of {', '.join(names)}{hint}")


def _network(model: Any) -> Any:
    if not hasattr(model, "named_modules"):
        raise TypeError(f"model is {type(model).__name__}; expected a convkit.nn.Module")
    from convkit.nn.trace import takes_one_input

    takes_one_input(model)
    return model


def _dtype(model: Any) -> Any:
    return next((parameter.dtype for parameter in model.parameters()), np.dtype(np.float32))


def _evaluated(model: Any, array: Any) -> Any:
    mode = model.training
    model.eval()
    try:
        return model(array)
    finally:
        model.train(mode)


def _tiles(
    tiles: Array, columns: int | None, figure: Figure | SubFigure | None, names: list[str], style: Any = None
) -> Figure | SubFigure:
    """Tiles in rows, on one pair of axes: as many take seconds on axes of their own."""
    from matplotlib.collections import PatchCollection
    from matplotlib.patches import Rectangle

    across = math.ceil(math.sqrt(len(tiles))) if columns is None else integer(columns, "columns", 1)
    across = min(across, len(tiles))
    down = math.ceil(len(tiles) / across)
    tall = tiles.shape[1] / tiles.shape[2]  # of a tile that is 1 wide
    inches = 1.55 / max(1.0, tall)
    side, below = 0.15 / inches, 0.3 / inches
    width, height = across * (1 + side), down * (tall + below)
    (ax,) = panels(figure, 1, 1, max(inches * width, 2.6), inches * height + 0.45)
    _, shared = false_colours(tiles) if style is None else (None, style)
    places = [(i % across * (1 + side), i // across * (tall + below)) for i in range(len(tiles))]
    for (x, y), values, name in zip(places, tiles, names, strict=False):
        ax.imshow(values, interpolation="nearest", extent=(x, x + 1, y + tall, y), **shared)
        ax.text(x + 0.5, y + tall + below / 6, name, fontsize=8, color=FAINT, ha="center", va="top")
    frames = [Rectangle(place, 1, tall) for place in places]
    ax.add_collection(PatchCollection(frames, facecolor="none", edgecolor=LINE, linewidth=0.8))
    ax.set_xlim(-side / 2, width - side / 2)
    ax.set_ylim(height, -side / 4)
    bare(ax)
    return ax.figure


# ---- weights ----------------------------------------------------------------------------------------


@draws
def weights(
    layer: Any,
    *,
    count: int = 64,
    columns: int | None = None,
    title: str | None = None,
    figure: Figure | SubFigure | None = None,
) -> Figure:
    """Draw the kernels of a convolution: in colours where they see three channels, else one tile a channel.

    Parameters
    ----------
    layer : module with a `weight`, or array_like of shape (O, I, K, K)
        Those of a `ConvTranspose2d` are (I, O/groups, K, K).
    count : int
        At most so many tiles, the first ones; the title tells of how many.
    columns : int, optional
        Default: about a square.
    title : str, optional
    figure : matplotlib Figure or SubFigure, optional
        Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure
        Coloured kernels show 0 as gray; tiles share one diverging scale, and bear the numbers of output and
        input channel.

    Raises
    ------
    ValueError
        No weights of four axes.
    TypeError
        Nothing with weights, or no real numbers.

    Examples
    --------
    >>> import numpy as np
    >>> from convkit import viz
    >>> viz.alt_text(viz.weights(np.random.default_rng(0).standard_normal((8, 3, 5, 5))))
    'Weights: 8 kernels of 3×5×5'
    """
    given = getattr(layer, "weight", None)
    if given is None and hasattr(layer, "named_modules"):
        names = [
            name for name, module in layer.named_modules() if getattr(module, "weight", None) is not None
        ]
        hint = f": pass model.get_submodule({names[0]!r})" if names else ""
        raise TypeError(f"layer is {type(layer).__name__}, without weights; expected a convolution{hint}")
    given = layer if given is None else given
    array = as_array(given if isinstance(given, np.ndarray) else getattr(given, "data", given), "layer")
    if array.ndim != 4:
        raise ValueError(
            f"layer has weights of shape {array.shape}; expected (outputs, inputs, height, width): "
            f"pass {_as_kernels(array.ndim)}"
        )
    limit = float(np.abs(array).max(where=np.isfinite(array), initial=0)) or 1.0
    most = integer(count, "count", 1)
    array = _by_outputs(array, layer)
    text = f"{array.shape[0]} kernel{'s' * (array.shape[0] > 1)} of {'×'.join(map(str, array.shape[1:]))}"
    if array.shape[1] == 3:
        tiles = array.transpose(0, 2, 3, 1) / (2 * limit) + 0.5
        names, style = [str(i) for i in range(len(tiles))], {}
    else:
        tiles = array.reshape(-1, *array.shape[2:])
        per = array.shape[1]
        names = [f"{i // per}" if per == 1 else f"{i // per}, {i % per}" for i in range(len(tiles))]
        style = {"cmap": DIVERGING, "vmin": -limit, "vmax": limit}
    cut = f", {most} of {len(tiles)} tiles" if len(tiles) > most else ""
    cut += missing(array)
    host = _tiles(tiles[:most].astype(np.float64), columns, figure, names, style)
    headed(host, (title or text) + cut, 10.5, bold=False)
    return told(host, f"{title or 'Weights'}: {text}{cut}")


def _as_kernels(axes: int) -> str:
    """What draws weights that are no kernels of two axes."""
    if axes == 3:
        return "layer.weight.data[:, :, None], kernels of one row"
    return "a convolution, and those of a Linear to viz.show" if axes == 2 else "a convolution"


def _by_outputs(array: Array, layer: Any) -> Array:
    """Weights as (O, I/groups, K, K): a transposed convolution holds (I, O/groups, K, K)."""
    if not hasattr(layer, "output_padding"):
        return array
    inputs, per, *kernel = array.shape
    groups = getattr(layer, "groups", 1)
    grouped = array.reshape(groups, inputs // groups, per, *kernel).swapaxes(1, 2)
    return grouped.reshape(groups * per, inputs // groups, *kernel)


# ---- receptive field --------------------------------------------------------------------------------


@draws
def receptive_field(
    model: Any,
    image: ArrayLike,
    unit: tuple[int, int] | None = None,
    *,
    layer: Any = None,
    title: str | None = None,
    ax: Axes | None = None,
) -> Figure:
    """Draw what one unit of a map sees: the box that arithmetic gives, and the heat of the measured gradient.

    The box is that of `nn.summary`: of a chain of layers whose windows have one size. Behind a sum of
    branches, a transposed convolution, an adaptive pooling that does not divide the map or a norm over the
    whole map there is none; the title says so, and the heat alone tells what is seen.

    Parameters
    ----------
    model : convkit.nn.Module
        A chain of layers up to `layer`.
    image : array_like, CHW or BCHW
        As the model takes it; of a batch the first image.
    unit : (int, int), optional
        Row and column of the map. Default: its middle.
    layer : str or Module, optional
        Whose map. Default: the model's output.
    title : str, optional
    ax : matplotlib axes, optional
        Default: those of a new figure.

    Returns
    -------
    matplotlib.figure.Figure

    Raises
    ------
    ValueError
        No map of four axes, or a unit outside it.
    TypeError
        No model, or no image.

    References
    ----------
    W. Luo, Y. Li, R. Urtasun and R. Zemel, "Understanding the Effective Receptive Field in Deep Convolutional
    Neural Networks", 2016.
    """
    from convkit import nn

    name, module = ("output", _network(model)) if layer is None else _layer(_network(model), layer)
    array = as_array(image, "image")
    maps(array.shape, "image")
    batch = array[None] if array.ndim == 3 else array
    x = nn.Tensor(batch[:1].astype(_dtype(model)), requires_grad=True)
    output, field, ended = _watched(model, name, module, x)
    if len(output.shape) != 4:
        raise ValueError(f"layer {name!r} gives shape {output.shape}; expected a map, BCHW: {_BEFORE}")
    row, column = (n // 2 for n in output.shape[2:]) if unit is None else pair(unit, "unit", 0)
    if row >= output.shape[2] or column >= output.shape[3]:
        raise ValueError(f"unit is {unit}; expected a place of the {output.shape[2]}×{output.shape[3]} map")
    with _gradients_kept(model):
        output[0, :, row, column].sum().backward()
    gradient = np.asarray(getattr(x.grad, "data", x.grad)) if not isinstance(x.grad, np.ndarray) else x.grad
    heat = np.abs(gradient[0]).sum(axis=0)
    none = missing(gradient[0])
    heat = np.where(np.isfinite(heat), heat, 0)
    height, width = heat.shape
    axes = axes_for(ax, 5.2, min(max(5.2 * height / width, 1.2), 9) + 0.5)
    _heat(axes, batch[0], heat)
    said = f"unit ({row}, {column}) of {name}"
    if field is None:
        said += f": no box, as {ended} has no windows of one size"
    else:
        (down, across), (v, h) = field.size, field.jump
        _box(axes, field.start[1] + column * h, field.start[0] + row * v, across, down)
        said += f" sees {down}×{across} pixels"
    titled(axes, (title or said) + (f"{none} in its gradient" if none else ""))
    share = float((heat > 0.05 * (heat.max() or 1)).mean())
    return described(
        axes,
        f"{title or 'Receptive field'}: {said}{none}; "
        f"the gradient is above a twentieth of its peak on {100 * share:.1f} % of the image",
    )


@contextmanager
def _gradients_kept(model: Any) -> Iterator[None]:
    """What training has gathered in the parameters is afterwards as it was."""
    kept = [(parameter, parameter.grad) for parameter in model.parameters()]
    for parameter, _ in kept:
        parameter.grad = None
    try:
        yield
    finally:
        for parameter, gradient in kept:
            parameter.grad = gradient


def _watched(model: Any, name: str, module: Any, x: Any) -> tuple[Any, Any, str]:
    """The output of `module`, the field of its units (None: they have no one), and what ended it."""
    from convkit.nn.fields import Fields
    from convkit.nn.trace import tensor_of

    fields = Fields(x)
    found: list[Any] = []

    def watch(ran: Any, inputs: Any, output: Any) -> None:
        leaf = not any(ran.children())
        if not leaf and ran is not module:
            return
        given = inputs[0] if inputs else None
        tensor = tensor_of(ran, given, output)
        if leaf:
            fields.hand_on(ran, given, tensor)
        if ran is module and not found:
            found.append((tensor, fields.of(tensor), fields.ended))

    removers = [each.register_forward_hook(watch) for _, each in model.named_modules()]
    try:
        _evaluated(model, x)
    finally:
        for remove in removers:
            remove()
    if not found:
        raise ValueError(f"layer {name!r} did not run; expected one that the model calls")
    output, field, ended = found[0]
    return output, field, ended


def _heat(ax: Axes, planes: Array, heat: Array) -> None:
    gray = planes.mean(axis=0)
    ax.imshow(gray, cmap="gray", interpolation="nearest", alpha=0.75)
    ink = np.zeros((*heat.shape, 4))
    ink[..., :3] = (0.84, 0.37, 0.0)
    ink[..., 3] = np.sqrt(heat / (heat.max() or 1))
    ax.imshow(ink, interpolation="nearest")
    quiet(ax)


def _box(ax: Axes, x: int, y: int, width: int, height: int) -> None:
    from matplotlib.patches import Rectangle

    ax.add_patch(Rectangle((x - 0.5, y - 0.5), width, height, fill=False, edgecolor=ORANGE, lw=2.2))


# ---- training ---------------------------------------------------------------------------------------


@draws
def history(fit: Any, *, title: str | None = None, figure: Figure | SubFigure | None = None) -> Figure:
    """Draw the loss of each epoch, of training and of validation, and the metrics beside it.

    Parameters
    ----------
    fit : convkit.nn.History
        As `convkit.nn.fit` gives it.
    title : str, optional
    figure : matplotlib Figure or SubFigure, optional
        Default: a new one.

    Returns
    -------
    matplotlib.figure.Figure
        The loss on a logarithmic scale where it falls to a tenth; a dotted line at the best epoch.

    Raises
    ------
    ValueError
        No epoch was run.
    TypeError
        No history.
    """
    if not all(hasattr(fit, name) for name in ("loss", "validation_loss", "metrics", "best_epoch")):
        raise TypeError(
            f"fit is {type(fit).__name__}; expected what nn.fit gives: history = nn.fit(model, ...)"
        )
    if not fit.loss:
        raise ValueError("fit has no epochs; expected the result of convkit.nn.fit")
    count = 2 if fit.metrics else 1
    axes = panels(figure, 1, count, 4.8 * count, 3.4)
    losses = {"training": list(fit.loss), "validation": list(fit.validation_loss)}
    _curves(axes[0], {name: values for name, values in losses.items() if values}, "loss")
    every = np.array([*losses["training"], *losses["validation"]], np.float64)
    values = every[np.isfinite(every)]
    if values.size and values.min() > 0 and values.max() > 10 * values.min():
        axes[0].set_yscale("log")
    if len(fit.loss) > 1:
        axes[0].axvline(fit.best_epoch + 1, color=FAINT, lw=0.9, ls=":")
    if fit.metrics:
        _curves(axes[1], dict(fit.metrics), "metrics")
    host = axes[0].figure
    headed(axes[0].figure, title)
    none = missing(np.concatenate([every, *map(np.asarray, fit.metrics.values())]))
    went = {"the loss": fit.loss, **fit.metrics}
    told_of = ", ".join(
        f"{name} went from {values[0]:.3g} to {values[-1]:.3g}" for name, values in went.items()
    )
    return told(host, f"{title or 'Training'}: {told_of} in {len(fit.loss)} epochs{none}")


def _curves(ax: Axes, curves: dict[str, list[float]], label: str) -> None:
    """A line for each name, told apart by colour, mark and dashes."""
    from matplotlib.ticker import MaxNLocator

    from convkit.viz.style import BLUE, GREEN, INK, RED

    looks = [(BLUE, "o"), (ORANGE, "s"), (GREEN, "^"), (RED, "d"), (INK, "v")]
    dashes = ["-", "--", "-.", ":"]
    for i, (name, values) in enumerate(curves.items()):
        color, marker = looks[i % len(looks)]
        line = dashes[i % len(dashes)]  # 5 colours and 4 dashes: no two of 20 curves are alike
        epochs = np.arange(1, len(values) + 1)
        ax.plot(epochs, values, color=color, marker=marker, ls=line, ms=3.5, label=name)
        lost = epochs[~np.isfinite(values)]
        style: dict[str, Any] = {
            "color": color,
            "marker": "x",
            "ls": "",
            "transform": ax.get_xaxis_transform(),
        }
        if lost.size:
            ax.plot(lost, np.full(lost.shape, 0.04), **style)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    none = missing(np.concatenate([np.asarray(values) for values in curves.values()]))
    ax.set_xlabel(f"epoch{none and none + ': ×'}", color=FAINT, fontsize=9)
    ax.set_ylabel(label, color=FAINT, fontsize=9)
    ax.grid(color=LINE, lw=0.5)
    ax.legend(
        loc="lower center", bbox_to_anchor=(0.5, 1), ncols=min(len(curves), 3), frameon=False, fontsize=9
    )
