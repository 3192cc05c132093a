"""Which algorithm computes a convolution: predicted from the table of costs, measured, or asked for."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple, Protocol

import numpy as np

from convkit import _dispatch
from convkit._checks import Array
from convkit._threads import threads_for
from convkit.ops import broadcast, depthwise, fft, taps, winograd, winograd_1d
from convkit.ops.costs import Work, predicted
from convkit.ops.epilogue import PLAIN, Epilogue
from convkit.ops.prepared import Prepared
from convkit.ops.problem import Layer, Problem


class Convolution(Protocol):
    """Weights prepared for an algorithm."""

    def run(
        self, x_bchw: Array, y_bchw: Array, num_threads: int | None = None, epilogue: Epilogue = PLAIN
    ) -> None:
        """Write the convolution of `x_bchw` to `y_bchw`, whose shapes are already checked."""


class Algorithm(Protocol):
    """What the modules of the algorithms offer."""

    def refusal(self, problem: Problem) -> str | None:
        """Why it cannot compute a convolution of these sizes; None where it can."""

    def work(self, problem: Problem, lanes: int) -> Work:
        """Its steps, on vectors of `lanes` elements."""

    def workspace(self, problem: Problem, num_threads: int) -> int:
        """Bytes of scratch for each thread."""

    def prepare(self, problem: Problem, layer: Layer, num_threads: int | None) -> Convolution:
        """Pack or transform the weights."""


ALGORITHMS: dict[str, Algorithm] = {
    "gemm": taps,
    "broadcast": broadcast,
    "depthwise": depthwise,
    "winograd": winograd,
    "winograd_1d": winograd_1d,
    "fft": fft,
}
WORDS = ("auto", "direct", *ALGORITHMS, "autotune")
LARGE = 1 << 62  # multiply-adds
WORK_OF_MILLISECOND = 70e6
"""Multiply-adds: a second thread is started for what takes 14 µs on one."""
WIDER_BOUND = ("winograd", "winograd_1d", "fft")
"""Those whose error has a wider bound: they are taken where they gain at least a tenth of the time."""


class Question(NamedTuple):
    """A convolution, and what is asked of its algorithm."""

    problem: Problem
    asked: str
    exact: bool
    once: bool  # the weights are prepared for one call, which counts
    isa: str


def objection(question: Question, algorithm: str) -> str | None:
    """Why `algorithm` is not taken into account; None where it is."""
    asked = question.asked
    if refused := ALGORITHMS[algorithm].refusal(question.problem):
        return f"with {refused}"
    if asked in ALGORITHMS and asked != algorithm:
        return f"with algorithm={asked!r}"
    if algorithm in WIDER_BOUND:
        if question.exact:
            return "under precision='exact', which allows direct summation only"
        if asked == "direct":
            return "with algorithm='direct', which sums every product"
        if asked != algorithm and question.problem.itemsize == 8:
            return "in float64 unless it is asked for: its error bound is wider"
    return None


class Choice(NamedTuple):
    """An algorithm, and the milliseconds that a call is expected to take on one thread."""

    algorithm: str
    call: float


@lru_cache(maxsize=1024)
def choose(question: Question) -> Choice:
    """The algorithm that was asked for, or the one that is predicted to be the fastest."""
    if question.asked in ALGORITHMS:
        if told := objection(question, question.asked):
            raise ValueError(f"algorithm is {question.asked!r} {told}: pass algorithm='auto'")
        name = question.asked
    else:
        allowed = (name for name in ALGORITHMS if objection(question, name) is None)
        name = fastest({name: forecast(question, name) for name in allowed})
    return Choice(name, forecast(question._replace(once=False), name))


def fastest(times: dict[str, float]) -> str:
    """The algorithm of the least time; one of a wider error bound must be a tenth faster."""
    return min(times, key=lambda name: times[name] / (0.9 if name in WIDER_BOUND else 1))


def forecast(question: Question, algorithm: str) -> float:
    """Predicted milliseconds on one thread."""
    problem = question.problem
    kernels = _dispatch.load(question.isa).family("kernels", f"f{problem.itemsize}")
    work = ALGORITHMS[algorithm].work(problem, kernels.VECTOR_LANES)
    preparation, call = predicted(work, algorithm, question.isa, problem.itemsize)
    return preparation + call if question.once else call


# ---- measured ------------------------------------------------------------------------------------------

ROUNDS = 5
ROUND_SECONDS = 1e-3
HOPELESS = 5.0
"""Algorithms that are predicted to take so many times as long as the fastest are not measured."""

_measured: dict[tuple[Question, str, int], dict[str, float]] = {}


def measure(question: Question, layer: Layer, num_threads: int | None) -> dict[str, float]:
    """Milliseconds of each algorithm that may be taken; measured once in the process for these sizes."""
    threads = threads_for(LARGE, num_threads)
    key = question, layer.border, threads
    if key not in _measured:
        _measured[key] = _measure(question, layer, threads)
    return _measured[key]


def _measure(question: Question, layer: Layer, threads: int) -> dict[str, float]:
    forecasts = {name: forecast(question, name) for name in ALGORITHMS if objection(question, name) is None}
    most = HOPELESS * min(forecasts.values())
    calls = {
        name: _call(question, name, layer, threads)
        for name, milliseconds in forecasts.items()
        if milliseconds <= most
    }
    best = {name: float("inf") for name in calls}
    for _ in range(ROUNDS):
        for name, call in calls.items():
            best[name] = min(best[name], _milliseconds(call))
    return best


def _call(question: Question, algorithm: str, layer: Layer, threads: int) -> Callable[[], None]:
    problem, module = question.problem, ALGORITHMS[algorithm]
    x, y = (np.ones(shape, layer.weight_gockk.dtype) for shape in (problem.input_shape, problem.output_shape))
    if question.once:
        return lambda: module.prepare(problem, layer, threads).run(x, y, threads)
    convolution = module.prepare(problem, layer, threads)
    return lambda: convolution.run(x, y, threads)


def _milliseconds(call: Callable[[], None]) -> float:
    """Of one call, over about `ROUND_SECONDS`."""
    calls, start = 0, time.perf_counter()
    while calls == 0 or time.perf_counter() < start + ROUND_SECONDS:
        call()
        calls += 1
    return (time.perf_counter() - start) / calls * 1e3


class Decision(NamedTuple):
    """The algorithm that was taken, weights prepared for it, and the milliseconds measured for each."""

    algorithm: str
    convolution: Convolution
    measured: dict[str, float]


def decide(question: Question, layer: Layer, num_threads: int | None) -> Decision:
    """Take an algorithm, as asked, and prepare the weights for it."""
    measured: dict[str, float] = {}
    if question.asked == "autotune":
        measured = measure(question, layer, num_threads)
        question = question._replace(asked=fastest(measured))
    name, call = choose(question)
    convolution = ALGORITHMS[name].prepare(question.problem, layer, num_threads)
    if isinstance(convolution, Prepared):  # Fourier transforms take longer than any thread's start
        convolution.image_work = call / question.problem.images * WORK_OF_MILLISECOND
    return Decision(name, convolution, measured)


# ---- told ----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Candidate:
    """An algorithm, as `Conv2dPlan.explain` tells of it.

    Attributes
    ----------
    algorithm : str
    taken : bool
        Whether the plan runs it.
    objection : str or None
        Why it could not be taken.
    predicted : float or None
        Milliseconds of a call on one thread, by the table of costs.
    measured : float or None
        Milliseconds of a call, where ``algorithm="autotune"`` measured them.
    workspace : int or None
        Bytes of scratch for each thread.
    """

    algorithm: str
    taken: bool
    objection: str | None
    predicted: float | None = None
    measured: float | None = None
    workspace: int | None = None

    def __str__(self) -> str:
        columns = [f"{self.algorithm:<10}"]
        for number, unit, scale in (
            (self.predicted, "ms", 1),
            (self.measured, "ms", 1),
            (self.workspace, "MB", 1e-6),
        ):
            columns.append(f"{number * scale:9.3f} {unit}" if number is not None else f"{'–':>9}   ")
        said = "taken" if self.taken else f"not {self.objection}" if self.objection else ""
        return "  ".join([*columns, said]).rstrip()


class Explanation(tuple[Candidate, ...]):
    """The algorithms that could compute a convolution, the one that is taken first; prints as a table."""

    __slots__ = ()

    def __str__(self) -> str:
        heads = f"{'algorithm':<10}  {'predicted':>12}  {'measured':>12}  {'workspace':>12}"
        return "\n".join([heads, *map(str, self)])

    __repr__ = __str__


def workspace(question: Question, algorithm: str, num_threads: int | None) -> int:
    """Bytes of scratch for each of the threads that a large call would take."""
    return ALGORITHMS[algorithm].workspace(question.problem, threads_for(LARGE, num_threads))


def explain(
    question: Question, taken: str, measured: dict[str, float], num_threads: int | None
) -> Explanation:
    """Why `taken` was."""

    def candidate(name: str) -> Candidate:
        told = objection(question, name)
        if ALGORITHMS[name].refusal(question.problem):
            return Candidate(name, False, told)
        return Candidate(
            name,
            name == taken,
            told,
            forecast(question, name),
            measured.get(name),
            workspace(question, name, num_threads),
        )

    return Explanation(
        sorted(
            map(candidate, ALGORITHMS), key=lambda c: (not c.taken, c.objection is not None, c.predicted or 0)
        )
    )
