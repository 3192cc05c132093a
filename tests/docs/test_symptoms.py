"""The page of symptoms quotes what is really said."""

import re
from pathlib import Path

import numpy as np
import pytest

from convkit import nn

PAGE = (Path(__file__).parents[2] / "docs" / "symptoms.rst").read_text(encoding="utf-8")


def z(*shape, dtype=np.float32):
    return np.zeros(shape, dtype)


def nan_in_training():
    model = nn.Linear(1, 1)
    nn.fit(model, (z(4, 1) / 0, z(4, 1)), nn.MSELoss(), nn.optim.SGD(model.parameters(), lr=0.1), 1)


class Own(nn.Module):
    def __init__(self, ends):
        self.conv, self.ends = nn.Conv2d(3, 3, 3), ends

    def forward(self, x):
        return self.ends(x, self.conv(x))


conv = nn.Conv2d(3, 4, 3)
SAID = {
    "1 channels; the weight expects 3": lambda: conv(z(1, 1, 8, 8)),
    "4 channels; the weight expects 3": lambda: conv(z(1, 4, 8, 8)),
    "looks like HWC": lambda: conv(z(8, 8, 3)),
    "has dtype uint8; expected float32 or float64": lambda: conv(z(1, 3, 8, 8, dtype=np.uint8)),
    "the output height would be 0": lambda: conv(z(1, 3, 2, 8)),
    "groups is 2, which does not divide in_channels": lambda: nn.Conv2d(3, 4, 3, groups=2),
    "expects 100 features in the last axis": lambda: nn.Linear(100, 10)(z(1, 90)),
    "gives None; expected a tensor": lambda: nn.summary(Own(lambda x, y: None), (3, 8, 8)),
    "operands could not be broadcast together": lambda: Own(lambda x, y: x + y)(z(1, 3, 8, 8)),
    "target holds 10; the classes are 0 to 9": lambda: nn.CrossEntropyLoss()(z(1, 10), np.array([10])),
    "the loss is nan": nan_in_training,
}


def test_every_quotation_is_said_somewhere():
    assert set(re.findall(r'\* - "(.*)"', PAGE)) == set(SAID)


@pytest.mark.parametrize("quoted", SAID)
@pytest.mark.filterwarnings("ignore:invalid")
def test_it_is_said_in_just_these_words(quoted):
    with pytest.raises((ValueError, nn.TrainingError), match=re.escape(quoted)):
        SAID[quoted]()
