"""Every exception of convkit's goes from one process to another, and is copied, with all that it holds."""

import copy
import pickle
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import numpy as np
import pytest

import convkit as ck
from convkit import errors, nn


def _refused():
    try:
        nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3))(np.zeros((1, 5, 8, 8), np.float32))
    except nn.LayerError as error:
        return error


def _of_another_dtype():
    try:
        nn.Conv2d(3, 4, 3)(np.zeros((1, 3, 8, 8), np.uint8))
    except nn.LayerError as error:
        return error


def _made(kind):
    if kind is type(_refused()):
        return _refused()
    if kind is type(_of_another_dtype()):
        return _of_another_dtype()
    if kind is nn.TrainingError:
        return kind("the loss is nan", ["the rate is too high"], nn.History(loss=[2.0, 1.5]))
    return kind(2, "why", "a.png") if issubclass(kind, OSError) else kind("why")


def _kinds(kind):
    return {kind} | {each for below in kind.__subclasses__() for each in _kinds(below)}


@pytest.mark.parametrize("kind", sorted(_kinds(ck.ConvkitError), key=lambda kind: kind.__name__))
def test_an_error_comes_back_as_it_was(kind):
    error = _made(kind)
    error.add_note("of image 7")
    held = dict(vars(error))
    assert type(error) is kind
    for back in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(back) is kind
        assert (str(back), back.args) == (str(error), error.args)
        assert vars(back) == held
        assert getattr(back, "filename", None) == getattr(error, "filename", None)


def test_the_kinds_are_all_there():
    assert {"LayerError", "LayerTypeError", "TrainingError"} < {k.__name__ for k in _kinds(ck.ConvkitError)}
    assert len(_kinds(errors.ConvkitError)) >= 13


def test_a_worker_hands_a_refusal_on():
    with (
        ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool,
        pytest.raises(nn.LayerError, match="5 channels; the weight expects 3") as caught,
    ):
        pool.submit(_run).result(60)
    assert caught.value.trace[0].layer == "ReLU()"


def _run():
    nn.Sequential(nn.ReLU(), nn.Conv2d(3, 4, 3))(np.zeros((1, 5, 8, 8), np.float32))
