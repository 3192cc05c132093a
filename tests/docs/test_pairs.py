"""Every pair of the page "Coming from" gives the same."""

import ast
import sys
from pathlib import Path

import numpy as np
import pytest

import convkit as ck

sys.path.insert(0, str(Path(__file__).parents[2] / "docs"))
import pairs

rng = np.random.default_rng(12)


def names():
    photo = rng.integers(0, 256, (40, 50, 3), np.uint8)
    found = {
        "np": np,
        "ck": ck,
        "photo": photo,
        "gray": photo[..., 1].copy(),
        "f": rng.standard_normal((40, 50)),
    }
    found["k"] = rng.standard_normal((3, 5))
    found["x"] = rng.standard_normal((2, 3, 16, 18)).astype(np.float32)
    found["w"] = rng.standard_normal((8, 3, 3, 3)).astype(np.float32)
    return found


def check(library, modules):
    for pair in pairs.PAIRS[library]:
        values = names() | modules
        theirs, ours = np.asarray(eval(pair.theirs, values)), np.asarray(eval(pair.ours, values))
        assert theirs.shape == ours.shape, pair
        gap = np.abs(theirs.astype(np.float64) - ours.astype(np.float64)).max()
        assert gap <= pair.within, (pair, gap)


def test_opencv():
    check("OpenCV", {"cv2": pytest.importorskip("cv2")})


@pytest.mark.peers
def test_scipy():
    ndimage, signal = pytest.importorskip("scipy.ndimage"), pytest.importorskip("scipy.signal")
    check("SciPy", {"ndimage": ndimage, "signal": signal})


@pytest.mark.peers
def test_scikit_image():
    skimage = pytest.importorskip("skimage")
    check("scikit-image", {"skimage": skimage})


@pytest.mark.peers
def test_pytorch():
    torch = pytest.importorskip("torch")
    check("PyTorch", {"torch": torch, "F": torch.nn.functional, "t": lambda a: torch.from_numpy(a.copy())})


def test_the_page_lists_every_pair_and_explains_its_names():
    page = pairs.page()
    calls = [text for rows in pairs.PAIRS.values() for pair in rows for text in (pair.theirs, pair.ours)]
    used = {node.id for call in calls for node in ast.walk(ast.parse(call)) if isinstance(node, ast.Name)}
    assert used - {"np", "ck", "cv2", "ndimage", "signal", "skimage", "torch"} == set(pairs.NAMES)
    assert all(f"   * - ``{name}``\n     - " in page for name in pairs.NAMES)
    assert all(f"``{pair.ours}``" in page for rows in pairs.PAIRS.values() for pair in rows)
