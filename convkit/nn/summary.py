"""What a network is made of: shapes, parameters, multiply-adds, receptive fields, memory."""

from __future__ import annotations

import html
import json
import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np

from convkit import shapes
from convkit._checks import is_sequence, numbers_of
from convkit.nn.autograd import no_grad, watching
from convkit.nn.containers import ModuleList, Sequential
from convkit.nn.conv import Conv2d, ConvTranspose2d
from convkit.nn.diagnosis import is_ours
from convkit.nn.fields import Fields
from convkit.nn.linear import Linear
from convkit.nn.module import Module
from convkit.nn.norm import BatchNorm1d
from convkit.nn.operations import NAMES, Operations
from convkit.nn.pool import AdaptiveAvgPool2d
from convkit.nn.rules.arithmetic import add
from convkit.nn.tensor import Tensor
from convkit.nn.trace import (
    LayerError,
    Step,
    between,
    explained_between,
    linked,
    recorded,
    says,
    shape_after,
    takes_one_input,
    tensor_of,
)

Shape = tuple[int, ...]


@dataclass(frozen=True)
class Row:
    """One layer of a `Summary`."""

    name: str
    layer: str
    output_shape: Shape
    parameters: int
    macs: int
    receptive_field: Shape | None
    """(height, width) of the input that an output sees; None: no chain of windows of one size."""
    jump: Shape | None
    """Input pixels from one output to the next."""
    bytes: int
    """Of the output."""


MANY = 10_000_000
"""Parameters of one kind of layer that stand out, whatever else there is."""
HEADS = ("layer", "", "output shape", "parameters", "MACs", "receptive field", "jump", "memory")


@dataclass(frozen=True)
class Summary:
    """A table of a network's layers; `str` and notebooks show it, `to_json` gives it to programs."""

    rows: tuple[Row, ...]
    input_shape: Shape
    parameters: int
    trainable: int
    parameter_bytes: int
    remarks: tuple[str, ...] = ()
    """Parameters that are in no row, and why."""

    @property
    def macs(self) -> int:
        """Multiply-adds of a forward pass."""
        return sum(row.macs for row in self.rows)

    @property
    def bytes(self) -> int:
        """Of all outputs, which training keeps."""
        return sum(row.bytes for row in self.rows)

    @property
    def notes(self) -> list[str]:
        """What stands out: layers that hold most of the parameters, and what would take fewer; `remarks`."""
        return [*self._heavy(), *self.remarks]

    def _heavy(self) -> list[str]:
        by_kind: dict[str, list[Row]] = {}
        for row in self.rows:
            by_kind.setdefault(row.layer, []).append(row)
        largest = max(by_kind.values(), key=_parameters, default=[])
        held, share = _parameters(largest), _parameters(largest) / max(self.parameters, 1)
        least = 100_000 if len(self.rows) > 1 else MANY / 10
        if held < MANY and (held < least or share < 0.5):
            return []
        kind, beside = largest[0].layer, len(largest) - 1
        who = f"{largest[0].name}, {kind}," if largest[0].name else f"{kind}"
        who += f" and {beside} more like it hold" if beside else " holds"
        mend = "fewer channels, a smaller kernel, or nn.SeparableConv2d"
        if kind.startswith("Linear"):
            mend = "pool before it: nn.AdaptiveAvgPool2d(1)"
            if not any(len(row.output_shape) == 4 for row in self.rows):
                mend = "fewer features, or two layers with few between them"
        return [f"{who} {share:.0%} of the parameters: {mend}"]

    def cells(self) -> list[tuple[str, ...]]:
        """The table's body, as text."""
        return [
            (
                row.name,
                row.layer,
                "×".join(map(str, row.output_shape)) or "a number",
                f"{row.parameters:,}",
                f"{row.macs:,}",
                "–" if row.receptive_field is None else "×".join(map(str, row.receptive_field)),
                "–" if row.jump is None else "×".join(map(str, row.jump)),
                _size(row.bytes),
            )
            for row in self.rows
        ]

    def totals(self) -> str:
        """One line."""
        return (
            f"{self.parameters:,} parameters ({self.trainable:,} trainable, {_size(self.parameter_bytes)}), "
            f"{self.macs:,} MACs, outputs {_size(self.bytes)}"
        )

    def __str__(self) -> str:
        table = [HEADS, *self.cells()]
        widths = [max(len(line[i]) for line in table) for i in range(len(HEADS))]
        lines = [
            "  ".join(
                cell.ljust(w) if i < 3 else cell.rjust(w)
                for i, (cell, w) in enumerate(zip(line, widths, strict=True))
            )
            for line in table
        ]
        rule = "─" * len(lines[0])
        return "\n".join(
            [
                lines[0].rstrip(),
                rule,
                *(line.rstrip() for line in lines[1:]),
                rule,
                self.totals(),
                *self.notes,
            ]
        )

    def _repr_html_(self) -> str:
        head = "".join(f"<th>{html.escape(text)}</th>" for text in HEADS)
        body = "".join(
            "<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in line) + "</tr>"
            for line in self.cells()
        )
        tail = html.escape("; ".join([self.totals(), *self.notes]))
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table><p>{tail}</p>"

    def to_json(self) -> str:
        """As JSON."""
        return json.dumps({**asdict(self), "macs": self.macs, "bytes": self.bytes})


def summary(model: Module, input_shape: Sequence[int]) -> Summary:
    """A table of a network's layers, in the order in which they run.

    Zeros of `input_shape` are sent through the network once, in `eval` mode.

    Parameters
    ----------
    model : Module
    input_shape : tuple of int
        (B, C, H, W), or (C, H, W) for one image, or whatever the network takes: (B, C, L) or (C, L) along a
        line.

    Returns
    -------
    Summary
        For each layer its output's shape and bytes, its parameters, multiply-adds, receptive field and jump;
        a layer that runs again has its parameters in its first row. A convolution or a product that a
        `forward` computes itself has a row, too. `notes` tell of parameters that are in no row.

    Raises
    ------
    LayerError
        A layer refuses; tells the shapes up to it, the likely cause and what mends it.
    TypeError
        No model, or one whose `forward` takes more than one input.
    MemoryError
        The maps do not fit; `trace_shapes` needs none.

    Examples
    --------
    >>> from convkit import nn
    >>> model = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 8, 3, stride=2))
    >>> print(nn.summary(model, (3, 32, 32)))
    layer                          output shape  parameters     MACs  receptive field  jump    memory
    ─────────────────────────────────────────────────────────────────────────────────────────────────
    0      Conv2d(3, 8, k=3)       1×8×32×32            224  221,184              3×3   1×1  32.0 KiB
    1      ReLU                    1×8×32×32              0        0              3×3   1×1  32.0 KiB
    2      Conv2d(8, 8, k=3, s=2)  1×8×15×15            584  129,600              5×5   2×2   7.0 KiB
    ─────────────────────────────────────────────────────────────────────────────────────────────────
    808 parameters (808 trainable, 3.2 KiB), 350,784 MACs, outputs 71.0 KiB
    """
    if not isinstance(model, Module):
        raise TypeError(f"model is {type(model).__name__}; expected a convkit.nn.Module")
    given = numbers_of(input_shape, "input_shape", "(B, C, H, W), or (C, H, W) for one image")
    shape = _batched([model], given)
    takes_one_input(model)
    dtype = next((p.dtype for p in model.parameters()), np.dtype(np.float32))
    try:
        return _counted(model, shape, dtype)
    except MemoryError as error:
        raise MemoryError(
            f"input_shape is {given}: {error}; expected one whose maps fit into memory: "
            f"nn.trace_shapes(model, {given}) tells the shapes without them"
        ) from error


def _counted(model: Module, shape: Shape, dtype: Any) -> Summary:
    """The table of a model that is run on zeros."""
    start = Tensor(np.zeros(shape, dtype))
    table = _Table(Fields(start))
    removers = [remove for name, module in model.named_modules() for remove in table.hooks(name, module)]
    mode = model.training
    model.eval()
    token = watching.set(table.operation)
    try:
        with no_grad(), recorded():
            model(start)
    except LayerError:
        raise
    except ValueError as error:
        raise explained_between(error, model, shape) from error
    finally:
        watching.reset(token)
        model.train(mode)
        for remove in removers:
            remove()
    parameters = list(model.parameters())
    return Summary(
        tuple(table.rows),
        shape,
        sum(p.numel() for p in parameters),
        sum(p.numel() for p in parameters if p.requires_grad),
        sum(p.data.nbytes for p in parameters),
        tuple(table.untold(model)),
    )


def _parameters(rows: Sequence[Row]) -> int:
    return sum(row.parameters for row in rows)


class _Table:
    """The rows of a summary, gathered while a model runs: its layers, and operations between them."""

    def __init__(self, fields: Fields) -> None:
        self.rows: list[Row] = []
        self._fields, self._operations = fields, Operations()
        self._running: list[tuple[str, bool, int]] = []  # name, whether a layer, products before it
        self._told: set[int] = set()
        self._last: Any = None  # what the operation of the last row gave

    def hooks(self, name: str, module: Module) -> list[Callable[[], None]]:
        """Watch `module`."""
        layer = not any(module.children())

        def before(_module: Module, _inputs: Any) -> None:
            self._running.append((name, layer, self._operations.macs))

        def after(ran: Module, inputs: tuple[Any, ...], output: Any) -> None:
            *_, macs = self._running.pop()
            given = inputs[0] if inputs else None
            if layer:
                self._layer(name, ran, given, output, self._operations.macs - macs)
            elif output is None:
                tensor_of(ran, given, output)

        return [module.register_forward_pre_hook(before), module.register_forward_hook(after)]

    def _layer(self, name: str, module: Module, given: Any, output: Any, counted: int) -> None:
        tensor = tensor_of(module, given, output)
        field = self._fields.hand_on(module, given, tensor)
        own = list(module.parameters())
        new = self._new(own)
        again = ", again" if own and not new else ""
        macs = _macs(module, getattr(given, "shape", ()), tensor.shape) if is_ours(module) else counted
        size, jump = (None, None) if field is None else (field.size, field.jump)
        text, nbytes = _short(module) + again, int(tensor.data.nbytes)
        self.rows.append(Row(name, text, tensor.shape, new, macs, size, jump, nbytes))

    def operation(self, rule: Any, inputs: Sequence[Any], output: Tensor) -> None:
        """What a `forward` computes itself: a row, if it multiplies and adds as layers do."""
        macs = self._operations.seen(rule, inputs, output)
        name, layer, _ = self._running[-1] if self._running else ("", False, 0)
        if layer:
            return
        if macs:
            new = self._new(self._operations.parameters(inputs))
            row = Row(name, NAMES[rule], output.shape, new, macs, None, None, int(output.data.nbytes))
            self.rows.append(row)
            self._last = output
        elif rule is add and inputs[0] is self._last:  # its bias
            new = self._new(self._operations.parameters(inputs[1:]))
            self.rows[-1] = replace(self.rows[-1], parameters=self.rows[-1].parameters + new)

    def _new(self, parameters: Iterable[Any]) -> int:
        """How many numbers the parameters hold that no row has told."""
        new = {id(p): p for p in parameters if id(p) not in self._told}
        self._told |= set(new)
        return sum(p.numel() for p in new.values())

    def untold(self, model: Module) -> Iterator[str]:
        """What no row tells of the parameters."""
        for path, module in model.named_modules():
            own = {n: p for n, p in module.named_parameters(path, recurse=False) if id(p) not in self._told}
            count = self._new(own.values())
            if count and not any(module.children()):
                yield f"{path}, {_short(module)}: {count:,} parameters, did not run"
            elif count:
                yield f"{', '.join(own)}: {count:,} parameters, of no layer"


def batch_axes(layers: Iterable[Any]) -> int:
    """How many axes a batch has for the first layer that takes just so many; 4 where none does."""
    modules = (module for layer in layers if isinstance(layer, Module) for module in layer.modules())
    return next((max(m._axes) for m in modules if m._axes and not isinstance(m, BatchNorm1d)), 4)


def _batched(layers: Iterable[Any], shape: Shape) -> Shape:
    """`shape` with a batch of one before it, if it is that of a single example."""
    return (1, *shape) if len(shape) == batch_axes(layers) - 1 else shape


def _macs(module: Module, given: Shape, output: Shape) -> int:
    if isinstance(module, ConvTranspose2d):
        return math.prod(given) * math.prod(module.weight.shape[1:])
    if isinstance(module, Conv2d) or hasattr(module, "_weight"):
        weight = module.weight if isinstance(module, Conv2d) else module._weight
        return math.prod(output) * math.prod(weight.shape[1:])
    if isinstance(module, Linear):
        return math.prod(output) * module.in_features
    return 0


def _short(module: Module) -> str:
    name = type(module).__name__
    if isinstance(module, Conv2d):
        kernel, stride = (_one(getattr(module, n)) for n in ("kernel_size", "stride"))
        parts = [f"{module.in_channels}, {module.out_channels}, k={kernel}"]
        parts += [f"s={stride}"] * (stride != "1") + [f"d={_one(module.dilation)}"] * (
            module.dilation != (1, 1)
        )
        return f"{name}({', '.join(parts + [f'g={module.groups}'] * (module.groups > 1))})"
    if isinstance(module, Linear):
        return f"{name}({module.in_features}, {module.out_features})"
    return name


def _one(value: Sequence[int]) -> str:
    return str(value[0]) if len(set(value)) == 1 else "×".join(map(str, value))


def _size(count: int) -> str:
    for unit in ("B", "KiB", "MiB"):
        if count < 1024:
            return f"{count} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024  # type: ignore[assignment]
    return f"{count:.1f} GiB"


# ---- shapes, by arithmetic or by running ------------------------------------------------------------


class Traced(NamedTuple):
    """One step of `trace_shapes`."""

    layer: str
    given: Shape
    gave: Shape
    note: str
    """What made it smaller, or what it needs of an input."""


class ShapeTrace(list[Traced]):
    """Steps of `trace_shapes`; `str` shows them a line each."""

    def __str__(self) -> str:
        width = max((len(line) for step in self for line in step.layer.splitlines()), default=0)
        lines = []
        for step in self:
            *within, last = step.layer.splitlines()
            note = f"  ({step.note})" if step.note else ""
            lines += [*within, f"{last:{width}}  {step.given} -> {step.gave}{note}"]
        return "\n".join(lines)


def trace_shapes(layers: Any, size: Any) -> ShapeTrace:
    """The shape after each layer, before any is trained.

    Parameters
    ----------
    layers : Module, or iterable of Module, tuple or dict
        A model with a `forward` of your own is run on zeros, and its layers come as they ran. Tuples are
        (kernel, stride, dilation, padding), the last three optional, and dicts have those keys, as in
        `shapes.receptive_field`. Convkit's own modules tell their sizes by arithmetic: no array is made.
    size : int, (H, W), (C, H, W) or (B, C, H, W)
        Modules need channels; those along a line take (C, L) or (B, C, L). (C, H, W) is traced as one example
        of a batch; a layer that needs the batch axis, as `Flatten` does, is noted.

    Returns
    -------
    ShapeTrace
        A list of steps: layer, shape given, shape that it gave, and what made it smaller.

    Raises
    ------
    LayerError
        Nothing is left, or a layer does not take what comes: tells the shapes up to it, the likely cause and
        what mends it.
    TypeError
        Something that is no layer.

    Examples
    --------
    >>> from convkit import nn
    >>> print(nn.trace_shapes([(3, 1, 1, 1), (3, 2, 1, 1), (5,)], 32))
    kernel 3, stride 1, padding 1  (32,) -> (32,)
    kernel 3, stride 2, padding 1  (32,) -> (16,)  (stride 2)
    kernel 5, stride 1, padding 0  (16,) -> (12,)  (kernel 5 with padding 0 takes 4)
    """
    single_number = isinstance(size, (int, np.integer)) and not isinstance(size, bool)
    shape = numbers_of(
        (size,) if single_number else size, "size", "an integer, (H, W), (C, H, W) or (B, C, H, W)"
    )
    if isinstance(layers, Module):
        layers = list(layers.children()) if _is_chain(layers) else [layers]
        if len(layers) == 1 and any(layers[0].children()):
            return _as_it_ran(layers[0], shape)
    if isinstance(layers, str) or not isinstance(layers, Iterable):
        hint = ": viz.trace_steps reads text" if isinstance(layers, str) else ""
        raise TypeError(f"layers is {type(layers).__name__}; expected a model, or a list of layers{hint}")
    layers = list(layers)
    if len(shape) < 2 and any(
        m._axes for layer in layers if isinstance(layer, Module) for m in layer.modules()
    ):
        raise ValueError(f"size is {shape}; layers need channels: pass size=(C, H, W)")
    given = _batched(layers, shape) if any(isinstance(layer, Module) for layer in layers) else shape
    single = len(given) - len(shape)
    steps, needed = ShapeTrace(), False
    with recorded() as ran:
        for index, layer in enumerate(layers):
            if isinstance(layer, Module):
                gave, name, note = shape_after(layer, given), repr(layer), _taken(layer, given)
                if single and not needed and not _takes_one(layer, given, gave):
                    note, needed = BATCH, True
            else:
                _check_numbers(layer, index)
                gave, name, note = _sized(layer, index, given, ran)
                ran.append((name, given, gave))
            steps.append(Traced(name, given[single:], gave[single:], note))
            given = gave
    return steps


BATCH = "needs a batch axis: call the model with x[None]"


def _takes_one(layer: Module, given: Shape, gave: Shape) -> bool:
    """Whether `layer` does to an example without a batch axis what it does to a batch of one."""
    with recorded():
        try:
            return shape_after(layer, given[1:]) == gave[1:]
        except (ValueError, IndexError):
            return False


def _is_chain(module: Module) -> bool:
    """Whether `module` does what the modules within it do, one after the other."""
    return isinstance(module, ModuleList) or (isinstance(module, Sequential) and says(module, "_shape"))


def _as_it_ran(model: Module, shape: Shape) -> ShapeTrace:
    """The layers of `model` in the order in which they run, and what its `forward` does between them."""
    start = _batched([model], shape)
    single = len(start) - len(shape)
    with recorded() as ran:
        end = shape_after(model, start)
    steps = [
        Step("", start, start),
        *(Step(repr(layer), *shapes) for layer, *shapes in ran),
        Step("", end, end),
    ]
    notes = iter([_taken(layer, given) for layer, given, _ in ran])
    name = between(model)
    found = ShapeTrace()
    for step in linked(steps, name)[1:-1]:
        note = "" if step.layer == name else next(notes)
        found.append(Traced(step.layer, step.given[single:], (step.gave or ())[single:], note))
    if found and single and not _takes_one(model, start, end):
        found[-1] = found[-1]._replace(note=BATCH)
    return found


def _taken(layer: Any, shape: Shape) -> str:
    """What makes a map smaller, of a layer with windows."""
    if isinstance(layer, AdaptiveAvgPool2d):
        output = layer._shape(shape)
        return f"output_size {_one(output[-2:])}" if math.prod(output) < math.prod(shape) else ""
    windows = layer._windows(shape) if says(layer, "_windows") else None
    if not windows:
        return ""
    return _noted(windows if 4 in layer._axes else windows[-1:], getattr(layer, "ceil_mode", False))


def _check_numbers(layer: Any, index: int) -> None:
    """Refuse what is neither a layer nor the numbers of one."""
    if not isinstance(layer, Mapping) and not is_sequence(layer):
        mend = ': pass " | ".join(layers) to viz.trace_steps' if isinstance(layer, str) else ""
        raise TypeError(
            f"layers[{index}] is {layer!r}; expected a convkit.nn.Module, a tuple (kernel, stride, dilation, "
            f"padding) or a dict with those keys{mend}"
        )


def _sized(layer: Any, index: int, shape: Shape, ran: list[Any]) -> tuple[Shape, str, str]:
    """The shape after a layer that is numbers, what it is called, and what made it smaller."""
    kernel, stride, dilation, padding = shapes._layer(layer, f"layers[{index}]")
    name = (
        f"kernel {kernel}, stride {stride}, "
        + (f"dilation {dilation}, " if dilation > 1 else "")
        + f"padding {padding}"
    )
    lead, sizes = (shape[:-2], shape[-2:]) if len(shape) > 1 else ((), shape)
    try:
        output = tuple(
            shapes.conv2d_output(n, kernel, stride=stride, padding=padding, dilation=dilation) for n in sizes
        )
    except ValueError as error:
        missing = dilation * (kernel - 1) + 1 - min(sizes)
        raise LayerError(
            f"layers[{index}]: {error}",
            [*(Step(str(each), *shapes) for each, *shapes in ran), Step(name, shape, None)],
            "missing padding, or strides that halve the map too often before it",
            f"padding={max(-(-missing // 2), dilation * (kernel - 1) // 2)}, or a stride of 1 in an "
            f"earlier layer",
        ) from error
    return (
        (*lead, *output),
        name,
        _noted(shapes.Axis("", n, kernel, stride, dilation, padding, padding) for n in sizes),
    )


def _noted(windows: Iterable[shapes.Axis], ceil: bool = False) -> str:
    """What windows take, down and across."""
    notes = [_note(axis, ceil) for axis in windows]
    if len(set(notes)) == 1:
        return notes[0]
    return "; ".join(f"{way}: {note}" for way, note in zip(("down", "across"), notes, strict=True) if note)


def _note(axis: shapes.Axis, ceil: bool) -> str:
    taken = axis.extent - 1 - axis.before - axis.after
    padding = axis.before if axis.before == axis.after else f"{axis.before} and {axis.after}"
    parts = [f"kernel {axis.kernel} with padding {padding} takes {taken}"] * (
        (taken > 0 and axis.stride == 1) or taken > 1
    )
    left = axis.room % axis.stride - axis.after
    parts += [f"stride {axis.stride}"] * (axis.stride > 1) + [f"{left} left over"] * (left > 0 and not ceil)
    return ", ".join(parts)
