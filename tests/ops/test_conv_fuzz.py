"""Garbage in every argument: an answer, a TypeError or a ValueError, in a process that may crash."""

import os
import random
import subprocess
import sys

import numpy as np

CALLS = 6000
SECONDS = 120


def garbage(choose, transposed):
    """A sound call's arguments with some of them spoilt; none of them large."""
    numbers = [
        0,
        1,
        2,
        3,
        -1,
        -(2**63),
        2**31,
        2**40,
        2**62,
        2**63 - 1,
        2**63,
        10**30,
        1.0,
        0.5,
        float("nan"),
    ]
    numbers += [
        float("inf"),
        True,
        False,
        None,
        "same",
        "valid",
        "x",
        b"ab",
        1j,
        np.int8(2),
        np.float32(1),
        [],
        (),
    ]
    numbers += [
        (1, 2),
        [2, 1],
        (1,),
        (1, 2, 3),
        (0, 1, 2, 3),
        (1, None),
        (1, 2.0),
        [[1, 2], 3],
        np.array([1, 2]),
    ]
    numbers += [
        np.array(2),
        np.array([1.5, 2]),
        np.zeros((2, 2), int),
        {},
        {1, 2},
        range(2),
        object(),
        len,
        ...,
    ]

    def spoilt(value):
        kind = choose(range(10))
        if kind == 0:
            return value.tolist()
        if kind == 1:
            return choose(numbers)
        if kind == 2:
            return value[..., :0]
        if kind == 3:
            return value[::-1].T
        if kind == 4:
            value.flags.writeable = False
            return value
        if kind == 5:
            return np.broadcast_to(value[:1], (4, *value.shape[1:]))
        if kind == 6:
            return value[0]
        if kind == 7:
            return value[None]
        if kind == 8:
            return value[:, :-1] if value.ndim > 1 else value[:-1]
        return value.astype(choose([">f4", "f8", "f2", "i4", "u1", "?", "c8", "O", "U3", "M8[s]", "V5"]))

    def maybe(value):
        return spoilt(value) if choose([True, False, False, False, False]) else value

    channels, outputs, kernel = (
        choose([1, 2, 3, 4]),
        choose([1, 2, 4]),
        (choose([1, 2, 3]), choose([1, 2, 3])),
    )
    x = np.zeros((choose([1, 2]), channels, choose([3, 4, 5]), choose([3, 4, 5])), "f4")
    weight = np.zeros(((channels, outputs) if transposed else (outputs, channels)) + kernel, "f4")

    plausible = {
        "stride": [1, 2, (1, 2), 2**63 - 1],
        "padding": [0, 1, (1, 2), (0, 1, 2, 3), "same", 2**62],
        "dilation": [1, 2, (2, 1)],
        "groups": [1, 1, 1, 2],
        "num_threads": [None, 1, 2],
        "algorithm": ["auto", "gemm"],
        "activation": ["relu", "gelu", "leaky_relu"],
    }
    names = [
        *plausible,
        "padding_mode",
        "cval",
        "output_padding",
        "output_size",
        "out",
        "residual",
        "negative_slope",
        "input_shape",
        "bias",
    ]
    arguments = {}
    for name in (n for n in names if choose([True, False, False, False])):
        if name in plausible and choose([True, True, False]):
            arguments[name] = choose(plausible[name])
        elif name == "padding_mode":
            arguments[name] = choose(
                ["zeros", "constant", "reflect", "replicate", "circular", "edge", None, 1]
            )
        elif name == "bias":
            arguments[name] = maybe(np.zeros(outputs, "f4"))
        elif name in ("out", "residual"):
            arguments[name] = maybe(np.zeros((*x.shape[:1], outputs, *x.shape[2:]), "f4"))
        else:
            arguments[name] = choose(numbers)
    return [maybe(x), maybe(weight)], arguments


ONLY = {
    "conv2d": ("output_padding", "output_size"),
    "conv_transpose2d": ("padding_mode", "cval"),
    "conv2d_plan": ("output_padding", "output_size", "out", "residual"),
}


def main():
    import convkit as ck
    from convkit import _threads

    _threads.force_threads = True
    answers = 0
    for seed in range(CALLS):
        choose = random.Random(seed).choice
        name = choose(list(ONLY))
        arrays, arguments = garbage(choose, name == "conv_transpose2d")
        arguments = {k: v for k, v in arguments.items() if k not in ONLY[name]}
        try:
            if name == "conv2d_plan":
                shape = choose([getattr(arrays[0], "shape", arrays[0]), (1, 1, 4, 4)])
                ck.conv2d_plan(arrays[1], input_shape=shape, **arguments)(arrays[0])
            else:
                getattr(ck, name)(*arrays, **arguments)
            answers += 1
        except (TypeError, ValueError):
            continue
        except BaseException as error:
            raise AssertionError(f"seed {seed}: {name}({arrays}, {arguments})") from error
    print(answers)


def test_answers_or_refuses():
    code = f"import runpy; runpy.run_path({__file__!r})['main']()"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-X", "faulthandler", "-c", code],
        env=os.environ | {"CONVKIT_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert int(done.stdout) > CALLS // 100  # some garbage is sound
