"""The choice of algorithm: what may be taken, what the costs say, what is measured, what is told."""

from __future__ import annotations

import configurations
import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch, _threads, shapes
from convkit.ops import choice, costs
from convkit.ops.problem import Layer, Problem

X, WEIGHT = np.ones((2, 16, 20, 20), np.float32), np.ones((32, 16, 3, 3), np.float32)


def plan(x=X, weight=WEIGHT, **arguments):
    return ck.conv2d_plan(weight, input_shape=x.shape, **arguments)


def problem(channels=16, outputs=32, groups=1, images=1, size=(20, 20), kernel=3, itemsize=4, **axes):
    conv = {"stride": 1, "padding": 1, "dilation": 1} | axes
    return Problem(images, groups, outputs, channels, *shapes.conv_axes(size, kernel, **conv), itemsize)


@pytest.fixture
def times(monkeypatch):
    """Sets the milliseconds that `forecast` gives, of preparing weights and of calls."""

    def say(**milliseconds):
        def forecast(question, name):
            preparation, call = milliseconds.get(name, (0, 1e3))
            return preparation + call if question.once else call

        monkeypatch.setattr(choice, "forecast", forecast)
        choice.choose.cache_clear()

    yield say
    choice.choose.cache_clear()


# ---- what may be taken ---------------------------------------------------------------------------------

SAME = dict.fromkeys(choice.ALGORITHMS, (0, 1.0))


def test_the_fastest_is_taken(times):
    for name in choice.ALGORITHMS:
        times(**SAME | {name: (0, 0.5)})
        assert plan().algorithm == name
        assert plan(algorithm="direct").algorithm == (name if name not in choice.WIDER_BOUND else "gemm")


def test_a_wider_bound_must_gain_a_tenth(times):
    times(gemm=(0, 1.0), depthwise=(0, 2.0), winograd=(0, 0.92), fft=(0, 0.95))
    assert plan().algorithm == "gemm"
    times(gemm=(0, 1.0), depthwise=(0, 2.0), winograd=(0, 0.88))
    assert plan().algorithm == "winograd"
    times(gemm=(0, 1.0), depthwise=(0, 2.0), winograd=(0, 0.4), fft=(0, 0.3))
    assert plan().algorithm == "fft"


def test_an_eager_call_counts_the_weights(times, monkeypatch):
    """A plan prepares them once, a call each time."""
    times(gemm=(0.1, 1.0), depthwise=(9, 9), winograd=(1.0, 0.5), fft=(9, 9))
    assert plan().algorithm == "winograd"
    taken = []
    monkeypatch.setattr(choice.taps, "prepare", recorded(choice.taps.prepare, taken))
    ck.conv2d(X, WEIGHT)
    assert len(taken) == 1


def recorded(function, calls):
    def call(*arguments):
        calls.append(arguments)
        return function(*arguments)

    return call


def test_nothing_wider_unless_asked_for(times):
    times(gemm=(0, 9.0), depthwise=(0, 9.0), winograd=(0, 0.1), fft=(0, 0.2))
    assert plan().algorithm == "winograd"
    assert plan(X.astype(float), WEIGHT.astype(float)).algorithm == "gemm"
    assert plan(X.astype(float), WEIGHT.astype(float), algorithm="fft").algorithm == "fft"
    with ck.options(precision="exact"):
        exact = plan()
    assert exact.algorithm == plan(algorithm="direct").algorithm == "gemm"
    assert "precision='exact'" in str(exact.explain())


def test_the_batch_does_not_change_an_eager_choice():
    """Its bits are those of its first image alone."""
    rng = np.random.default_rng(0)
    for seed in range(40):
        call = configurations.conv2d_call(seed)
        x = np.concatenate([call.x if call.x.ndim == 4 else call.x[None]] * 3)
        x = x + rng.standard_normal(x.shape).astype(x.dtype)
        arguments = call.arguments | {"algorithm": "auto"}
        y = ck.conv2d(x, call.weight, call.bias, **arguments)
        alone = ck.conv2d(x[1:2], call.weight, call.bias, **arguments)
        np.testing.assert_array_equal(y[1:2], alone, str(call))


def test_auto_gives_the_bits_of_what_it_takes(isa):
    for seed in range(60):
        call = configurations.conv2d_call(seed)
        arguments = call.arguments | {"algorithm": "auto"}
        auto = ck.conv2d_plan(call.weight, call.bias, input_shape=call.x.shape, **arguments)
        y = ck.conv2d(call.x, call.weight, call.bias, **arguments | {"algorithm": auto.algorithm})
        np.testing.assert_array_equal(auto(call.x), y, str(call))


# ---- what the costs say --------------------------------------------------------------------------------


def test_a_second_thread_for_what_is_predicted_to_take_long(times):
    """As often as the batch has images; of an algorithm that was asked for too."""
    layer = Layer(WEIGHT[None], None, "constant", 0.0)
    times(gemm=(5.0, 0.01))
    for asked, images in (("auto", 1), ("gemm", 1), ("auto", 2)):
        question = choice.Question(problem(images=images), asked, False, False, "baseline")
        work = choice.decide(question, layer, None).convolution.image_work
        assert work == pytest.approx(0.01 / images * choice.WORK_OF_MILLISECOND)
        assert (work < _threads.SMALL_WORK) == (0.01 / images < 0.014)


@pytest.mark.parametrize("name", choice.ALGORITHMS)
def test_every_step_has_a_cost(name):
    counted = choice.ALGORITHMS[name].work(problem(), 16)
    assert set(counted) == set(costs.COSTS[name])
    for numbers in costs.COSTS[name].values():
        assert len(numbers) == len(costs.MACHINES)
        assert all(number >= 0 for number in numbers)


@pytest.mark.parametrize("twice", [False, True])
def test_costs_are_those_of_a_machine_like_this_one(twice, monkeypatch):
    monkeypatch.setattr(_dispatch.cpu(), "multiplies_twice", lambda: twice)
    assert costs.machine("avx512") == ("avx512 twice" if twice else "avx512")
    assert costs.machine("avx2") == "avx2"
    milliseconds = costs.predicted({"call": 1e6}, "gemm", "avx512", 4)[1]
    assert milliseconds == costs.COSTS["gemm"]["call"][costs.MACHINES.index(costs.machine("avx512"))]


@pytest.mark.parametrize("name", choice.ALGORITHMS)
def test_more_work_costs_more(name):
    def forecast(itemsize=4, **sizes):
        question = choice.Question(problem(itemsize=itemsize, **sizes), name, False, False, "baseline")
        return choice.forecast(question, name)

    small = forecast(size=(40, 40))
    assert small > 0
    assert forecast(size=(160, 160)) > 5 * small
    assert forecast(size=(40, 40), images=4) > 2 * small
    assert forecast(size=(40, 40), itemsize=8) > 1.5 * small
    assert forecast(size=(40, 40), channels=32, outputs=64) > 1.5 * small


def test_sizes_of_any_number():
    """Counting steps takes no memory and no time."""
    huge = plan(np.lib.stride_tricks.as_strided(np.zeros(1, "f4"), (2**20, 16, 2**15, 2**15), (0,) * 4))
    assert len(huge.explain()) == len(choice.ALGORITHMS)
    assert all(c.predicted > 1e9 for c in huge.explain())
    assert huge.workspace < 8e6


# ---- what is measured ----------------------------------------------------------------------------------


@pytest.fixture
def stopwatch(monkeypatch):
    """Measures by a table, and counts the measurements."""
    seen = []

    def measure(question, layer, threads):
        seen.append(question)
        return {"gemm": 3.0, "depthwise": 2.0, "winograd": 5.0}

    monkeypatch.setattr(choice, "_measure", measure)
    monkeypatch.setattr(choice, "_measured", {})
    return seen


def test_autotune_takes_the_fastest_and_remembers(stopwatch):
    tuned = plan(algorithm="autotune")
    assert tuned.algorithm == "depthwise"
    assert {c.algorithm: c.measured for c in tuned.explain() if c.measured} == {
        "gemm": 3.0,
        "depthwise": 2.0,
        "winograd": 5.0,
    }
    plan(algorithm="autotune")
    assert len(stopwatch) == 1
    for other in ({"num_threads": 3}, {"padding": 1}, {"padding": 1, "padding_mode": "reflect"}):
        before = len(stopwatch)
        plan(algorithm="autotune", **other)
        plan(algorithm="autotune", **other)
        assert len(stopwatch) == before + 1


def test_autotune_of_eager_calls(stopwatch):
    """They have measurements of their own, with the weights' preparation."""
    for _ in range(3):
        y = ck.conv2d(X, WEIGHT, algorithm="autotune")
    np.testing.assert_array_equal(y, ck.conv2d(X, WEIGHT, algorithm="depthwise"))
    assert [question.once for question in stopwatch] == [True]


def test_autotune_measures_what_may_be_taken(isa, monkeypatch):
    monkeypatch.setattr(choice, "_measured", {})
    measured = {c.algorithm for c in plan(algorithm="autotune").explain() if c.measured}
    assert measured & {"gemm", "broadcast"}
    assert "winograd" in measured
    assert "fft" not in measured  # hopeless
    x, weight = np.ones((1, 3, 9, 9)), np.ones((4, 3, 3, 3))
    assert {c.algorithm for c in plan(x, weight, algorithm="autotune").explain() if c.measured} <= {
        "gemm",
        "broadcast",
        "depthwise",
    }
    with ck.options(precision="exact"):
        exact = plan(algorithm="autotune").explain()
    assert not [c for c in exact if c.measured and c.algorithm in choice.WIDER_BOUND]


# ---- what is told --------------------------------------------------------------------------------------


def test_explanation():
    found = plan(padding=1, num_threads=1).explain()
    assert {c.algorithm for c in found} == set(choice.ALGORITHMS)
    assert [c.taken for c in found] == [True] + [False] * (len(choice.ALGORITHMS) - 1)
    assert found[0].predicted == min(c.predicted for c in found)
    assert all(c.workspace > 0 and c.objection is None and c.measured is None for c in found)
    assert found[0].workspace == plan(padding=1, num_threads=1).workspace


def test_explanation_of_refusals():
    found = {c.algorithm: c for c in plan(weight=np.ones((32, 16, 5, 1), np.float32)).explain()}
    assert found["winograd"].objection.startswith("with a 5×1 kernel")
    assert found["winograd"].predicted is found["winograd"].workspace is None
    forced = {c.algorithm: c for c in plan(algorithm="gemm").explain()}
    assert forced["gemm"].taken
    assert forced["gemm"].objection is None
    assert forced["fft"].objection == "with algorithm='gemm'"
    assert forced["fft"].predicted > 0


def test_explanation_is_a_table():
    lines = str(plan(X[:, :1], WEIGHT[:, :1], algorithm="direct", stride=3).explain()).splitlines()
    assert lines[0].split() == ["algorithm", "predicted", "measured", "workspace"]
    assert len(lines) == 1 + len(choice.ALGORITHMS)
    assert lines[1].endswith("taken")
    assert "ms" in lines[1]
    assert "MB" in lines[1]
    assert any(
        line.startswith("winograd") and "not with a 3×3 kernel, stride (3, 3)" in line for line in lines
    )


@pytest.mark.parametrize("kernel", [1, 3, 7])
@pytest.mark.parametrize(("channels", "groups"), [(1, 64), (16, 4), (512, 1)])
def test_workspace(isa, kernel, channels, groups):
    """At most 8 MB for each thread, as far as one knows."""
    weight = np.ones((channels * groups, channels, kernel, kernel), np.float32)
    for size in (14, 224):
        for threads in (1, 16):
            conv = ck.conv2d_plan(
                weight, input_shape=(1, channels * groups, size, size), groups=groups, num_threads=threads
            )
            assert 0 < conv.workspace <= 8.5e6
