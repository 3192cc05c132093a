"""Files of weights and checkpoints: whole or refused, written at once; training that goes on to the bit."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from convkit import nn
from convkit.errors import ConvkitError, WeightsFileError

rng = np.random.default_rng(8)


def model():
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Flatten(),
        nn.Linear(64, 3),
    )


def state_equal(one, other):
    assert list(one) == list(other)
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], strict=True)


def test_there_and_back(tmp_path):
    one, other = model(), model()
    nn.save_weights(tmp_path / "a.safetensors", one)
    assert nn.load_weights(tmp_path / "a.safetensors", other) == ([], [])
    state_equal(one.state_dict(), other.state_dict())
    arrays = {
        "f64": rng.random((2, 3)),
        "i8": np.arange(4, dtype=np.int8),
        "swapped": np.arange(3, dtype=">i4"),
        "strided": rng.random((4, 6))[::2, ::3],
        "one": np.array(True),
        "none": np.zeros((0, 3), np.float32),
    }
    nn.save_weights(tmp_path / "b.safetensors", arrays)
    found = nn.load_weights(tmp_path / "b.safetensors")
    assert set(found) == set(arrays)
    for name, array in arrays.items():
        np.testing.assert_array_equal(found[name], array)
        assert found[name].dtype == array.dtype.newbyteorder("=")
    assert sorted(os.listdir(tmp_path)) == ["a.safetensors", "b.safetensors"]


def test_half_precision_is_read_as_float32(tmp_path):
    values = np.array([1.0, -2.5, 3.0e38, 1e-40, np.inf], np.float32)
    brain = (values.view(np.uint32) >> 16).astype(np.uint16)
    half = np.array([1.0, -2.5, 65504, 6e-8], np.float16)
    header = json.dumps({
        "brain": {"dtype": "BF16", "shape": [5], "data_offsets": [0, 10]},
        "half": {"dtype": "F16", "shape": [4], "data_offsets": [10, 18]},
    }).encode()  # fmt: skip
    data = len(header).to_bytes(8, "little") + header + brain.tobytes() + half.tobytes()
    (tmp_path / "h.safetensors").write_bytes(data)
    found = nn.load_weights(tmp_path / "h.safetensors")
    assert found["brain"].dtype == found["half"].dtype == np.float32
    np.testing.assert_array_equal(found["half"], half.astype(np.float32))
    np.testing.assert_array_equal(found["brain"].view(np.uint32) >> 16, brain)


def test_a_file_that_is_cut_or_damaged_changes_nothing(tmp_path):
    path, one, other = tmp_path / "a.safetensors", model(), model()
    nn.save_weights(path, one)
    data, before = path.read_bytes(), other.state_dict()
    for wrong in (data[:-1], data[:100], data[:4], b"", b"PK\x03\x04" + data, data + b"\0"):
        path.write_bytes(wrong)
        with pytest.raises(WeightsFileError, match=r"a\.safetensors is no whole safetensors file"):
            nn.load_weights(path, other)
    state_equal(other.state_dict(), before)


def test_errors_of_the_system_are_ours_too(tmp_path):
    for call, path, kind in (
        (nn.load_weights, tmp_path / "none.safetensors", FileNotFoundError),
        (nn.load_weights, tmp_path, IsADirectoryError),
        (lambda p: nn.save_weights(p, model()), tmp_path / "none" / "a.safetensors", FileNotFoundError),
    ):
        with pytest.raises(kind) as caught:
            call(path)
        assert isinstance(caught.value, ConvkitError)
        assert caught.value.filename == str(path)


# ---- checkpoints ------------------------------------------------------------------------------------

X = rng.standard_normal((40, 1, 4, 4)).astype(np.float32)
Y = rng.integers(0, 3, 40)


def training(seed, optimiser="Adam", **settings):
    nn.manual_seed(seed)
    net = model()
    net[3].generator = np.random.default_rng(seed) if seed % 2 else None
    made = getattr(nn.optim, optimiser)(net.parameters(), lr=0.01, **settings)
    schedule = nn.schedule.OneCycleLR(made, 0.05, total_steps=40, cycle_momentum=optimiser != "Adagrad")
    noisy = lambda x, y, generator: (x + generator.normal(0, 0.1, x.shape).astype(np.float32), y)  # noqa: E731
    return net, made, schedule, nn.batches(X, Y, batch_size=8, shuffle=True, seed=seed, transform=noisy)


def run(net, optimiser, schedule, batches, steps):
    """So many steps from where the batches stand, on into further epochs."""
    done = 0
    while done < steps:
        for x, y in batches:
            optimiser.zero_grad()
            nn.functional.cross_entropy(net(x), y).backward()
            nn.clip_grad_norm_(net.parameters(), 1.0)
            optimiser.step()
            schedule.step()
            done += 1
            if done == steps:
                break


@pytest.mark.parametrize(
    ("optimiser", "settings"),
    [
        ("Adam", {"amsgrad": True}),
        ("SGD", {"momentum": 0.9}),
        ("RMSprop", {"centered": True}),
        ("Adagrad", {}),
    ],
)
def test_training_goes_on_to_the_bit(tmp_path, optimiser, settings):
    """Stopped within an epoch, loaded into objects that were made with another seed."""
    for seed, generator in ((5, True), (4, False)):
        whole = training(seed, optimiser, **settings)
        run(*whole, 17)
        first = training(seed, optimiser, **settings)
        run(*first, 8)
        nn.save_checkpoint(tmp_path / "c.safetensors", *first, extra={"steps": 8})
        other = training(seed + 2, optimiser, **settings)
        run(*other, 3)
        assert nn.load_checkpoint(tmp_path / "c.safetensors", *other) == {"steps": 8}
        run(*other, 9)
        state_equal(other[0].state_dict(), whole[0].state_dict())
        assert other[1].param_groups[0]["lr"] == whole[1].param_groups[0]["lr"]
        assert generator == (other[0][3].generator is not None)


def test_a_checkpoint_that_does_not_fit_changes_nothing(tmp_path):
    path, parts = tmp_path / "c.safetensors", training(1)
    run(*parts, 3)
    nn.save_checkpoint(path, *parts)
    net, optimiser, schedule, batches = training(3)
    before = net.state_dict()
    with pytest.raises(ValueError, match="groups of"):
        nn.load_checkpoint(path, net, nn.optim.Adam(list(net.parameters())[:2]))
    with pytest.raises(KeyError, match="does not match"):
        nn.load_checkpoint(path, nn.Sequential(*list(net)[:-1]))
    nn.save_checkpoint(path, parts[0])
    with pytest.raises(KeyError, match="holds no optimiser"):
        nn.load_checkpoint(path, net, optimiser)
    nn.save_weights(path, parts[0])
    with pytest.raises(WeightsFileError, match="is no checkpoint"):
        nn.load_checkpoint(path, net)
    state_equal(net.state_dict(), before)
    assert (schedule.last_epoch, batches.position) == (0, 0)


ENDLESS = """
import sys, numpy as np
from convkit import nn
net = nn.Sequential(nn.Linear(300, 300), nn.Linear(300, 300))
optimiser = nn.optim.Adam(net.parameters())
for value in range(1, 10**9):
    for p in net.parameters():
        p.data[...] = value
        p.grad = nn.Tensor(np.full(p.shape, value, np.float32))
    optimiser.step()
    for p in net.parameters():
        p.data[...] = value
    nn.save_checkpoint(sys.argv[1], net, optimiser, extra=value)
    if value == 1:
        print("ready", flush=True)
"""


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_a_kill_at_any_moment_leaves_a_whole_checkpoint(tmp_path):
    path = tmp_path / "c.safetensors"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    for wait in (0.003, 0.017, 0.031, 0.05):
        command = [sys.executable, "-c", ENDLESS, str(path)]
        writer = subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE)
        assert writer.stdout.readline() == "ready\n"
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=60)
        net = nn.Sequential(nn.Linear(300, 300), nn.Linear(300, 300))
        optimiser = nn.optim.Adam(net.parameters())
        value = nn.load_checkpoint(path, net, optimiser)
        assert all((p.data == value).all() for p in net.parameters())
        assert optimiser.state[0]["step"] == value
    left = [name for name in os.listdir(tmp_path) if name != "c.safetensors"]
    assert all(name.startswith(".convkit-") and name.endswith(".tmp") for name in left)


def test_what_is_in_a_checkpoint_is_no_code(tmp_path):
    """Arrays and JSON: the header is read as such."""
    parts = training(1)
    run(*parts, 2)
    nn.save_checkpoint(tmp_path / "c.safetensors", *parts)
    data = (tmp_path / "c.safetensors").read_bytes()
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    assert json.loads(header["__metadata__"]["convkit"])["schedule"]["last_epoch"] == 2
    assert header["model.0.weight"]["dtype"] == "F32"
