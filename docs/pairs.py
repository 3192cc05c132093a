"""Calls of others and ours that give the same: the page "Coming from" is made of them, and a test runs each.

`NAMES` are what the calls are of.
"""

from __future__ import annotations

from typing import NamedTuple


class Pair(NamedTuple):
    """A call of another library's, ours, and by how much they may differ."""

    theirs: str
    ours: str
    within: float = 0.0
    note: str = ""


NAMES = {
    "photo": "an RGB image, uint8, HWC: ``ck.imread(path)``",
    "gray": "a gray image, uint8, HW: ``ck.to_gray(photo)``",
    "f": "a gray image of float64, HW: ``gray / 255``",
    "k": "a kernel of float64, rows by columns",
    "x": "a batch of float32, BCHW: ``ck.to_bchw(photo)``",
    "w": "weights of float32, (outputs, inputs, height, width)",
    "t": "``torch.from_numpy``",
    "F": "``torch.nn.functional``",
}

PAIRS: dict[str, list[Pair]] = {
    "OpenCV": [
        Pair("cv2.cvtColor(photo, cv2.COLOR_RGB2GRAY)", "ck.to_gray(photo)", 1),
        Pair("cv2.cvtColor(photo, cv2.COLOR_BGR2RGB)", "ck.bgr_to_rgb(photo)"),
        Pair("cv2.GaussianBlur(photo, (9, 9), 1.5)", "ck.filters.gaussian(photo, 1.5, ksize=9)"),
        Pair("cv2.blur(photo, (5, 5))", "ck.filters.box(photo, 5)"),
        Pair("cv2.medianBlur(gray, 5)", "ck.filters.median(gray, 5)"),
        Pair("cv2.Sobel(gray, cv2.CV_32F, 1, 0)", 'ck.filters.sobel(gray, "x")'),
        Pair("cv2.Scharr(gray, cv2.CV_32F, 0, 1)", 'ck.filters.scharr(gray, "y")'),
        Pair("cv2.Laplacian(gray, cv2.CV_32F, ksize=3)", "ck.filters.laplacian(gray)"),
        Pair("cv2.Canny(gray, 60, 160)", "ck.filters.canny(gray, 60, 160)"),
        Pair("cv2.filter2D(gray, cv2.CV_32F, k)", 'ck.filters.filter2d(gray, k, dtype="float32")', 1e-3),
        Pair("cv2.erode(gray, np.ones((5, 5)))", "ck.filters.erode(gray, 5)"),
        Pair("cv2.morphologyEx(gray, cv2.MORPH_OPEN, np.ones((5, 5)))", "ck.filters.opening(gray, 5)"),
        Pair("cv2.bilateralFilter(gray, 9, 40, 3)", "ck.filters.bilateral(gray, 9, 40.0, 3.0)", 1),
        Pair("cv2.threshold(gray, 0, 255, cv2.THRESH_OTSU)[1]", "ck.filters.otsu(gray)"),
    ],
    "SciPy": [
        Pair(
            'ndimage.gaussian_filter(f, 2, mode="mirror")',
            "ck.filters.gaussian(f, 2)",
            1e-9,
            "SciPy's mirror is our reflect, its reflect our symmetric",
        ),
        Pair('ndimage.sobel(f, axis=1, mode="mirror")', 'ck.filters.sobel(f, "x")', 1e-9),
        Pair('ndimage.uniform_filter(f, 5, mode="nearest")', 'ck.filters.box(f, 5, border="edge")', 1e-9),
        Pair('ndimage.correlate(f, k, mode="wrap")', 'ck.filters.filter2d(f, k, border="wrap")', 1e-9),
        Pair(
            'ndimage.convolve(f, k, mode="constant")',
            'ck.filters.filter2d(f, k, border="constant", mode="convolve")',
            1e-9,
        ),
        Pair('ndimage.median_filter(f, 5, mode="nearest")', "ck.filters.median(f, 5)"),
        Pair('ndimage.minimum_filter(f, 3, mode="nearest")', 'ck.filters.minimum(f, 3, border="edge")'),
        Pair(
            'signal.convolve2d(f, k, mode="valid")',
            'ck.filters.filter2d(f, k, border="valid", mode="convolve")',
            1e-9,
        ),
    ],
    "scikit-image": [
        Pair(
            'skimage.filters.gaussian(f, 2, mode="nearest")', 'ck.filters.gaussian(f, 2, border="edge")', 1e-9
        ),
        Pair("skimage.filters.threshold_otsu(gray) < gray", "ck.filters.otsu(gray) > 0"),
        Pair("skimage.morphology.dilation(gray, np.ones((3, 3)))", "ck.filters.dilate(gray, 3)"),
        Pair(
            'skimage.filters.sobel(f, axis=1, mode="mirror") * 4',
            'ck.filters.sobel(f, "x")',
            1e-9,
            "scikit-image divides Sobel's weights by 4, and names edges by their direction",
        ),
    ],
    "PyTorch": [
        Pair(
            "torch.from_numpy(photo).permute(2, 0, 1)[None].float() / 255",
            'ck.to_bchw(photo, scale="unit")',
            1e-6,
        ),
        Pair("F.conv2d(t(x), t(w), stride=2, padding=1)", "ck.conv2d(x, w, stride=2, padding=1)", 1e-4),
        Pair("F.conv2d(t(x), t(w), dilation=2)", "ck.conv2d(x, w, dilation=2)", 1e-4),
        Pair(
            "F.relu(F.conv2d(t(x), t(w), padding=1))", 'ck.conv2d(x, w, padding=1, activation="relu")', 1e-4
        ),
        Pair("F.conv2d(t(x), t(w[:3, :1]), groups=3)", "ck.conv2d(x, w[:3, :1], groups=3)", 1e-4),
        Pair(
            "F.conv_transpose2d(t(x), t(w.transpose(1, 0, 2, 3)), stride=2, output_padding=1)",
            "ck.conv_transpose2d(x, w.transpose(1, 0, 2, 3), stride=2, output_padding=1)",
            1e-4,
        ),
    ],
}


def page() -> str:
    """The page's tables."""
    text = "Coming from …\n=============\n\n"
    text += "Their call, and ours that gives the same; a test runs every pair. In the calls\n\n"
    text += ".. list-table::\n   :widths: 25 75\n\n"
    text += "".join(f"   * - ``{name}``\n     - {what}\n" for name, what in NAMES.items())
    for library, pairs in PAIRS.items():
        text += (
            f"\n{library}\n{'-' * len(library)}\n\n.. list-table::\n   :header-rows: 1\n   :widths: 50 50\n\n"
        )
        text += f"   * - {library}\n     - convkit\n"
        for pair in pairs:
            text += f"   * - ``{pair.theirs}``\n     - ``{pair.ours}``\n"
            text += f"\n       {pair.note}\n" * bool(pair.note)
    return text
