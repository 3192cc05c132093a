"""The random calls against PyTorch in float64."""

import configurations
import numpy as np
import pytest

import convkit as ck
from convkit import _dispatch

pytestmark = pytest.mark.peers

CALLS = 1500  # of each
PARTS = 5
TORCH_MODES = {"reflect": "reflect", "edge": "replicate", "wrap": "circular"}


def padded(torch, x, sides, border, cval):
    """`x` with its padding, by PyTorch wherever it pads so far."""
    top, bottom, left, right = sides
    if border == "constant":
        return torch.nn.functional.pad(x, (left, right, top, bottom), value=cval)
    limits = {"reflect": [n - 1 for n in x.shape[2:]], "wrap": x.shape[2:], "edge": (10**9, 10**9)}[border]
    if max(top, bottom) <= limits[0] and max(left, right) <= limits[1]:
        return torch.nn.functional.pad(x, (left, right, top, bottom), mode=TORCH_MODES[border])
    return torch.from_numpy(np.pad(x.numpy(), ((0, 0), (0, 0), (top, bottom), (left, right)), border))


def by_torch(torch, name, call):
    x, weight, bias = (
        None if a is None else torch.from_numpy(np.array(a, np.float64, order="C")) for a in call[:3]
    )
    x = x if x.ndim == 4 else x[None]
    arguments = dict(call.reference)
    if name == "conv_transpose2d":
        return torch.conv_transpose2d(x, weight, bias, **arguments).numpy()
    sides, border, cval = (arguments.pop(k) for k in ("padding", "border", "cval"))
    if border == "constant" and cval == 0 and sides[0] == sides[1] and sides[2] == sides[3]:
        return torch.conv2d(x, weight, bias, padding=sides[::2], **arguments).numpy()
    return torch.conv2d(padded(torch, x, sides, border, cval), weight, bias, **arguments).numpy()


@pytest.mark.parametrize("part", range(PARTS))
@pytest.mark.parametrize("name", configurations.CALLS)
def test_as_torch(name, part, monkeypatch):
    torch = pytest.importorskip("torch")
    for seed in range(part, CALLS, PARTS):
        call = configurations.CALLS[name](seed)
        arrays = [None if a is None else a.astype(np.float64) for a in call[:3]]
        theirs = by_torch(torch, name, call)
        magnitude = configurations.defined(name, call, np.float64, absolute=True)
        for isa in _dispatch.available():
            monkeypatch.setattr(_dispatch, "_chosen", _dispatch.load(isa))
            y = getattr(ck, name)(*arrays, **call.arguments)
            difference = np.abs(y - theirs.reshape(y.shape))
            assert (difference <= 1e-12 * magnitude).all(), f"{isa}, seed {seed}: {call}"
