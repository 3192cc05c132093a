"""`conv2d` and its plans: check, choose the algorithm, pack the weights, call the kernel."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from convkit import _checks, _dispatch, shapes
from convkit._checks import Array, Pair
from convkit._options import current
from convkit.ops.choice import WORDS, Explanation, Question, decide, explain, workspace
from convkit.ops.epilogue import ACTIVATIONS, PLAIN, Activation, Epilogue, check_activation
from convkit.ops.problem import Layer, Problem
from convkit.shapes import Axis

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import ArrayLike

Algorithm = Literal[
    "auto", "direct", "autotune", "gemm", "broadcast", "depthwise", "winograd", "winograd_1d", "fft"
]
PaddingMode = Literal["zeros", "constant", "reflect", "replicate", "circular"]
Size = tuple[int, ...]
Padding = int | Pair | tuple[int, int, int, int] | Literal["same", "valid"]

PADDING_BORDERS = {
    "zeros": "constant",
    "constant": "constant",
    "reflect": "reflect",
    "replicate": "edge",
    "circular": "wrap",
}


class Conv2dPlan:
    """A convolution with its weights packed, to be called many times and from many threads.

    Made by `conv2d_plan`. Weights and bias are copied: later changes to the arrays do not reach the plan.

    Attributes
    ----------
    algorithm : str
        The algorithm that the plan runs.
    activation : str or None
        What it applies to the sums.
    input_shape : tuple of int
        BCHW, or CHW where the plan was made for CHW.
    output_shape : tuple of int
        In the same layout.
    dtype : numpy.dtype
        float32 or float64, of input, weights and output.
    """

    __slots__ = (
        "_conv",
        "_epilogue",
        "_measured",
        "_num_threads",
        "_question",
        "algorithm",
        "dtype",
        "input_shape",
        "output_shape",
    )

    def __init__(
        self,
        question: Question,
        layer: Layer,
        input_shape: tuple[int, ...],
        num_threads: int | None,
        epilogue: Epilogue,
    ) -> None:
        problem = question.problem
        self.algorithm, self._conv, self._measured = decide(question, layer, num_threads)
        self.dtype = layer.weight_gockk.dtype
        self.input_shape = input_shape
        self.output_shape = problem.output_shape[-len(input_shape) :]
        self._question, self._num_threads, self._epilogue = question, num_threads, epilogue

    def __call__(
        self,
        x: ArrayLike,
        out: Array | None = None,
        residual: ArrayLike | None = None,
        *,
        num_threads: int | None = None,
    ) -> Array:
        """Convolve `x`.

        Parameters
        ----------
        x : array_like
            Of the plan's `input_shape` (another batch size is taken too) and `dtype`; any strides.
        out : ndarray, optional
            Written and returned; of the output's shape and dtype, not overlapping `x`.
        residual : array_like, optional
            As in `conv2d`.
        num_threads : int, optional
            As in `conv2d`; unset, the plan's own.

        Returns
        -------
        ndarray
            Of `output_shape`, with `x`'s batch size.

        Raises
        ------
        TypeError, ValueError
            `x`, `out` or `residual` does not fit the plan.
        """
        x_array = _checks.as_array(x, "x", self.dtype)
        if x_array.dtype != self.dtype:
            raise TypeError(
                f"x has dtype {x_array.dtype}; the plan was made for {self.dtype}: "
                f"pass x.astype(np.{self.dtype})"
            )
        shape = self.output_shape if x_array.shape == self.input_shape else self._shape_of(x_array.shape)
        added = None if residual is None else _checks.residual(residual, shape, self.dtype)
        y = _checks.output(out, shape, self.dtype, x_array, residual=added)
        self.run(x_array, y, added, num_threads)
        return y

    def _shape_of(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The output's for an input of another batch size."""
        if len(shape) != len(self.input_shape) or shape[-3:] != self.input_shape[-3:]:
            raise ValueError(f"x has shape {shape}; the plan was made for {self.input_shape}")
        return (*shape[:-3], *self.output_shape[-3:])

    def run(self, x: Array, y: Array, residual: Array | None, num_threads: int | None = None) -> None:
        """`__call__` for arrays that are already checked."""
        if x.ndim == 3:
            x, y, residual = x[None], y[None], None if residual is None else residual[None]
        threads = self._num_threads if num_threads is None else num_threads
        epilogue = self._epilogue if residual is None else self._epilogue.adding(residual, y)
        self._conv.run(x, y, threads, epilogue)

    @property
    def activation(self) -> str | None:
        """The activation's name, None where there is none."""
        return ACTIVATIONS[self._epilogue.activation]

    @property
    def workspace(self) -> int:
        """Bytes of scratch that a call takes for each of its threads."""
        return workspace(self._question, self.algorithm, self._num_threads)

    def explain(self) -> Explanation:
        """Why the plan runs its `algorithm`.

        Returns
        -------
        Explanation
            A tuple of a `Candidate` for each algorithm, the one that is taken first, with the time that was
            predicted or, with ``algorithm="autotune"``, measured for it, its scratch, and why it could not be
            taken. Prints as a table.

        Examples
        --------
        >>> import convkit as ck, numpy as np
        >>> plan = ck.conv2d_plan(np.ones((64, 64, 3, 3), np.float32), input_shape=(1, 64, 56, 56))
        >>> plan.explain()[0].algorithm
        'winograd'
        """
        return explain(self._question, self.algorithm, self._measured, self._num_threads)

    def __copy__(self) -> Conv2dPlan:
        return self  # nothing in it changes

    def __deepcopy__(self, memo: object) -> Conv2dPlan:
        return self

    def __reduce__(self) -> str:
        raise TypeError(
            "a plan holds weights packed for this machine; pickle the weights, and call ck.conv2d_plan"
        )

    def __repr__(self) -> str:
        activation = f", {self.activation}" if self.activation else ""
        sizes = f"{self.input_shape} -> {self.output_shape}"
        return f"<Conv2dPlan {sizes} {self.dtype}, {self.algorithm}{activation}>"


def conv2d(
    input: ArrayLike,
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    *,
    padding_mode: PaddingMode = "zeros",
    cval: float = 0.0,
    activation: Activation | None = None,
    negative_slope: float | None = None,
    residual: ArrayLike | None = None,
    out: Array | None = None,
    algorithm: Algorithm = "auto",
    num_threads: int | None = None,
) -> Array:
    """2-D convolution as neural networks mean it: a correlation, the kernel is not flipped.

    ``y[b, o, i, j] = bias[o] + Σ weight[o, c, r, s] · x[b, c, u, v]``, the sum over o's group of channels c
    and the kernel's rows r and columns s, with ``u = i·stride + r·dilation - top`` and
    ``v = j·stride + s·dilation - left``.

    Parameters
    ----------
    input : array_like, (B, C, H, W) or (C, H, W)
        float32 or float64, any strides, read only. Lists, Pillow images, and whatever offers
        ``__array_interface__`` or DLPack on the CPU are taken as arrays.
    weight : array_like, (O, C / groups, kh, kw)
        Of `input`'s dtype.
    bias : array_like, (O,), optional
    stride : int or (vertical, horizontal), at least 1
    padding : int, (vertical, horizontal), (top, bottom, left, right), "same" or "valid"
        Pixels added on each side, at least 0. "valid" is 0. "same" gives ceil(H / stride) rows, and columns
        likewise, with the odd pixel at the bottom and right (TensorFlow's rule, for any stride).
    dilation : int or (vertical, horizontal), at least 1
    groups : int
        Divides C and O; group g's outputs see group g's channels alone. ``groups == C`` is depthwise.
    padding_mode : {"zeros", "constant", "reflect", "replicate", "circular"}
        What padded pixels hold: 0, `cval`, or the image mirrored without its edge pixel, its edge pixel
        repeated, the image repeated. Padding may exceed the image.
    cval : float
        For ``padding_mode="constant"``.
    activation : {"relu", "relu6", "leaky_relu", "silu", "gelu", "hardswish", "sigmoid"}, optional
        Applied to the sum, bias and `residual` included, before it is written; the formulas are in the Notes.
    negative_slope : float, optional
        Of "leaky_relu"; unset, 0.01.
    residual : array_like, optional
        Added before the activation; of the output's shape and dtype, any strides. It may be `out`, which then
        is added to in place.
    out : ndarray, optional
        Written and returned; of the output's shape and dtype, not overlapping the inputs.
    algorithm : str
        "gemm", "broadcast" (for maps of few pixels) and "depthwise" (groups of up to 32 channels) sum every
        product as written, and "direct" takes the fastest of them; "winograd" (3×3, stride 1 or 2),
        "winograd_1d" (kernels of 2 to 7 rows for each of the stride's, few channels too) and "fft" (for large
        kernels) make fewer products, with the wider error bound of the Notes. "auto" takes the one that is
        predicted to be the fastest, the preparation of the weights included, for one image: a batch gives
        the bits of its images. "autotune" measures them, in a few milliseconds, the first time that the
        process sees these sizes. Neither takes one with a wider bound for float64 or under
        ``options(precision="exact")``.
    num_threads : int, optional
        At most so many; unset, `options`, ``CONVKIT_NUM_THREADS``, ``OMP_NUM_THREADS`` or the processors that
        the process may use. The result's bits do not depend on it.

    Returns
    -------
    ndarray, (B, O, H', W') or (O, H', W')
        Of `input`'s dtype; ``H' = floor((H + top + bottom - dilation·(kh - 1) - 1) / stride) + 1``.

    Raises
    ------
    TypeError
        An array is None, not numeric, or of another dtype than `input`.
    ValueError
        Shapes that do not fit, an output without pixels, an `out` that cannot take the result, an `algorithm`
        that cannot compute it.

    See Also
    --------
    conv2d_plan : the same with the weights packed once.

    Notes
    -----
    In float32, ``|y - exact| ≤ γₙ · (|x| ⊛ |w| + |bias|)`` with ``γₙ = n·u / (1 - n·u)``, ``u = 2⁻²⁴`` and n
    the number of products and the bias (Higham, *Accuracy and Stability of Numerical Algorithms*, 2002,
    §3.1); integers whose sums stay below 2²⁴ come out exact. Winograd's algorithm instead errs by up to
    2e-6 of the largest ``|x| ⊛ |w| + |bias|`` (1e-14 in float64), and a few times more where numbers of very
    different size meet in one tile; integers are not exact, and a NaN or Inf reaches the whole 4×4 tile of
    outputs whose 6×6 pixels (9×9 with stride 2) it is among; with "winograd_1d", the up to 7 outputs of a
    column that are computed together. Fourier transforms keep to the same bound; a
    NaN or Inf reaches all outputs of its tile, up to the whole map.

    With an `activation` f and a `residual`, ``y = f(conv + bias + residual)``: "relu" max(0, x); "relu6"
    min(max(0, x), 6); "leaky_relu" x where x > 0, else negative_slope·x (Maas et al., 2013); "sigmoid"
    1 / (1 + e⁻ˣ); "silu" x / (1 + e⁻ˣ) (Elfwing et al., 2018); "gelu" x·(1 + erf(x/√2)) / 2 (Hendrycks and
    Gimpel, 2016); "hardswish" x·min(max(x + 3, 0), 6) / 6 (Howard et al., *Searching for MobileNetV3*,
    2019). "sigmoid", "silu" and "hardswish" are within 4 units in the last place of f, "gelu" within
    3e-7·max(1, |x|) (1e-15 in float64); what is smaller than 1e-35 (1e-304) may come out as 0. NaN gives NaN,
    and ±Inf the limit of f.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> x = np.arange(9, dtype=np.float32).reshape(1, 1, 3, 3)
    >>> ck.conv2d(x, np.ones((1, 1, 3, 3), np.float32), padding=1)[0, 0]
    array([[ 8., 15., 12.],
           [21., 36., 27.],
           [20., 33., 24.]], dtype=float32)
    """
    arrays = {"input": input, "weight": weight} | ({} if bias is None else {"bias": bias})
    x, w, *rest = _checks.float_arrays(**arrays)
    b = rest[0] if rest else None
    sizes = sizes_of(x.shape, w.shape, rest[0].shape if rest else None, stride, padding, dilation, groups)
    border, cval = check_border(padding_mode, cval, x.dtype)
    _checks.choice(algorithm, "algorithm", WORDS)
    epilogue = check_activation(activation, negative_slope, x.dtype)
    added = _checks.residual(residual, sizes.output, x.dtype)
    y = _checks.output(out, sizes.output, x.dtype, x, w, *rest, residual=added)
    x_bchw, y_bchw = (a if a.ndim == 4 else a[None] for a in (x, y))
    if added is not None:
        epilogue = epilogue.adding(added if added.ndim == 4 else added[None], y_bchw)
    layer = Layer(in_groups(w, sizes.groups), b, border, cval)
    write_conv(x_bchw, layer, y_bchw, sizes.axes, algorithm, num_threads, epilogue)
    return y


class Sizes(NamedTuple):
    """What follows from the shapes and the arguments of a convolution."""

    groups: int
    axes: tuple[Axis, Axis]
    output: Size


def sizes_of(
    input: Size, weight: Size, bias: Size | None, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Sizes:
    """The sizes of a convolution of these shapes; remembered where it was asked for in plain numbers."""
    if is_plain(stride) and is_plain(padding) and is_plain(dilation) and type(groups) is int:
        return _remembered_sizes(input, weight, bias, stride, padding, dilation, groups)
    return _sizes(input, weight, bias, stride, padding, dilation, groups)


def _sizes(
    input: Size, weight: Size, bias: Size | None, stride: Any, padding: Any, dilation: Any, groups: Any
) -> Sizes:
    channels, groups = check_weight(weight, bias, groups)
    if len(input) in (3, 4) and input[-1] != channels:  # channels last: `channels_first` says so
        check_groups(input[-3], groups)
    _checks.channels_first(input, "input", channels)
    axes = axes_of(input[-2:], weight[2:], stride, padding, dilation)
    return Sizes(groups, axes, (*input[:-3], weight[0], axes[0].output, axes[1].output))


_remembered_sizes = lru_cache(maxsize=1024)(_sizes)


def in_groups(weight: Array, groups: int) -> Array:
    """[group][output][channel][row][column]."""
    return weight.reshape(groups, weight.shape[0] // groups, *weight.shape[1:])


def write_conv(
    x: Array,
    layer: Layer,
    y: Array,
    axes: tuple[Axis, Axis],
    algorithm: str,
    num_threads: int | None,
    epilogue: Epilogue = PLAIN,
    images: int = 1,
) -> None:
    """Choose the algorithm, as for so many `images`, and write the convolution of a batch."""
    groups, outputs, channels = layer.weight_gockk.shape[:3]
    problem = Problem(images, groups, outputs, channels, *axes, y.itemsize)
    decision = decide(ask(problem, algorithm, once=True), layer, num_threads)
    decision.convolution.run(x, y, num_threads, epilogue)


def conv2d_plan(
    weight: ArrayLike,
    bias: ArrayLike | None = None,
    *,
    input_shape: tuple[int, ...],
    stride: int | Pair = 1,
    padding: Padding = 0,
    dilation: int | Pair = 1,
    groups: int = 1,
    padding_mode: PaddingMode = "zeros",
    cval: float = 0.0,
    activation: Activation | None = None,
    negative_slope: float | None = None,
    algorithm: Algorithm = "auto",
    num_threads: int | None = None,
) -> Conv2dPlan:
    """Check a convolution and pack its weights once; the plan is then called with inputs alone.

    Parameters
    ----------
    weight, bias, stride, padding, dilation, groups, padding_mode, cval
        As in `conv2d`; `weight`'s dtype is the plan's.
    activation, negative_slope, algorithm, num_threads
        As in `conv2d`. `algorithm`, and the size of Winograd's tiles, are chosen for the batch of
        `input_shape`, without the preparation of the weights.
    input_shape : tuple of int
        BCHW or CHW.

    Returns
    -------
    Conv2dPlan
        ``plan(x, out=None, residual=None)``, with `algorithm`, `activation`, `input_shape`, `output_shape`,
        `dtype`, `workspace` and `explain`.

    Raises
    ------
    TypeError, ValueError
        As `conv2d`.

    Examples
    --------
    >>> import convkit as ck, numpy as np
    >>> weight = np.ones((8, 3, 3, 3), np.float32)
    >>> plan = ck.conv2d_plan(weight, input_shape=(1, 3, 32, 32), padding=1, stride=2)
    >>> plan.output_shape, round(float(plan(np.ones((1, 3, 32, 32), np.float32)).max()), 4)
    ((1, 8, 16, 16), 27.0)
    """
    arrays = {"weight": weight} | ({} if bias is None else {"bias": bias})
    w, *rest = _checks.float_arrays(**arrays)
    b = rest[0] if rest else None
    channels, groups = check_weight(w.shape, None if b is None else b.shape, groups)
    if not _checks.is_sequence(input_shape):
        raise TypeError(f"input_shape is {input_shape!r}; expected (B, C, H, W) or (C, H, W)")
    shape = tuple(_checks.integer(n, "input_shape", 1) for n in input_shape)
    if len(shape) not in (3, 4) or shape[-3] != channels:
        raise ValueError(f"input_shape is {shape}; expected (B, {channels}, H, W) or ({channels}, H, W)")
    vertical, horizontal = axes_of(shape[-2:], w.shape[2:], stride, padding, dilation)
    border, cval = check_border(padding_mode, cval, w.dtype)
    _checks.choice(algorithm, "algorithm", WORDS)
    epilogue = check_activation(activation, negative_slope, w.dtype)
    if num_threads is not None:
        num_threads = _checks.thread_count(num_threads)
    _checks.checked_size((*shape[:-3], w.shape[0], vertical.output, horizontal.output), w.itemsize)
    images = shape[0] if len(shape) == 4 else 1
    problem = Problem(images, groups, w.shape[0] // groups, w.shape[1], vertical, horizontal, w.itemsize)
    layer = Layer(in_groups(w, groups), b, border, cval)
    return Conv2dPlan(ask(problem, algorithm, once=False), layer, shape, num_threads, epilogue)


def ask(problem: Problem, algorithm: str, once: bool) -> Question:
    """The question of the algorithm, under the options in force."""
    exact = current.get().precision == "exact"
    return Question(problem, algorithm, exact, once, _dispatch.native().isa)


# ---- the arguments of a convolution --------------------------------------------------------------------


def axes_of(size: Size, kernel: Size, stride: Any, padding: Any, dilation: Any) -> tuple[Axis, Axis]:
    """Both axes of a convolution; remembered where it was asked for in plain numbers, as it usually is."""
    if is_plain(stride) and is_plain(padding) and is_plain(dilation):
        return _remembered_axes(size, kernel, stride, padding, dilation)
    vertical, horizontal = shapes.conv_axes(size, kernel, stride, padding, dilation)
    return vertical, horizontal


def is_plain(value: Any) -> bool:
    """Whether `value` is an int or a tuple of them, and no number that merely equals one."""
    return type(value) is int or (type(value) is tuple and all(type(n) is int for n in value))


@lru_cache(maxsize=1024)
def _remembered_axes(size: Size, kernel: Size, stride: Any, padding: Any, dilation: Any) -> tuple[Axis, Axis]:
    vertical, horizontal = shapes.conv_axes(size, kernel, stride, padding, dilation)
    return vertical, horizontal


def check_weight(weight: Size, bias: Size | None, groups: Any) -> tuple[int, int]:
    """The input channels that a `weight` of this shape expects, and `groups`."""
    if len(weight) != 4:
        raise ValueError(f"weight has shape {weight}; expected (O, C / groups, kh, kw)")
    groups = _checks.integer(groups, "groups", 1)
    if weight[0] % groups:
        raise ValueError(
            f"groups is {groups}, which does not divide the weight's {weight[0]} output channels"
        )
    check_bias(bias, weight[0])
    return weight[1] * groups, groups


def check_groups(channels: int, groups: int) -> None:
    """Refuse `groups` that do not divide the input's channels."""
    if channels % groups:
        raise ValueError(f"groups is {groups}, which does not divide the input's {channels} channels")


def check_bias(bias: Size | None, outputs: int) -> None:
    """Refuse the shape of a bias that is not one number for each output channel."""
    if bias is not None and bias != (outputs,):
        raise ValueError(f"bias has shape {bias}; expected ({outputs},), one number per output channel")


def check_border(padding_mode: str, cval: float, dtype: np.dtype[Any]) -> tuple[str, float]:
    """`numpy.pad`'s name of the border, and the number, of `dtype`, that a constant one holds."""
    _checks.choice(padding_mode, "padding_mode", tuple(PADDING_BORDERS))
    number = _checks.fill_value(cval, dtype)
    if number != 0 and padding_mode != "constant":
        raise ValueError(f"cval is {cval} with padding_mode={padding_mode!r}; pass padding_mode='constant'")
    return PADDING_BORDERS[padding_mode], number
