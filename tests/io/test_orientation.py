"""Photos are turned upright, as their EXIF blocks ask."""

import io
import struct

import numpy as np
import pytest
import samples as make

import convkit as ck

CORNERS = {  # where the stored image's first row and first column are seen: EXIF 2.3, page 37
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.swapaxes(0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].swapaxes(0, 1),
    8: lambda a: np.rot90(a),
}


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["jpg", "png", "webp", "tiff", "tiff 16", "tiff f", "gray tiff"])
def test_photos_are_turned_upright(tmp_path, kind, orientation):
    image = np.zeros((32, 48, 3), np.uint8)
    image[:16, :16], image[:16, 32:], image[16:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    for order in ("<", ">"):
        block = make.exif(orientation, order)
        if kind == "jpg":
            data = make.with_exif(make.written(tmp_path, ".jpg", image), block)
        elif kind == "png":
            rows = [row.tobytes() for row in image]
            data = make.png(2, rows, chunks=[(b"eXIf", block)])
        elif kind == "webp":
            data = make.webp_with_exif(make.written(tmp_path, ".webp", image), block)
        else:
            image = {"tiff 16": image.astype(np.uint16), "tiff f": image.astype(np.float32)}.get(kind, image)
            image = image[..., 0] if kind == "gray tiff" and image.ndim == 3 else image
            data = make.tiff([image], order, t274=orientation)
        seen = CORNERS[orientation](image)
        found, stored = ck.imread(data), ck.imread(data, orientation="ignore")
        assert found.flags.c_contiguous
        off = np.mean if kind == "jpg" else np.max
        assert off(np.abs(found.astype(float) - seen)) <= (3 if kind == "jpg" else 0)
        assert off(np.abs(stored.astype(float) - image)) <= (3 if kind == "jpg" else 0)
        info = ck.probe(data)
        assert (info.orientation, info.shape, info.height) == (orientation, found.shape, 32)


def test_a_damaged_exif_block_is_ignored(tmp_path):
    whole = make.written(tmp_path, ".jpg", make.noise())
    good = make.exif(6)
    for block in (
        b"",
        good[:9],
        good[:18],
        b"XX" + good[2:],
        good[:8] + b"\xff" * 18,
        make.exif(9),
        make.exif(0),
    ):
        assert ck.probe(make.with_exif(whole, block)).orientation == 1
    assert ck.probe(make.with_exif(whole, good)).orientation == 6
    for order in "<>":  # in four bytes, as some programs write it
        long = make.exif(0, order)[:12] + struct.pack(order + "HII", 4, 1, 6)
        assert ck.probe(make.with_exif(whole, long)).orientation == 6


@pytest.mark.peers
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientations_are_pillows(tmp_path, orientation):
    pillow, ops = pytest.importorskip("PIL.Image"), pytest.importorskip("PIL.ImageOps")
    image = make.noise(size=(12, 9))
    data = make.png(2, [row.tobytes() for row in image], chunks=[(b"eXIf", make.exif(orientation))])
    theirs = np.asarray(ops.exif_transpose(pillow.open(io.BytesIO(data))))
    np.testing.assert_array_equal(ck.imread(data), theirs)
