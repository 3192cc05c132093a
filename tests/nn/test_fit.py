"""Training: the loop, batches, what stops it, and two models at once."""

import threading

import numpy as np
import pytest

import convkit as ck
from convkit import nn
from convkit.nn.fit import TrainingError

rng = np.random.default_rng(4)
X = rng.standard_normal((96, 4)).astype(np.float32)
Y = (X @ rng.standard_normal((4, 2))).astype(np.float32)


def linear(lr=0.05, seed=0):
    model = nn.Linear(4, 2, generator=np.random.default_rng(seed))
    return model, nn.optim.Adam(model.parameters(), lr=lr)


# ---- batches ----------------------------------------------------------------------------------------


def test_batches_cover_all_in_an_order_of_the_seed():
    batches = nn.batches(np.arange(10), batch_size=4, shuffle=True, seed=3)
    epochs = [[b.tolist() for b in batches] for _ in range(2)]
    assert [len(b) for b in epochs[0]] == [4, 4, 2]
    assert sorted(i for batch in epochs[0] for i in batch) == list(range(10))
    assert epochs[0] != epochs[1]
    again = nn.batches(np.arange(10), batch_size=4, shuffle=True, seed=3)
    assert [[b.tolist() for b in again] for _ in range(2)] == epochs
    assert len(nn.batches(np.arange(10), batch_size=4, drop_last=True)) == 2
    assert [b.tolist() for b in nn.batches(np.arange(5), batch_size=2)] == [[0, 1], [2, 3], [4]]


def test_a_place_in_the_data():
    batches = nn.batches(np.arange(10), batch_size=3, shuffle=True, seed=1)
    next(iter(batches))
    state = batches.state_dict()
    rest = [b.tolist() for b in batches] + [b.tolist() for b in batches]
    other = nn.batches(np.arange(10), batch_size=3, shuffle=True, seed=9)
    other.load_state_dict(state)
    assert [b.tolist() for b in other] + [b.tolist() for b in other] == rest


def test_arrays_of_different_lengths():
    with pytest.raises(ValueError, match="4 and 5 examples"):
        nn.batches(np.zeros(4), np.zeros(5))


# ---- the loop ---------------------------------------------------------------------------------------


def test_a_history_of_training_and_validation():
    model, optimiser = linear(lr=0.3)
    schedule = nn.schedule.StepLR(optimiser, 10)
    history = nn.fit(
        model, (X[:64], Y[:64]), nn.MSELoss(), optimiser, 30, validation=(X[64:], Y[64:]),
        metrics={"l1": lambda p, y: np.abs(p - y).mean()}, schedule=schedule, progress=False,
    )  # fmt: skip
    assert len(history.loss) == len(history.validation_loss) == len(history.metrics["l1"]) == 30
    assert history.validation_loss[-1] < 0.1 * history.validation_loss[0]
    assert history.lr[-1] == pytest.approx(0.3 * 1e-3)
    assert history.stopped == "epochs"
    assert '"best_epoch"' in history.to_json()
    figure = ck.viz.history(history)
    assert len(figure.axes[0].lines) >= 2


def test_patience_goes_back_to_the_best():
    model, optimiser = linear(lr=0.05)
    validation = X[64:], Y[64:]
    rates = nn.schedule.LambdaLR(optimiser, lambda epoch: 1.0 if epoch < 20 else 200.0)
    history = nn.fit(
        model,
        (X[:64], Y[:64]),
        nn.MSELoss(),
        optimiser,
        100,
        validation=validation,
        schedule=rates,
        patience=3,
    )
    assert history.stopped == "patience"
    assert len(history.loss) == history.best_epoch + 4
    best = float(nn.functional.mse_loss(model(validation[0]), validation[1]))
    assert best == pytest.approx(min(history.validation_loss), rel=1e-6)


def test_a_run_that_is_resumed_has_the_bits_of_one_that_was_not(tmp_path):
    path = tmp_path / "run.safetensors"

    def parts():
        nn.manual_seed(1)
        model = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Dropout(0.2), nn.Linear(8, 2))
        optimiser = nn.optim.AdamW(model.parameters(), lr=0.01)
        return model, nn.batches(X, Y, batch_size=16, shuffle=True), nn.MSELoss(), optimiser

    whole = parts()
    full = nn.fit(*whole, 6)
    nn.fit(*parts(), 3, checkpoint=path)
    resumed = parts()
    history = nn.fit(*resumed, 6, checkpoint=path, resume=True)
    assert history.loss == full.loss
    for name, array in resumed[0].state_dict().items():
        np.testing.assert_array_equal(array, whole[0].state_dict()[name])


def test_the_best_weights_outlive_a_stop(tmp_path):
    """Stopped after the best epoch, which the rest of the run does not reach again."""
    results = []
    for stops in ((), (22,)):
        model, optimiser = linear()
        schedule = nn.schedule.LambdaLR(optimiser, lambda epoch: 1.0 if epoch < 20 else 200.0)
        data, path = (
            nn.batches(X[:64], Y[:64], batch_size=32, shuffle=True),
            tmp_path / f"{len(stops)}.safetensors",
        )
        for epochs in (*stops, 24):
            nn.fit(
                model, data, nn.MSELoss(), optimiser, epochs, validation=(X[64:], Y[64:]),
                schedule=schedule, patience=50, checkpoint=path, resume=True,
            )  # fmt: skip
        results.append(model.weight.data)
    np.testing.assert_array_equal(*results)


def test_a_bar(capsys):
    model, optimiser = linear()
    nn.fit(model, (X, Y), nn.MSELoss(), optimiser, 1, progress=True)
    assert "epoch 1/1" in capsys.readouterr().err
    nn.fit(model, (X, Y), nn.MSELoss(), optimiser, 1)
    assert capsys.readouterr().err == ""


def test_data_that_gives_nothing():
    model, optimiser = linear()
    with pytest.raises(ValueError, match="no batches"):
        nn.fit(model, iter([]), nn.MSELoss(), optimiser, 1)
    with pytest.raises(TypeError, match=r"nn\.batches"):
        nn.fit(model, 3, nn.MSELoss(), optimiser, 1)


# ---- a loss that is no number -----------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore:overflow", "ignore:invalid")
def test_a_learning_rate_that_is_too_high():
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    optimiser = nn.optim.SGD(model.parameters(), lr=50.0)
    with pytest.raises(TrainingError, match=r"the loss is (nan|inf) at step") as caught:
        nn.fit(model, (X, Y), nn.MSELoss(), optimiser, 200)
    assert "learning rate, 50, is too high" in caught.value.causes[0]
    assert "try lr=5" in caught.value.causes[0]
    assert any("clip_norm" in cause for cause in caught.value.causes)
    assert any("BatchNorm2d" in cause for cause in caught.value.causes)


def test_data_that_holds_nan():
    model, optimiser = linear()
    x = X.copy()
    x[3, 1] = np.nan
    with pytest.raises(TrainingError) as caught:
        nn.fit(model, (x, Y), nn.MSELoss(), optimiser, 1)
    assert caught.value.causes[0].startswith("x holds NaN or Inf")


@pytest.mark.filterwarnings("ignore:overflow")
def test_data_that_was_not_scaled():
    model, optimiser = linear()
    with pytest.raises(TrainingError) as caught:
        nn.fit(model, (X * 1e30, Y), nn.MSELoss(), optimiser, 1)
    assert "scale='unit'" in caught.value.causes[0]


# ---- threads ----------------------------------------------------------------------------------------


def trained(seed, results):
    nn.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1),
        nn.BatchNorm2d(6),
        nn.ReLU(),
        nn.Dropout(0.2),
        nn.Flatten(),
        nn.Linear(384, 3),
    )
    x = rng_of(seed).standard_normal((32, 2, 8, 8)).astype(np.float32)
    y = rng_of(seed).integers(0, 3, 32)
    optimiser = nn.optim.Adam(model.parameters(), lr=0.01)
    nn.fit(
        model, nn.batches(x, y, batch_size=8, shuffle=True, seed=seed), nn.CrossEntropyLoss(), optimiser, 4
    )
    results[seed] = model.state_dict()


def rng_of(seed):
    return np.random.default_rng(seed)


def test_two_models_at_once_have_the_bits_of_each_alone():
    alone, together = {}, {}
    for seed in (1, 2):
        thread = threading.Thread(target=trained, args=(seed, alone))
        thread.start()
        thread.join()
    threads = [threading.Thread(target=trained, args=(seed, together)) for seed in (1, 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for seed in (1, 2):
        for name, array in alone[seed].items():
            np.testing.assert_array_equal(together[seed][name], array, err_msg=name)
