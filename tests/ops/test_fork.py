"""A forked child convolves on one thread: its parent's team of threads did not come with it."""

import multiprocessing
import os

import numpy as np
import pytest

import convkit as ck
from convkit import _threads

WAIT = 60  # seconds: a child that hangs is killed

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here"),
    pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning"),
]

X = np.linspace(-1, 1, 8 * 60 * 60, dtype=np.float32).reshape(8, 60, 60)
WEIGHT = np.linspace(-1, 1, 8 * 8 * 9, dtype=np.float32).reshape(8, 8, 3, 3)


def convolve():
    plan = ck.conv2d_plan(WEIGHT, input_shape=X.shape, num_threads=3)
    return b"".join(
        y.tobytes()
        for y in (
            ck.conv2d(X, WEIGHT, num_threads=2),
            ck.conv_transpose2d(X, WEIGHT, stride=2, num_threads=2),
            plan(X),
        )
    )


def child(connection):
    connection.send((_threads.threads_for(10**9, 4), convolve()))


def test_a_child_of_many_threads(isa, monkeypatch):
    monkeypatch.setattr(_threads, "force_threads", True)
    bits = convolve()  # starts the parent's team
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()
    process = context.Process(target=child, args=(there,))
    process.start()
    try:
        assert here.poll(WAIT), "the child hangs"
        threads, theirs = here.recv()
    finally:
        process.kill()
        process.join()
    assert threads == 1
    assert theirs == bits
    assert convolve() == bits  # the parent goes on
