"""
A network that tells shapes apart
=================================

Two thousand noisy drawings and a network of 3,764 weights: in some seconds it knows a circle from a square, a
triangle and a cross. What it gets wrong is worth a look.
"""

import numpy as np

import convkit as ck
from convkit import nn, viz

rng = np.random.default_rng(0)
NAMES = ("circle", "square", "triangle", "cross")
SIZE = 24


def drawing(kind):
    """An outline of any size, place and turn, under noise."""
    turn, radius = rng.uniform(0, 2 * np.pi), rng.uniform(5, 9)
    x, y = np.mgrid[0:SIZE, 0:SIZE] - rng.uniform(radius, SIZE - radius, (2, 1, 1))
    x, y = np.cos(turn) * x + np.sin(turn) * y, np.cos(turn) * y - np.sin(turn) * x
    distance = {
        "circle": np.hypot(x, y) - 0.8 * radius,
        "square": np.maximum(abs(x), abs(y)) - 0.7 * radius,
        "triangle": np.maximum(abs(x) * 0.866 + y / 2, -y) - 0.5 * radius,
        "cross": np.where(np.maximum(abs(x), abs(y)) < radius, np.minimum(abs(x), abs(y)), 9),
    }[kind]
    return np.exp(-(distance**2)) + rng.normal(0, 0.25, (SIZE, SIZE))


labels = rng.integers(0, len(NAMES), 2500)
images = np.stack([drawing(NAMES[label]) for label in labels])[:, None].astype(np.float32)
learn, test = (images[:2000], labels[:2000]), (images[2000:], labels[2000:])
examples = viz.show(images[:25], limits=(-0.5, 1.2), title="what it is shown")
examples

# %%
# Convolutions, pools that halve the map, the greatest of what is left, and a layer for the four scores.
# Maps so small are done before a second thread has begun.
model = nn.Sequential(
    nn.Conv2d(1, 8, 5, padding=2, generator=rng),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(8, 16, 3, padding=1, generator=rng),
    nn.ReLU(),
    nn.MaxPool2d(2),
    nn.Conv2d(16, 16, 3, padding=1, generator=rng),
    nn.ReLU(),
    nn.AdaptiveMaxPool2d(1),
    nn.Flatten(),
    nn.Linear(16, len(NAMES), generator=rng),
)
optimiser = nn.optim.Adam(model.parameters(), lr=5e-3)
with ck.options(num_threads=1):
    fit = nn.fit(
        model,
        learn,
        nn.CrossEntropyLoss(),
        optimiser,
        epochs=10,
        validation=test,
        metrics={"accuracy": nn.accuracy},
    )
history = viz.history(fit, title=f"{100 * fit.metrics['accuracy'][-1]:.1f} % of new drawings are told right")
history

# %%
# The first layer's kernels: some look for lines of a direction, others have found nothing that helps.
first = viz.weights(model.get_submodule("0"), columns=8)
first

# %%
# What it takes for something else.
told = model.freeze()(test[0]).argmax(axis=1)
wrong = np.flatnonzero(told != test[1])[:8]
taken = [f"{NAMES[test[1][i]]}, for a {NAMES[told[i]]}" for i in wrong]
mistakes = viz.figure(8, 4.4)
for ax, i, title in zip(mistakes.subplots(2, 4).flat, wrong, taken, strict=False):
    viz.show(test[0][i, 0], limits=(-0.5, 1.2), ax=ax)
    ax.set_title(title, fontsize=9)
    ax.set_xlabel("")
mistakes.set_label(f"Drawings that are taken for others: a {'; a '.join(taken)}")
mistakes
