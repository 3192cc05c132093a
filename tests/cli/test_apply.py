"""`convkit apply` of one file: what it writes, and what it says that it did to it."""

import json
import struct
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest
from command import PHOTO, run

import convkit as ck


def test_smoothing_is_written_as_it_is(folder, capsys):
    status, out, err = run(capsys, "apply", "gaussian(sigma=1.4)", "in.png", "-o", "out.png")
    assert (status, err) == (0, "")
    assert out.startswith("out.png: 30×20 uint8, gaussian(sigma=1.4) of in.png in ")
    assert ";" not in out
    np.testing.assert_array_equal(ck.imread("out.png"), ck.filters.gaussian(PHOTO, 1.4))


def test_gradients_to_png_are_saturated_and_it_says_so(folder, capsys):
    _, out, _ = run(capsys, "apply", "gaussian(sigma=1.4) | sobel('x')", "in.png", "-o", "out.png")
    assert out.endswith("; |x| rounded and saturated to 0..255\n")
    gradient = ck.filters.sobel(ck.filters.gaussian(PHOTO, 1.4), "x")
    expected = np.clip(np.rint(np.abs(gradient)), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(ck.imread("out.png"), expected)


def test_gradients_to_tiff_are_kept(folder, capsys):
    run(capsys, "apply", "sobel('x')", "in.png", "-o", "out.tiff")
    np.testing.assert_array_equal(ck.imread("out.tiff"), ck.filters.sobel(PHOTO, "x"), strict=True)


def test_stretch_uses_the_whole_range(folder, capsys):
    _, out, _ = run(capsys, "apply", "laplacian", "in.png", "-o", "out.png", "--stretch", "--mode", "gray")
    assert out.endswith("; min..max stretched to 0..255\n")
    found = ck.imread("out.png")
    assert (found.shape, found.min(), found.max()) == ((20, 30), 0, 255)


def test_sixteen_bits(folder, capsys):
    deep = PHOTO.astype(np.uint16) * 200
    ck.imwrite("deep.png", deep)
    run(capsys, "apply", "sobel", "deep.png", "-o", "out.png")
    expected = np.clip(np.rint(ck.filters.sobel(deep)), 0, 65535).astype(np.uint16)
    np.testing.assert_array_equal(ck.imread("out.png"), expected, strict=True)
    _, out, _ = run(capsys, "apply", "box(size=3)", "deep.png", "-o", "out.bmp")
    assert "|x| / 257 rounded" in out
    expected = np.rint(ck.filters.box(deep, 3) / 257).astype(np.uint8)
    np.testing.assert_array_equal(ck.imread("out.bmp"), expected)


def test_alpha_is_dropped_and_it_says_so(folder, capsys):
    ck.imwrite("alpha.png", np.dstack([PHOTO, PHOTO[..., 0]]))
    _, out, _ = run(capsys, "apply", "box(size=3)", "alpha.png", "-o", "out.png")
    assert out.endswith("; alpha dropped\n")
    np.testing.assert_array_equal(ck.imread("out.png"), ck.filters.box(PHOTO, 3))


@pytest.mark.parametrize("suffix", [".webp", ".ppm"])
def test_gray_becomes_three_channels_where_a_format_has_none(folder, capsys, suffix):
    status, out, _ = run(capsys, "apply", "canny(50, 100)", "in.png", "-o", f"out{suffix}")
    assert (status, out.endswith("; gray as three equal channels\n")) == (0, True)
    edges = ck.filters.canny(PHOTO, 50, 100)
    np.testing.assert_array_equal(ck.imread(f"out{suffix}"), np.dstack([edges] * 3))


def test_further_pages_and_frames_are_left_out_and_it_says_so(folder, capsys):
    (folder / "in").mkdir()
    for pages in (2, 3):
        cv2.imwritemulti(f"in/{pages}.tiff", [PHOTO] * pages)
    data, frames = Path("in.png").read_bytes(), b"acTL" + struct.pack(">II", 4, 0)
    chunk = struct.pack(">I", 8) + frames + struct.pack(">I", zlib.crc32(frames))
    Path("in/a.png").write_bytes(data[:33] + chunk + data[33:])
    _, out, _ = run(capsys, "apply", "box(3)", "in/3.tiff", "-o", "out.png")
    assert out.endswith("; the first of 3 pages\n")
    _, out, _ = run(capsys, "apply", "box(3)", "in", "-o", "out", "--report", "r.json")
    assert out.endswith("; the first of 2 pages; the first of 3 pages; the still image of 4 frames\n")
    assert json.loads(Path("r.json").read_text())["files"][0]["note"] == "the first of 2 pages"
    for pages in range(4, 12):
        cv2.imwritemulti(f"in/{pages}.tiff", [PHOTO] * pages)
    _, out, _ = run(capsys, "apply", "box(3)", "in", "-o", "out")
    assert out.endswith("; 3 further notes, which --report tells\n")


def test_floats(folder, capsys):
    ck.imwrite("float.tiff", PHOTO.astype(np.float32) / 255)
    status, _, err = run(capsys, "apply", "sobel", "float.tiff", "-o", "out.png")
    assert (status, "add --stretch" in err) == (2, True)
    assert run(capsys, "apply", "sobel", "float.tiff", "-o", "out.png", "--stretch")[0] == 0
    assert run(capsys, "apply", "sobel", "float.tiff", "-o", "out.pfm")[0] == 0
    ck.imwrite("nan.tiff", np.full((5, 5), np.nan, np.float32))
    status, _, err = run(capsys, "apply", "sobel", "nan.tiff", "-o", "out.png", "--stretch")
    assert (status, "NaN" in err) == (2, True)


def test_one_thread_gives_the_same_bits(folder, capsys):
    for threads in ("1", "2"):
        run(capsys, "apply", "sobel", "in.png", "-o", f"{threads}.tiff", "--threads", threads)
    np.testing.assert_array_equal(ck.imread("1.tiff"), ck.imread("2.tiff"))


def test_whole_images_may_lose_wide_margins(folder, capsys):
    ck.imwrite("large.png", np.zeros((300, 310), np.uint8))
    chain = "recursive_gaussian(26, border='valid')"
    status, out, err = run(capsys, "apply", chain, "large.png", "-o", "out.png")
    assert (status, err) == (0, "")
    assert out.startswith("out.png: 50×40 uint8")
