"""The table of SECURITY.md, row by row; rows that name another file are tested there."""

import io
import os
import struct
from pathlib import Path

import numpy as np
import pytest

import convkit as ck
from convkit import cli
from convkit.errors import CorruptImage, ImageTooLarge, UnsupportedFormat

PNG = b"\x89PNG\r\n\x1a\n"
HUGE_PNG = PNG + struct.pack(">I4sIIBBBBB", 13, b"IHDR", 100_000, 100_000, 8, 2, 0, 0, 0)
HUGE_PPM = b"P6 100000 100000 255\n"
TABLE = Path(__file__).parents[1] / "SECURITY.md"


def whole_png(tmp_path):
    ck.imwrite(tmp_path / "whole.png", np.arange(4000, dtype=np.uint16).reshape(40, 100).astype(np.uint8))
    return (tmp_path / "whole.png").read_bytes()


def test_a_chain_of_filters_as_text(tmp_path):
    for text in ("__import__('os').system('touch hacked')", "box(size=__import__('os'))", "box(3).__class__"):
        with pytest.raises(ValueError, match=r"no filter|no literal"):
            ck.filters.parse(text)


def test_a_file_that_is_no_image_or_is_empty():
    with pytest.raises(UnsupportedFormat):
        ck.imread(b"hello")
    with pytest.raises(CorruptImage, match="empty"):
        ck.imread(b"")


def test_a_header_that_promises_more_than_the_limits(tmp_path):
    data = whole_png(tmp_path)
    with pytest.raises(ImageTooLarge, match="max_pixels=3999"):
        ck.imread(data, max_pixels=3999)
    with pytest.raises(ImageTooLarge, match="max_bytes"):
        ck.imread(data, max_bytes=3999)


@pytest.mark.parametrize("data", [HUGE_PNG, HUGE_PPM])
def test_a_header_that_promises_more_than_there_is(data):
    with pytest.raises(CorruptImage):
        ck.imread(data)


def test_a_file_without_an_end():
    class Endless(io.RawIOBase):
        taken = 0

        def read(self, size=-1):
            self.taken += size
            return (b"P5 9 9 255\n" if self.image else b"zero").ljust(size, b"\0")

    stream = Endless()
    stream.image = False
    with pytest.raises(UnsupportedFormat):
        ck.imread(stream)
    assert stream.taken <= 4096
    stream.image = True
    with pytest.raises(ImageTooLarge):
        ck.imread(stream, max_bytes=3_000_000)
    assert stream.taken <= 3_000_000 + (2 << 20)


def test_a_file_of_very_many_parts():
    with pytest.raises(CorruptImage, match="more than 100000 parts"):
        ck.imread(b"\xff\xd8" + b"\xff\xfe\0\2" * 100_001)
    # a directory that is its own successor
    tags = [(256, 1), (257, 1), (258, 8), (273, 8), (279, 1)]
    page = struct.pack("<H", len(tags)) + b"".join(struct.pack("<HHII", t, 4, 1, v) for t, v in tags)
    with pytest.raises(CorruptImage, match="circle"):
        ck.imread(b"II*\0" + struct.pack("<I", 8) + page + struct.pack("<I", 8))


def test_damage_in_the_middle(tmp_path):
    data = bytearray(whole_png(tmp_path))
    data[len(data) // 2] ^= 255
    with pytest.raises(CorruptImage, match="checksum"):
        ck.imread(bytes(data))


def test_a_damaged_exif_block(tmp_path):
    ck.imwrite(tmp_path / "a.jpg", np.zeros((8, 9, 3), np.uint8))
    data = (tmp_path / "a.jpg").read_bytes()
    block = b"Exif\0\0MM\0*" + b"\xff" * 20
    data = data[:2] + b"\xff\xe1" + struct.pack(">H", len(block) + 2) + block + data[2:]
    assert ck.imread(data).shape == (8, 9, 3)


def test_a_nul_in_a_name(tmp_path):
    whole_png(tmp_path)
    with pytest.raises(ValueError, match="null"):
        ck.imread(f"{tmp_path}/whole.png\0.jpg")
    with pytest.raises(ValueError, match="null"):
        ck.imwrite(f"{tmp_path}/whole\0.png", np.zeros((2, 2), np.uint8))


def test_an_array_whose_size_overflows():
    huge = np.broadcast_to(np.uint8(0), (2**30, 2**30, 3))  # of one byte of memory
    with pytest.raises(ValueError, match="64 bits"):
        ck.to_bchw([huge] * 3)


def test_sizes_out_of_range():
    x, weight = np.ones((1, 1, 3, 3), np.float32), np.ones((1, 1, 2, 2), np.float32)
    for given in ({"padding": 2**62}, {"stride": 0}, {"dilation": 2**62}, {"padding": -1}):
        with pytest.raises(ValueError, match=r"padding|stride|dilation|bits|size"):
            ck.conv2d(x, weight, **given)


def test_outputs_that_may_not_be_written():
    image = np.ones((4, 5), np.float32)
    frozen = np.full((1, 1, 4, 5), 7, np.float32)
    frozen.flags.writeable = False
    for out in (frozen, image.reshape(1, 1, 4, 5), np.zeros((1, 1, 5, 4), np.float32)):
        before = out.copy()
        with pytest.raises(ValueError, match="out"):
            ck.to_bchw(image, out=out)
        np.testing.assert_array_equal(out, before)


def test_one_bad_file_in_a_folder(tmp_path, capsys):
    whole_png(tmp_path)
    (tmp_path / "bad.png").write_bytes(HUGE_PNG)
    assert cli.main(["apply", "box(3)", str(tmp_path), "-o", str(tmp_path / "out")]) == 1
    assert os.listdir(tmp_path / "out") == ["whole.png"]
    assert "bad.png" in capsys.readouterr().err


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_a_link_is_followed(tmp_path):
    whole_png(tmp_path)
    (tmp_path / "link.png").symlink_to("whole.png")
    ck.imwrite(tmp_path / "link.png", np.zeros((2, 2), np.uint8))
    assert (tmp_path / "link.png").is_symlink()
    assert ck.imread(tmp_path / "whole.png").shape == (2, 2)


@pytest.mark.skipif(not TABLE.exists(), reason="not in a checkout")
def test_every_row_of_the_table_has_a_test_of_its_own():
    rows = [row for row in TABLE.read_text(encoding="utf-8").splitlines() if row.startswith("| ")][1:]
    named = [row.rsplit("|", 2)[1].strip(" `") for row in rows]
    assert len(rows) >= 16
    assert len(set(named)) == len(named)
    for name in named:
        file, _, function = name.rpartition("::")
        text = (Path(__file__).parent / (file or "test_security.py")).read_text(encoding="utf-8")
        assert f"\ndef {function}(" in text, name
