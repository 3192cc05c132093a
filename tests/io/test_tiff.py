"""TIFFs of every make: strips, tiles and planes, whatever their compression; and those that lie."""

import itertools
import struct
import zlib

import cv2
import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit._dispatch import native
from convkit.errors import ConvkitError, CorruptImage, ImageTooLarge, UnsupportedFormat

LAYOUTS = [(4, None), (16, 16)]  # rows of strips, and tiles


def read(data):
    """What `imread` gives, held against `probe` and `imread_pages`."""
    found, info = ck.imread(data), ck.probe(data)
    assert (info.shape, info.dtype) == (found.shape, found.dtype)
    assert found.flags.c_contiguous
    np.testing.assert_array_equal(ck.imread_pages(data)[0], found)
    return found


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "float32", "float64"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_strips_tiles_and_planes(dtype, order):
    for channels, size, planar, compression in itertools.product(
        (1, 3, 4), LAYOUTS, (False, True), make.COMPRESSORS
    ):
        image = make.noise(dtype, channels, (21, 37))
        predictors = (1, 3 if dtype[0] == "f" else 2) if compression in (5, 8) else (1,)
        for predictor, colours in itertools.product(predictors, (1, 2) if channels > 1 else (1,)):
            kind = {"size": size, "planar": planar, "compression": compression, "predictor": predictor}
            data = make.pieced(image, order, t262=colours, **kind)
            np.testing.assert_array_equal(read(data), image, strict=True, err_msg=str(kind))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_sums_along_rows_of_every_width(dtype, isa):
    for channels, width, swapped in itertools.product((1, 2, 3, 4), range(1, 40), (False, True)):
        image = make.noise(dtype, channels, (3, width + 5)).reshape(3, width + 5, channels)
        differences = image.copy()
        differences[:, 1:] -= image[:, :-1]
        wide = np.zeros((3, width + 2, channels), dtype)
        sum_along = native().family("row_sums", np.uint8).sum_along
        sum_along(differences.byteswap() if swapped else differences, wide[:, 1:-1], swapped)
        np.testing.assert_array_equal(wide[:, 1:-1], image[:, :width])
        assert not wide[:, [0, -1]].any()


def test_alpha_is_not_multiplied():
    """Whatever the file says of it: 0, nothing; 1, colours are multiplied; 2, they are not."""
    image = make.noise("uint8", 4, (20, 30))
    for compression, extra in itertools.product(make.COMPRESSORS, (0, 1, 2)):
        np.testing.assert_array_equal(read(make.pieced(image, compression=compression, t338=extra)), image)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_gray_with_alpha_is_rgba(dtype):
    image = make.noise(dtype, 2, (9, 20))
    for compression, size in itertools.product(make.COMPRESSORS, LAYOUTS):
        data = make.pieced(image, size=size, compression=compression, t338=2)
        np.testing.assert_array_equal(read(data), image[..., [0, 0, 0, 1]], strict=True)
        np.testing.assert_array_equal(ck.imread(data, "gray"), image[..., 0], strict=True)


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16"])
def test_a_deflated_piece_longer_than_its_pixels(dtype, monkeypatch):
    image = make.noise(dtype, 1, (6, 8))
    monkeypatch.setitem(make.COMPRESSORS, 8, lambda data: zlib.compress(data + b"xxxx")[:-4] + b"sum?")
    with pytest.raises(CorruptImage, match="longer than its pixels"):
        ck.imread(make.pieced(image, compression=8))


def test_a_deflated_piece_of_nothing_many_times_over(monkeypatch):
    nothing = b"\x78\x01" + 100_000 * b"\x00\x00\x00\xff\xff"
    monkeypatch.setitem(make.COMPRESSORS, 8, lambda data: nothing + zlib.compress(data)[2:])
    with pytest.raises(CorruptImage, match="ends before its pixels"):
        ck.imread(make.pieced(make.noise("uint8", 1, (1, 1)), compression=8))


@pytest.mark.parametrize("mode", ["1", "P", "CMYK"])
@pytest.mark.parametrize("damage", ["half", "checksum"])
def test_deflated_pieces_of_other_kinds_are_looked_at(mode, damage):
    image = {
        "1": {"t258": 1, "t256": 64},
        "P": {"t262": 3, "t320": list(range(768))},
        "CMYK": {"t262": 5},
    }[mode]
    pixels = make.noise("uint8", 4 if mode == "CMYK" else 1, (6, 8))
    whole = bytearray(make.pieced(pixels, size=(6, None), compression=8, **image))
    ck.imread(bytes(whole))
    stored = zlib.compress(pixels.tobytes())
    at = whole.index(stored)
    if damage == "half":
        short = zlib.compress(pixels.tobytes()[: pixels.size // 2])
        whole[at : at + len(stored)] = short.ljust(len(stored), b"\0")
    else:
        whole[at + len(stored) - 1] ^= 1
    with pytest.raises(CorruptImage, match="one of its pieces"):
        ck.imread(bytes(whole))


def test_small_tiles_of_a_palette_and_of_bits():
    image, colours = make.noise("uint8", 1, (20, 40)), make.noise("uint16", 1, (3, 256))
    data = make.pieced(image, size=(16, 16), t262=3, t317=2, t320=colours.ravel().tolist())
    np.testing.assert_array_equal(read(data), (colours >> 8).T[image])
    bits = make.pieced(image, size=(16, 16), t256=320, t258=1, t322=128)
    np.testing.assert_array_equal(read(bits), np.unpackbits(image, axis=1) * 255)


@pytest.mark.parametrize("dtype", ["uint8", "uint16"])
def test_white_may_be_0(dtype):
    image = make.noise(dtype, 1, (9, 20))
    for compression in make.COMPRESSORS:
        np.testing.assert_array_equal(read(make.pieced(image, compression=compression, t262=0)), ~image)
    with pytest.raises(UnsupportedFormat, match="float32 whose white is 0"):
        ck.imread(make.pieced(image.astype(np.float32), t262=0))


def test_pages_turned_and_in_planes():
    image = make.noise("uint16", 3, (6, 9))
    for compression in make.COMPRESSORS:
        data = make.pieced(image, ">", planar=True, compression=compression, t274=6)
        np.testing.assert_array_equal(read(data), np.rot90(image, -1))


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"t259": 50000}, "compressed by Zstandard .tifffile reads it"),
        ({"t259": 34925}, "compressed by LZMA"),
        ({"t259": 9999}, "compression 9999"),
        ({"t262": 5, "channels": 4}, "inks in uint16"),
        ({"t262": 32803}, "colours of kind 32803"),
        ({"t262": 8, "channels": 3}, r"colours of CIE L\*a\*b\*"),
        ({"t258": [8, 16, 8], "channels": 3}, "several kinds"),
        *(({"t258": bits, "t262": bits // 12}, f"integers of {bits} bits") for bits in (10, 12, 14)),
    ],
)
def test_kinds_that_are_not_read_are_named(tags, message):
    image = make.noise("uint16", tags.pop("channels", 1), (6, 8))
    with pytest.raises(UnsupportedFormat, match=message):
        ck.imread(make.pieced(image, **tags))


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("compression", make.COMPRESSORS)
def test_pieces_shorter_than_their_pixels(layout, compression, capfd):
    image = make.noise("uint8", 3, (20, 30))
    data = make.pieced(image, size=layout, compression=compression)
    sizes = struct.pack("<HH", 325 if layout[1] else 279, 4)
    at = data.rindex(sizes)
    count, place = struct.unpack_from("<II", data, at + 4)
    whole = np.frombuffer(data, "<u4", count, place)
    halved = data[:place] + (whole // 2).astype("<u4").tobytes() + data[place + 4 * count :]
    with pytest.raises(CorruptImage):
        ck.imread(halved)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", [5, 8, 32773])
@pytest.mark.parametrize("kind", ["palette", "inks", "float"])
def test_pieces_of_other_kinds_shorter_than_their_pixels(kind, compression):
    """Those that the decoder puts together."""
    image = make.noise("float32" if kind == "float" else "uint8", 4 if kind == "inks" else 1, (6, 8))
    tags = {"palette": {"t262": 3, "t320": list(range(768))}, "inks": {"t262": 5}, "float": {"predictor": 3}}
    data = make.pieced(image, size=(6, None), compression=compression, **tags[kind])
    ck.imread(data)
    at = data.rindex(struct.pack("<HHI", 279, 4, 1)) + 8
    (size,) = struct.unpack_from("<I", data, at)
    for short in (1, size // 2, size - 8):
        with pytest.raises(CorruptImage):
            ck.imread(data[:at] + struct.pack("<I", short) + data[at + 4 :])


@pytest.mark.parametrize("flags", [[], [cv2.IMWRITE_JPEG_PROGRESSIVE, 1], [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]])
def test_a_jpeg_in_a_tiff_that_is_cut_short(flags):
    image, compress = make.noise("uint8", 1, (32, 48)), make.as_jpeg(48, flags)
    data = make.pieced(image, size=(16, None), compression=7, compress=compress)
    halves = [ck.imread(compress(half.tobytes())) for half in (image[:16], image[16:])]
    np.testing.assert_array_equal(read(data), np.vstack(halves))
    at = data.rindex(struct.pack("<HHI", 279, 4, 2)) + 8
    (place,) = struct.unpack_from("<I", data, at)
    for first in (0, 4):
        (size,) = struct.unpack_from("<I", data, place + first)
        for short in (0, 1, 20, size // 2, size - 1):
            cut = data[: place + first] + struct.pack("<I", short) + data[place + first + 4 :]
            with pytest.raises(CorruptImage):
                ck.imread(cut)


def flat(size, components=3):
    values = np.random.default_rng(8).integers(0, 250, (*size, components))
    return make.jpeg_of_flat_blocks(values)


@pytest.mark.parametrize("layout", [(16, None), (16, 32)])
@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("apart", [False, True])
def test_a_jpeg_in_a_tiff_whose_data_end_early(layout, channels, apart):
    """An end in the midst of its bytes; `apart` from its tables of codes."""
    piece, image = flat((2, 4), channels), make.noise("uint8", channels, (32, 32))
    tags = {"size": layout, "compression": 7}
    if apart:
        start, end = piece.index(b"\xff\xdb"), piece.index(b"\xff\xc0")
        more, last = piece.index(b"\xff\xc4"), piece.index(b"\xff\xda")
        tags["t347"] = b"\xff\xd8" + piece[start:end] + piece[more:last] + b"\xff\xd9"
        piece = piece[:start] + piece[end:more] + piece[last:]
    data = make.pieced(image, compress=lambda rows: piece, **tags)
    assert read(data).shape == image.shape
    for number in (0, 1):
        at = 8 + number * len(piece) + len(piece) - 8
        with pytest.raises(CorruptImage, match="end before its picture"):
            ck.imread(data[:at] + b"\xff\xd9" + data[at + 2 :])


@pytest.mark.parametrize("layout", [(16, None), (16, 32)])
def test_a_jpeg_in_a_tiff_of_another_size(layout):
    image = make.noise("uint8", 3, (24, 32))
    pieces = {size: flat(size) for size in ((2, 4), (1, 4), (2, 3), (2, 5), (3, 4))}
    pieces["gray"] = flat((2, 4), 1)
    for first, last in itertools.product(pieces, repeat=2):
        turns = itertools.cycle((pieces[first], pieces[last]))
        kind = {"size": layout, "compression": 7, "compress": lambda rows, turns=turns: next(turns)}
        if first == (2, 4) and (last == first or (last == (1, 4) and not layout[1])):
            assert read(make.pieced(image, **kind)).shape == image.shape
        else:
            with pytest.raises(CorruptImage, match="and its place"):
                ck.imread(make.pieced(image, **kind))


def test_lzw_of_codes_of_every_length():
    """Tables that fill, strings that end in their own first byte, and rows that are cut off a tile."""
    smooth = np.add.outer(np.arange(200), np.arange(300)).astype(np.uint8)
    for image in (make.noise(channels=1, size=(200, 300)), smooth, np.full((200, 300), 7, np.uint8)):
        for rows in (1, 7, 200):
            flags = [cv2.IMWRITE_TIFF_COMPRESSION, 5, cv2.IMWRITE_TIFF_ROWSPERSTRIP, rows]
            data = cv2.imencode(".tiff", image, flags)[1].tobytes()
            np.testing.assert_array_equal(read(data), image)


def test_lzw_cut_at_every_byte(isa):
    """Also inside a string whose code is the one that is being defined."""
    rng = np.random.default_rng(5)
    drawn = [rng.integers(0, n, 300, np.uint8).tobytes() for n in (1, 2, 3, 4)]
    for whole in (b"abc" * 8, b"ab" * 200, bytes(400), *drawn):
        stored = make.lzw_of_strings(whole)
        for count in range(len(whole) + 1):
            found = native().family("unpack", np.uint8).lzw(stored, 0, len(stored), count)
            assert found[:count] == whole[:count]


def test_lzw_of_tiles_with_rows_beyond_the_picture(monkeypatch):
    monkeypatch.setitem(make.COMPRESSORS, 5, make.lzw_of_strings)
    for period, height in itertools.product((1, 2, 3, 5), (17, 22, 31)):
        tiles = np.resize(np.arange(10, 10 + period, dtype=np.uint8), (32, 48))
        data = make.pieced(tiles, size=(16, 48), compression=5, t257=height)
        np.testing.assert_array_equal(read(data), tiles[:height])


def test_a_code_of_lzw_that_stands_for_nothing(monkeypatch):
    for codes in ((256, 258), (256, 7, 259), (256, 7, 8, 300)):
        bits = "".join(f"{code:09b}" for code in codes).ljust(72, "0")
        stored = int(bits, 2).to_bytes(9, "big")
        monkeypatch.setitem(make.COMPRESSORS, 5, lambda data, stored=stored: stored)
        with pytest.raises(CorruptImage, match="stands for nothing"):
            ck.imread(make.pieced(make.noise("uint8", 1, (2, 8)), compression=5))


def test_damage_of_a_deflated_piece_is_told(capfd):
    data = bytearray(make.pieced(make.noise("uint8", 3, (20, 30)), compression=8))
    for place in (20, 90):
        data[place] ^= 4
        with pytest.raises(CorruptImage, match="damaged"):
            ck.imread(bytes(data))
    assert capfd.readouterr().err == ""


def test_pieces_are_held_to_the_limits():
    """A tile of a gigabyte, of which the picture is a corner."""
    image = make.noise("uint8", 1, (5, 7))
    for tags in ({"t322": 1 << 14, "t323": 1 << 14}, {"t322": 1 << 20, "t323": 16}):
        data = make.pieced(image, size=(16, 16), compression=5, **tags)
        with pytest.raises(ImageTooLarge, match="pieces of"):
            ck.imread(data, max_pixels=10**6)
        with pytest.raises(ImageTooLarge, match="max_bytes=1000000"):
            ck.imread(data, max_pixels=10**9, max_bytes=10**6)
    np.testing.assert_array_equal(read(make.pieced(image, size=(1 << 28, None), compression=5)), image)


def test_every_cut_of_pieces_raises(capfd):
    for compression, planar in itertools.product(make.COMPRESSORS, (False, True)):
        data = make.pieced(make.noise("uint16", 3, (5, 6)), compression=compression, planar=planar)
        for cut in range(len(data)):
            with pytest.raises(ConvkitError):
                ck.imread(data[:cut])
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("compression", [1, 5, 8])
@pytest.mark.parametrize("width", [17, 70])
def test_tiles_of_bits(width, compression):
    """A row of a tile is whole bytes, whatever the image's row is."""
    bits = np.indices((50, width)).sum(0) % 3 == 0
    tags = {"t256": width, "t258": 1, "t322": 16}
    data = make.pieced(np.packbits(bits, axis=1), size=(16, 2), compression=compression, **tags)
    np.testing.assert_array_equal(ck.imread(data), bits * np.uint8(255))


def test_alpha_is_as_it_is_where_white_is_0():
    image = np.array([[[10, 255], [200, 0]]], np.uint8)
    found = ck.imread(make.pieced(image, t262=0, t338=2))
    assert found.tolist() == [[[245, 245, 245, 255], [55, 55, 55, 0]]]
