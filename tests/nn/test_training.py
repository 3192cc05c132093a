"""Training on real data: a filter is found again, photos are denoised, digits are read."""

from itertools import pairwise

import numpy as np
import pytest
from matplotlib.cbook import get_sample_data

import convkit as ck
from convkit import nn

F = nn.functional


def gray(image):
    return ck.to_gray(image).astype(np.float32) / 255


def hopper():
    return gray(ck.imread(get_sample_data("grace_hopper.jpg", asfileobj=False)))


def patches(images, size, count, generator):
    """Square cuts at random places, (count, 1, size, size)."""
    cuts = []
    for _ in range(count):
        image = images[generator.integers(len(images))]
        top, left = (generator.integers(n - size + 1) for n in image.shape)
        cuts.append(image[top : top + size, left : left + size])
    return np.stack(cuts)[:, None]


def test_a_sobel_kernel_is_found_again():
    """From pairs of a photo's patches, grain and all, and their derivatives alone, to 1e-3."""
    photo, generator = hopper(), np.random.default_rng(0)
    x = patches([photo], 48, 64, generator) + generator.normal(0, 0.2, (64, 1, 48, 48)).astype(np.float32)
    y = np.stack([ck.filters.sobel(image, "x") for image in x[:, 0]])[:, None]
    conv = nn.Conv2d(
        1, 1, 3, padding=1, bias=False, padding_mode="reflect", generator=np.random.default_rng(1)
    )
    optimiser = nn.optim.Adam(conv.parameters(), lr=0.1)
    steps = nn.schedule.CosineAnnealingLR(optimiser, 60)
    history = nn.fit(
        conv, nn.batches(x, y, batch_size=16, shuffle=True), nn.MSELoss(), optimiser, 60, schedule=steps
    )
    np.testing.assert_allclose(conv.to_filter(), [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]], atol=1e-3)
    assert history.loss[-1] < 1e-6 < history.loss[0]
    np.testing.assert_allclose(
        ck.filters.filter2d(photo, conv.to_filter()), ck.filters.sobel(photo, "x"), atol=5e-3
    )


def denoiser(generator):
    """Learns the noise, which it takes off (Zhang et al., *Beyond a Gaussian denoiser*, 2017)."""

    class Denoiser(nn.Module):
        def __init__(self):
            sizes = [1, 24, 24, 24]
            layers = []
            for given, gave in pairwise(sizes):
                layers += [
                    nn.Conv2d(given, gave, 3, padding=1, padding_mode="reflect", generator=generator),
                    nn.ReLU(),
                ]
            self.body = nn.Sequential(*layers, nn.Conv2d(24, 1, 3, padding=1, generator=generator))

        def forward(self, x):
            return x - self.body(x)

    return Denoiser()


@pytest.mark.peers
def test_photos_are_denoised_better_than_by_filters():
    """Trained on two photos, held to a third; Gaussian and median with the sizes that suit it best."""
    load = pytest.importorskip("sklearn.datasets").load_sample_images
    generator = np.random.default_rng(0)
    sigma = 25 / 255
    clean = patches([gray(image) for image in load().images], 32, 640, generator)
    add = lambda x, g: (x + g.normal(0, sigma, x.shape).astype(np.float32), x)  # noqa: E731
    model = denoiser(generator)
    optimiser = nn.optim.Adam(model.parameters(), lr=3e-3)
    data = nn.batches(clean, batch_size=16, shuffle=True, transform=add)
    schedule = nn.schedule.OneCycleLR(optimiser, 4e-3, epochs=8, steps_per_epoch=len(data))
    nn.fit(model, data, nn.MSELoss(), optimiser, 8, schedule=schedule, schedule_each="batch")
    photo = hopper()
    noisy = photo + generator.normal(0, sigma, photo.shape).astype(np.float32)
    quality = lambda image: float(F.psnr(image[None, None], photo[None, None]))  # noqa: E731
    filters = max(
        *(quality(ck.filters.gaussian(noisy, sigma=s)) for s in (0.6, 0.8, 1.0, 1.3, 1.6)),
        *(quality(ck.filters.median(noisy, k)) for k in (3, 5, 7)),
    )
    learnt = quality(model.eval().freeze()(noisy[None, None])[0, 0])
    assert learnt > filters + 1.0
    assert learnt > quality(noisy) + 6


def reader(generator):
    return nn.Sequential(
        nn.Conv2d(1, 32, 3, padding=1, bias=False, generator=generator),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.Conv2d(32, 32, 3, padding=1, bias=False, generator=generator),
        nn.BatchNorm2d(32),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 3, padding=1, bias=False, generator=generator),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.Flatten(),
        nn.Dropout(0.3, generator=generator),
        nn.Linear(64 * 16, 10, generator=generator),
    )


@pytest.mark.peers
def test_digits_are_read():
    """scikit-learn's 8×8 digits, a fixed fifth held out: 98.5 % in the mean of five seeds."""
    datasets = pytest.importorskip("sklearn.datasets")
    from sklearn.model_selection import train_test_split

    images, labels = datasets.load_digits(return_X_y=True)
    x = (images / 16).astype(np.float32).reshape(-1, 1, 8, 8)
    x, held, y, wanted = train_test_split(x, labels, test_size=0.2, stratify=labels, random_state=0)
    scores = []
    for seed in range(5):
        model = reader(np.random.default_rng(seed))
        optimiser = nn.optim.AdamW(model.parameters(), lr=2e-3, weight_decay=1e-2)
        data = nn.batches(x, y, batch_size=64, shuffle=True, seed=seed)
        schedule = nn.schedule.OneCycleLR(optimiser, 4e-3, epochs=15, steps_per_epoch=len(data))
        loss = nn.CrossEntropyLoss(label_smoothing=0.05)
        nn.fit(model, data, loss, optimiser, 15, schedule=schedule, schedule_each="batch")
        scores.append(nn.accuracy(model.eval().freeze()(held), wanted))
    assert np.mean(scores) >= 0.985, scores
