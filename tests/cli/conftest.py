"""Folders with photos in them."""

import sys
from pathlib import Path

import numpy as np
import pytest

import convkit as ck

sys.path.insert(0, str(Path(__file__).parent))

from command import PHOTO


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ck.imwrite("in.png", PHOTO)
    return tmp_path


@pytest.fixture
def photos(folder):
    """Five images in two folders, a corrupt one among them."""
    for i, name in enumerate(("a.png", "b.jpg", "sub/c.png", "sub/deep/d.tiff")):
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        ck.imwrite(path, np.roll(PHOTO, i, axis=0))
    (folder / "in" / "sub" / "bad.png").write_bytes((folder / "in.png").read_bytes()[:99])
    (folder / "in" / "notes.txt").write_text("no image")
    return folder
