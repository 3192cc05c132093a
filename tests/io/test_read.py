"""Every file is read right or refused with the reason; never None, never gray rows for missing ones."""

import contextlib
import io
import os
import subprocess
import sys
import zlib

import numpy as np
import pytest

import convkit as ck
from convkit import _opencv
from convkit.errors import ConvkitError, CorruptImage, UnsupportedFormat
from convkit.io.formats import FORMATS

rng = np.random.default_rng(22)
RGB = rng.integers(0, 256, (24, 31, 3), np.uint8)


def encoded(tmp_path, suffix, image=RGB):
    path = tmp_path / f"whole{suffix}"
    ck.imwrite(path, image)
    return path.read_bytes()


def placed(tmp_path, data, name="a.bin"):
    path = tmp_path / name
    path.write_bytes(data)
    return path


def png(colour_type, rows, depth=8, chunks=b""):
    """A PNG of `rows` (bytes each), for kinds that OpenCV does not write."""

    def chunk(kind, body):
        return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")

    pixel = {0: 1, 3: 1, 4: 2}[colour_type]
    header = (len(rows[0]) // pixel).to_bytes(4, "big") + len(rows).to_bytes(4, "big")
    header += bytes([depth, colour_type, 0, 0, 0])
    body = b"".join(chunk(*c) for c in chunks)
    data = chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + body + data + chunk(b"IEND", b"")


# ---- modes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_modes(tmp_path, dtype):
    rgba = rng.integers(0, 256, (9, 8, 4)).astype(dtype)
    for image in (rgba[..., 0], rgba[..., :3], rgba):
        ck.imwrite(tmp_path / "a.tiff", image)
        color, gray = ck.imread(tmp_path / "a.tiff", "color"), ck.imread(tmp_path / "a.tiff", mode="gray")
        three = np.dstack([image] * 3) if image.ndim == 2 else image[..., :3]
        np.testing.assert_array_equal(color, three, strict=True)
        np.testing.assert_array_equal(gray, ck.to_gray(image), strict=True)
        for result in (color, gray, ck.imread(tmp_path / "a.tiff")):
            assert result.flags.c_contiguous


def test_a_palette_is_looked_up(tmp_path):
    data = png(3, [b"\0\1", b"\1\0"], chunks=[(b"PLTE", bytes([255, 0, 0, 0, 0, 255]))])
    found = ck.imread(placed(tmp_path, data))
    assert found.tolist() == [[[255, 0, 0], [0, 0, 255]], [[0, 0, 255], [255, 0, 0]]]


def test_gray_with_alpha_becomes_rgba(tmp_path):
    found = ck.imread(placed(tmp_path, png(4, [bytes([10, 200, 30, 0])])))
    assert found.tolist() == [[[10, 10, 10, 200], [30, 30, 30, 0]]]


def test_the_bytes_tell_the_format_and_not_the_name(tmp_path):
    np.testing.assert_array_equal(ck.imread(placed(tmp_path, encoded(tmp_path, ".png"), "a.jpg")), RGB)


@pytest.mark.peers
@pytest.mark.parametrize("suffix", [".png", ".bmp", ".tiff", ".ppm", ".webp", ".jpg"])
def test_colours_are_pillows(tmp_path, suffix):
    image_module = pytest.importorskip("PIL.Image")
    smooth = np.linspace(0, 255, 24 * 32 * 3).reshape(24, 32, 3).astype(np.uint8)
    buffer = io.BytesIO()
    options = {".jpg": {"quality": 95}, ".webp": {"lossless": True}}.get(suffix, {})
    kind = {".jpg": "JPEG", ".tiff": "TIFF"}.get(suffix, suffix[1:].upper())
    image_module.fromarray(smooth).save(buffer, kind, **options)
    path = placed(tmp_path, buffer.getvalue(), f"a{suffix}")
    theirs = np.asarray(image_module.open(path)).astype(int)
    assert np.abs(ck.imread(path).astype(int) - theirs).max() <= (2 if suffix == ".jpg" else 0)


# ---- refusals ---------------------------------------------------------------------------------------


def test_the_file_system_speaks_for_itself(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.png"):
        ck.imread(tmp_path / "none.png")
    with pytest.raises(IsADirectoryError):
        ck.imread(tmp_path)
    with pytest.raises(ValueError, match=r"a\\x00\.png.* null"):
        ck.imread(f"{tmp_path}/a\0.png")
    with pytest.raises(TypeError):
        ck.imread(None)
    with (tmp_path / "b.png").open("wb") as file, pytest.raises(ConvkitError, match=r"b\.png: .*read"):
        ck.imread(file)
    with pytest.raises(ValueError, match="mode is 'grey'"):
        ck.imread(tmp_path / "a.png", "grey")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission(tmp_path):
    path = placed(tmp_path, encoded(tmp_path, ".png"))
    path.chmod(0)
    with pytest.raises(PermissionError, match=r"a\.bin"):
        ck.imread(path)


@pytest.mark.parametrize("data", [b"hello, world", b"%PDF-1.7", b"RIFF\0\0\0\0WAVE", b"\x89PN", b"\0" * 64])
def test_what_is_no_image(tmp_path, data):
    with pytest.raises(UnsupportedFormat, match=r"a\.bin begins with .* none of PNG, JPEG"):
        ck.imread(placed(tmp_path, data))


def test_what_is_often_taken_for_an_image(tmp_path):
    for data, words in (
        (b"GIF89a", r"it is a GIF: Pillow reads it"),
        (b"\0\0\0\x20ftypavif", "it is an AVIF"),
        (b"<!DOCTYPE html>", "it may be a web page"),
        (b"version https://git-lfs.github.com/spec/v1", "run git lfs pull"),
    ):
        with pytest.raises(UnsupportedFormat, match=words):
            ck.imread(data)
    for name, words in (("~/none.png", "expanduser"), ("https://example.org/a.png", "urlopen")):
        with pytest.raises(FileNotFoundError, match=words):
            ck.imread(name)


def test_an_empty_file(tmp_path):
    with pytest.raises(CorruptImage, match=r"a\.bin is empty"):
        ck.imread(placed(tmp_path, b""))


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".bmp", ".webp"])
@pytest.mark.parametrize("kept", [0.3, 0.6, 0.9, 0.999])
def test_a_truncated_file(tmp_path, suffix, kept):
    data = encoded(tmp_path, suffix)
    with pytest.raises(CorruptImage, match=r"a\.bin is a \w+ file that is cut short or damaged"):
        ck.imread(placed(tmp_path, data[: int(len(data) * kept)]))


@pytest.mark.parametrize("kind", FORMATS, ids=lambda f: f.name)
def test_no_cut_and_no_flipped_byte_goes_wrong_silently(tmp_path, kind):
    """A cut anywhere is refused; other damage gives an image or an exception of ours, nothing else."""
    channels = 3 if 3 in kind.channels else 1
    image = RGB[..., 0] if channels == 1 else RGB
    data = encoded(tmp_path, kind.suffixes[0], image.astype(kind.dtypes[0]))
    for cut in np.linspace(0, len(data) - 1, 40, dtype=int):
        with pytest.raises(ConvkitError):
            ck.imread(placed(tmp_path, data[:cut]))
    for _ in range(40):
        damaged = bytearray(data)
        for place in rng.integers(0, len(data), 3):
            damaged[place] = rng.integers(0, 256)
        with contextlib.suppress(ConvkitError):
            assert ck.imread(placed(tmp_path, damaged)).ndim in (2, 3)


def test_a_truncated_jpeg_with_a_whole_thumbnail(tmp_path):
    whole = encoded(tmp_path, ".jpg")
    thumbnail = b"Exif\0\0" + encoded(tmp_path, ".jpg", RGB[:4, :4])
    data = whole[:2] + b"\xff\xe1" + (len(thumbnail) + 2).to_bytes(2, "big") + thumbnail + whole[2:]
    assert ck.imread(placed(tmp_path, data)).shape == RGB.shape
    with pytest.raises(CorruptImage, match="no end-of-image marker"):
        ck.imread(placed(tmp_path, data[:-200]))


def test_bytes_after_the_end_are_no_harm(tmp_path):
    for suffix in (".png", ".jpg", ".bmp"):
        assert ck.imread(placed(tmp_path, encoded(tmp_path, suffix) + b"\0" * 100)).shape == RGB.shape


@pytest.mark.parametrize("suffix", [".png", ".tiff", ".pfm", ".ppm"])
def test_a_header_without_a_picture(tmp_path, suffix, capfd):
    image = RGB.astype(np.float32) if suffix == ".pfm" else RGB
    data = encoded(tmp_path, suffix, image)[:16]
    with pytest.raises(CorruptImage, match=r"a\.bin"):
        ck.imread(placed(tmp_path, data))
    capfd.readouterr()  # the decoder's own grumbling


def test_errors_are_of_one_family(tmp_path):
    for data in (b"", b"hello"):
        with pytest.raises(ConvkitError) as caught:
            ck.imread(placed(tmp_path, data))
        assert isinstance(caught.value, OSError)


# ---- OpenCV itself ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failure", "message"),
    [
        (
            ImportError("libGL.so.1: cannot open shared object file"),
            "libGL.so.1.*opencv-python-headless.*libgl1",
        ),
        (ModuleNotFoundError("No module named 'cv2'", name="cv2"), "pip install opencv-python-headless"),
    ],
)
def test_an_opencv_that_does_not_load_says_what_to_install(tmp_path, monkeypatch, failure, message):
    path = placed(tmp_path, encoded(tmp_path, ".png"))

    class Refuse:
        def find_spec(self, name, *_):
            if name == "cv2":
                raise failure

    for name in [n for n in sys.modules if n.split(".")[0] == "cv2"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setattr(sys, "meta_path", [Refuse(), *sys.meta_path])
    _opencv.opencv.cache_clear()
    try:
        with pytest.raises(ConvkitError, match=message):
            ck.imread(path)
    finally:
        _opencv.opencv.cache_clear()


def test_import_loads_nothing_heavy():
    code = (
        "import sys, convkit; print([m for m in ('cv2', 'matplotlib', 'torch', 'scipy') if m in sys.modules])"
    )
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "[]\n"
    )
