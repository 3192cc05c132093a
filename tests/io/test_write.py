"""What is written comes back as it was; what a format cannot hold is refused; no failure leaves a file."""

import os
import stat
from pathlib import Path

import cv2
import numpy as np
import pytest

import convkit as ck
from convkit.errors import ConvkitError, UnsupportedFormat
from convkit.io.formats import FORMATS

rng = np.random.default_rng(21)
LOSSLESS = [
    (suffix, dtype, channels)
    for f in FORMATS
    if f.name != "JPEG"
    for suffix in f.suffixes
    for dtype in f.dtypes
    for channels in f.channels
]
OPENCV = int(ck.build_info()["opencv"].split(".")[0])
as_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write everywhere")


def picture(dtype="uint8", channels=3, size=(13, 17)):
    shape = size if channels == 1 else (*size, channels)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 100, shape).astype(dtype)
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


@pytest.mark.parametrize(("suffix", "dtype", "channels"), LOSSLESS)
def test_round_trip(tmp_path, suffix, dtype, channels):
    image = picture(dtype, channels)
    if suffix == ".webp" and channels == 4:
        image[..., 3] |= 1  # it forgets the colour under full transparency
    path = tmp_path / f"a{suffix}"
    if suffix in (".bmp", ".dib") and channels == 4 and OPENCV < 5:
        with pytest.raises(ConvkitError, match="this OpenCV writes BMP without alpha"):
            ck.imwrite(path, image)
        return
    assert ck.imwrite(path, image) is None
    np.testing.assert_array_equal(ck.imread(path), image, strict=True)
    assert os.listdir(tmp_path) == [path.name]


@pytest.mark.parametrize("channels", [1, 3])
def test_jpeg_comes_back_close_and_in_rgb(tmp_path, channels):
    ramp = np.linspace(0, 255, 64).astype(np.uint8)
    image = (
        np.broadcast_to(ramp, (48, 64)) if channels == 1 else np.full((48, 64, 3), (250, 100, 20), np.uint8)
    )
    ck.imwrite(tmp_path / "a.JPG", image)
    found = ck.imread(tmp_path / "a.JPG")
    assert found.shape == image.shape
    assert np.abs(found.astype(int) - image).max() <= 8


def test_strided_and_one_channel_input(tmp_path):
    image = picture()
    ck.imwrite(tmp_path / "a.png", image[::-2, ::3])
    np.testing.assert_array_equal(ck.imread(tmp_path / "a.png"), image[::-2, ::3])
    ck.imwrite(tmp_path / "b.png", image[..., :1])
    np.testing.assert_array_equal(ck.imread(tmp_path / "b.png"), image[..., 0])


@pytest.mark.parametrize("name", ["ü ñ.png", "画像 🖼.png", "-o.png", "a" * 250 + ".png"])
def test_names_of_every_kind(tmp_path, name):
    image = picture()
    ck.imwrite(str(tmp_path / name), image)
    np.testing.assert_array_equal(ck.imread(str(tmp_path / name)), image)


# ---- refusals ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "image", "error", "message"),
    [
        (
            "a.jpg",
            picture("float32"),
            TypeError,
            r"JPEG holds uint8, not float32; write TIFF, PFM, or pass ck.to_uint8\(image, range=\(0, 1\)\)",
        ),
        (
            "a.png",
            picture("float64", 1),
            TypeError,
            "PNG holds uint8 and uint16, not float64; write TIFF, or",
        ),
        ("a.jpg", picture("uint16"), TypeError, r"write PNG, TIFF, PPM, PNM, or pass ck.to_uint8\(image\)"),
        ("a.png", picture() > 9, TypeError, r"image.astype\(np.uint8\) \* 255"),
        ("a.pfm", picture(), TypeError, "image.astype"),
        ("a.tiff", np.ones((2, 3), np.float16), TypeError, r"pass image.astype\(np.float32\)$"),
        ("a.tiff", np.ones((2, 3), np.uint32), TypeError, r"pass image.astype\(np.float64\)$"),
        ("a.png", np.ones((2, 3), np.float16), TypeError, r"np.float32\), range=\(0, 1\)\)"),
        ("a.jpg", picture(channels=4), ValueError, r"1 or 3 channels, not 4 .*write PNG.*image\[..., :3\]"),
        ("a.webp", picture(channels=1), ValueError, r"np.dstack"),
        ("a.pgm", picture(), ValueError, "ck.to_gray"),
        ("a.png", picture(channels=2), ValueError, r"2 channels; .* image\[\.\.\., \[0, 0, 0, 1\]"),
        ("a.jpg", picture(channels=2), ValueError, r"2 channels; .* pass image\[\.\.\., 0\] for the first$"),
        ("a.png", picture(channels=5), ValueError, r"5 channels; expected .* pass image\[\.\.\., :3\]"),
        ("a.png", np.zeros((3, 8, 9), np.uint8), ValueError, "ck.to_hwc"),
        (
            "a.png",
            np.zeros((1, 3, 8, 9), np.uint8),
            ValueError,
            r"looks like BCHW: pass ck.from_bchw\(image\)\[i\]",
        ),
        ("a.png", np.zeros((1, 8, 9, 3), np.uint8), ValueError, r"looks like BHWC: pass image\[i\]"),
        ("a.png", np.zeros((3, 8, 9), np.uint8), ValueError, r"looks like CHW: pass ck.to_hwc\(image\)"),
        ("a.png", np.zeros((4, 4, 5), np.uint8), ValueError, r"1, 3 or 4: pass image\[..., :3\]"),
        ("a.png", np.zeros((0, 8), np.uint8), ValueError, "empty"),
        (
            "a.webp",
            np.zeros((1, 16_384, 3), np.uint8),
            ValueError,
            "WebP holds at most 16383 pixels a side, not 16384×1; write PNG, JPEG",
        ),
        ("a.jpg", np.zeros((65_501, 1), np.uint8), ValueError, "JPEG holds at most 65500 pixels a side"),
        (
            "a.bmp",
            np.zeros((1, 1_048_577, 4), np.uint8),
            ValueError,
            "BMP holds at most 1048576 pixels a side",
        ),
        ("a.png", None, TypeError, "image is None"),
        ("a.xyz", picture(), UnsupportedFormat, "ends in '.xyz'; expected one of .png"),
        ("a", picture(), UnsupportedFormat, "no suffix"),
    ],
)
def test_what_cannot_be_held_is_refused(tmp_path, name, image, error, message):
    with pytest.raises(error, match=message):
        ck.imwrite(tmp_path / name, image)
    assert os.listdir(tmp_path) == []


def test_the_largest_sides(tmp_path):
    for name, side in (("a.webp", 16_383), ("a.jpg", 65_500)):
        ck.imwrite(tmp_path / name, np.zeros((1, side, 3), np.uint8))
        assert ck.probe(tmp_path / name).width == side


def test_what_the_encoder_refuses(tmp_path, monkeypatch):
    monkeypatch.setattr(cv2, "imencode", lambda *_: (False, None))
    with pytest.raises(ConvkitError, match="cannot be encoded as WebP"):
        ck.imwrite(tmp_path / "a.webp", picture())
    assert os.listdir(tmp_path) == []


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        ck.imwrite(tmp_path / "none" / "a.png", picture())
    assert caught.value.filename == str(tmp_path / "none" / "a.png")


def test_a_folder_is_not_replaced(tmp_path):
    (tmp_path / "a.png").mkdir()
    with pytest.raises(IsADirectoryError, match=r"a\.png"):
        ck.imwrite(tmp_path / "a.png", picture())


def test_a_nul_in_the_name(tmp_path):
    with pytest.raises(ValueError, match=r"x00.* null"):
        ck.imwrite(f"{tmp_path}/a\0b.png", picture())


@as_root
def test_a_read_only_folder(tmp_path):
    tmp_path.chmod(0o500)
    with pytest.raises(PermissionError, match=r"a\.png"):
        ck.imwrite(tmp_path / "a.png", picture())


# ---- the place --------------------------------------------------------------------------------------


def test_a_failure_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.png"
    ck.imwrite(path, old := picture())

    def refuse(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", refuse)
    with pytest.raises(OSError, match="No space left") as caught:
        ck.imwrite(path, picture())
    assert caught.value.filename == str(path)
    assert os.listdir(tmp_path) == ["a.png"]
    np.testing.assert_array_equal(ck.imread(path), old)


@pytest.mark.skipif(os.name != "posix", reason="permissions and links")
def test_permissions_and_links_are_kept(tmp_path):
    path, link = tmp_path / "a.png", tmp_path / "link.png"
    ck.imwrite(path, picture())
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE(path.stat().st_mode) == 0o666 & ~umask
    path.chmod(0o640)
    link.symlink_to(path.name)
    ck.imwrite(link, image := picture())
    assert link.is_symlink()
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    np.testing.assert_array_equal(ck.imread(path), image)


def test_a_relative_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ck.imwrite("a.png", picture())
    assert Path("a.png").exists()
