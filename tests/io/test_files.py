"""Every format, depth and kind of pixel, whole and cut; orientations; pages; sources; limits."""

import io
import os
import struct
import subprocess
import sys
import tracemalloc
import zlib

import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit.errors import ConvkitError, CorruptImage, ImageTooLarge, UnsupportedFormat
from convkit.io import headers
from convkit.io.headers import Broken, jpeg

rng = np.random.default_rng(31)


def test_every_kind_reads_as_it_is(corpus):
    for name, (data, image) in corpus.items():
        found, info = ck.imread(data), ck.probe(data)
        assert (info.shape, info.dtype, info.pages) == (found.shape, found.dtype, 1), name
        assert found.flags.c_contiguous, name
        if image is not None:
            np.testing.assert_array_equal(found, image, strict=True, err_msg=name)


def test_every_cut_raises(corpus, capfd):
    for data, _ in corpus.values():
        for cut in range(len(data)):
            with pytest.raises(ConvkitError):
                ck.imread(data[:cut])
    assert capfd.readouterr().err == ""


def test_larger_files_cut_anywhere_raise(tmp_path, capfd):
    """Every byte of the first 2000, then 500 places at random, and what follows the whole file is no harm."""
    larger = make.build_larger(tmp_path)
    cuts = 0
    for name, data in larger.items():
        assert len(data) > 2000, name
        drawn = rng.integers(2000, len(data), 500)
        for cut in (*range(2000), *drawn, len(data) - 1):
            with pytest.raises(ConvkitError):
                ck.imread(data[:cut])
            cuts += 1
        np.testing.assert_array_equal(ck.imread(data + b"junk" * 99), ck.imread(data), err_msg=name)
    assert cuts >= 30 * 2500
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tiff", ".bmp", ".ppm"])
def test_photos_cut_anywhere_raise(tmp_path, suffix, capfd):
    smooth = np.add.outer(np.arange(200), np.arange(300)).astype(np.uint8)
    photo = np.dstack([smooth, smooth.T[:1].repeat(200, 0)[:, :1] + smooth, 255 - smooth])
    data = make.written(tmp_path, suffix, photo)
    for cut in (*(len(data) * np.array([10, 50, 90, 99]) // 100), *rng.integers(0, len(data), 40)):
        with pytest.raises(ConvkitError):
            ck.imread(data[:cut])
    assert capfd.readouterr().err == ""


def test_what_follows_a_whole_image_is_no_harm(corpus):
    for name, (data, _) in corpus.items():
        np.testing.assert_array_equal(ck.imread(data + b"junk" * 99), ck.imread(data), err_msg=name)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize(
    ("suffix", "dtype", "settings"),
    [
        (".bmp", "uint8", {}),
        (".pnm", "uint16", {}),
        (".pfm", "float32", {}),
        *((".tiff", dtype, {"compression": "none"}) for dtype in ("uint8", "uint16", "int16", "float64")),
    ],
)
def test_pixels_that_lie_in_the_file_as_they_are(tmp_path, suffix, dtype, settings, channels):
    image = make.noise(dtype, channels, (310, 205))  # of many strips, and of many pieces
    data = make.written(tmp_path, suffix, image, **settings)
    found = ck.imread(data)
    np.testing.assert_array_equal(found, image, strict=True)
    assert found.flags.writeable
    assert found.flags.c_contiguous
    assert ck.imread(data, "color").shape == (310, 205, 3)


def test_pixels_that_do_not_lie_as_they_are(tmp_path):
    """What looks as if it could be copied, and is not to be."""
    cv2 = pytest.importorskip("cv2")
    gray, image = make.noise(channels=1), make.noise()
    for name, data in {
        "bits in another order": make.tiff([gray], t266=2),
        "white is 0": make.tiff([gray], t262=0),
    }.items():
        theirs = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
        theirs = theirs[..., ::-1] if theirs.ndim == 3 else theirs
        np.testing.assert_array_equal(ck.imread(data), theirs, err_msg=name)
    whole = bytearray(make.written(tmp_path, ".bmp", image))
    whole[22:26] = struct.pack("<i", -image.shape[0])  # from the top row on
    np.testing.assert_array_equal(ck.imread(bytes(whole)), image[::-1])
    whole[10:14] = struct.pack("<I", 53)
    with pytest.raises(CorruptImage, match="pixels begin at byte 53, in its header"):
        ck.imread(bytes(whole))


@pytest.mark.parametrize("kind", ["progressive", "restart"])
def test_jpegs_of_other_makes(tmp_path, kind):
    cv2 = pytest.importorskip("cv2")
    flag = {"progressive": cv2.IMWRITE_JPEG_PROGRESSIVE, "restart": cv2.IMWRITE_JPEG_RST_INTERVAL}[kind]
    data = cv2.imencode(".jpg", make.noise(size=(40, 50)), [flag, 1])[1].tobytes()
    assert ck.imread(data).shape == (40, 50, 3)
    for cut in range(len(data)):
        with pytest.raises(ConvkitError):
            ck.imread(data[:cut])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["plain", "progressive", "restarts"])
def test_jpegs_whose_data_end_early(tmp_path, kind, channels):
    """Cut, and then an end all the same: its own, or that of another file."""
    cv2 = pytest.importorskip("cv2")
    flags = {
        "plain": [],
        "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 3],
    }[kind]
    whole = cv2.imencode(".jpg", make.noise("uint8", channels, (90, 130)), flags)[1].tobytes()
    assert ck.imread(whole + whole).shape[:2] == (90, 130)
    half = whole.index(b"\xff\0", len(whole) // 2) + 1
    for end in (len(whole) // 3, half, half + 50):
        cut = whole[:end]
        for data in (cut + b"\xff\xd9", cut + whole):
            with pytest.raises(CorruptImage):
                ck.imread(data)
    gray = cv2.imencode(".jpg", np.full((33, 41, 3), 128, np.uint8), flags)[1].tobytes()
    assert (ck.imread(gray) == 128).all()


def test_a_jpeg_without_one_of_its_restarts():
    cv2 = pytest.importorskip("cv2")
    data = cv2.imencode(".jpg", make.noise(size=(40, 90)), [cv2.IMWRITE_JPEG_RST_INTERVAL, 2])[1].tobytes()
    first, second = data.index(b"\xff\xd0"), data.index(b"\xff\xd1")
    for damaged in (data[:first] + data[second:], data[:first] + data[first + 2 :]):
        with pytest.raises(CorruptImage, match="restart"):
            ck.imread(damaged)


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(("components", "adobe"), [(1, None), (3, None), (3, 0), (4, 0), (4, 2)])
def test_scans_of_blocks_that_end_early(components, adobe, together):
    """Of inks, and of a scan for each component: each of them cut inside, and what follows it kept."""
    values = np.random.default_rng(3).integers(0, 250, (6, 9, components))
    whole = make.jpeg_of_flat_blocks(values, adobe, together)
    found = ck.imread(whole)
    assert found.shape[:2] == (48, 72)
    if components == 1:
        np.testing.assert_array_equal(found[::8, ::8], values[..., 0])
    start = whole.index(b"\xff\xda")
    while start > 0:
        data, after = start + 8 + 2 * whole[start + 4], whole.find(b"\xff\xda", start + 2)
        end = len(whole) - 2 if after < 0 else after
        for cut in (data, (data + end) // 2, end - 12):
            with pytest.raises(CorruptImage, match="end before its picture"):
                ck.imread(whole[:cut].rstrip(b"\xff") + whole[end:])
        start = after


@pytest.mark.parametrize("channels", [1, 3])
def test_a_hole_in_the_means_of_a_progressive_jpeg(channels):
    """Its blocks would be gray; the other scans only add to them."""
    cv2 = pytest.importorskip("cv2")
    for restarts in (0, 3):
        flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1, cv2.IMWRITE_JPEG_RST_INTERVAL, restarts]
        whole = cv2.imencode(".jpg", make.noise("uint8", channels, (90, 130)), flags)[1].tobytes()
        assert ck.imread(whole).shape[:2] == (90, 130)
        start = whole.index(b"\xff\xda")
        data, end = start + 8 + 2 * whole[start + 4], start + 2
        while whole[end] != 0xFF or whole[end + 1] in (0, *range(0xD0, 0xD8)):
            end += 1
        for cut in (data, (data + end) // 2, end - 4):
            with pytest.raises(CorruptImage, match=r"end before its picture|restarts?"):
                ck.imread(whole[:cut].rstrip(b"\xff") + whole[end:])


def test_codes_of_sixteen_bits_are_followed():
    """Codes that are longer than most, of each length, to the last block."""
    values = np.random.default_rng(3).integers(0, 250, (6, 9, 1))
    plain = make.jpeg_of_flat_blocks(values)
    start = plain.index(b"\xff\xda") + 10
    codes, at = {}, 0  # one of each length from 5 on, by the difference's size
    for length in range(5, 17):
        codes[length - 5] = f"{at >> (16 - length):0{length}b}"
        at += 1 << (16 - length)
    table = bytes([0, 0, 0, 0, *[1] * 12])
    bits = ""
    for step in np.diff(values.ravel(), prepend=128):
        block = make._flat_block(step)
        bits += codes[int(block[:4], 2)] + block[4:]
    bits += "1" * (-len(bits) % 8)
    stored = int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    head = plain[:start].replace(bytes([0, 0, 0, 12, *[0] * 12]), table)
    found = ck.imread(head + stored + b"\xff\xd9")
    np.testing.assert_array_equal(found[::8, ::8], values[..., 0])
    jpeg.follow(head + stored + b"\xff\xd9", 0, len(head + stored) + 2)
    for cut in range(3, len(stored), 7):
        with pytest.raises(Broken, match="end before its picture"):
            jpeg.follow(head + stored[:-cut].rstrip(b"\xff") + b"\xff\xd9", 0, len(head + stored) - cut + 2)


def test_restarts_of_each_component_are_counted():
    values = np.random.default_rng(3).integers(0, 250, (1, 2, 3))
    whole = make.jpeg_of_flat_blocks(values, None, False)
    start = whole.index(b"\xff\xda")
    with pytest.raises(CorruptImage, match="it has 0 of its 1 restarts"):
        ck.imread(whole[:start] + b"\xff\xdd\0\4\0\1" + whole[start:])


def test_a_jpeg_of_very_many_scans():
    """Each costs the decoder all blocks."""
    cv2 = pytest.importorskip("cv2")
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]
    whole = cv2.imencode(".jpg", make.noise(size=(40, 50)), flags)[1].tobytes()
    start = whole.index(b"\xff\xda")
    end = whole.index(b"\xff", start + 2)
    while whole[end + 1] == 0:
        end = whole.index(b"\xff", end + 2)
    again = whole[:end] + whole[start:end] * 200 + whole[end:]
    with pytest.raises(CorruptImage, match="more than 100 scans"):
        ck.imread(again)


def test_arithmetic_codes_are_not_read():
    whole = make.jpeg_of_flat_blocks(np.full((2, 2, 1), 9))
    with pytest.raises(UnsupportedFormat, match="coded arithmetically"):
        ck.imread(whole.replace(b"\xff\xc0", b"\xff\xc9"))


def test_a_scale_multiplies_nothing():
    """As in the stereo sets, whose scales are 1/255 and whose values are disparities."""
    values = np.array([[1, 3]], np.float32)
    for scale, order in ((b"-0.003922", "<"), (b"2", ">"), (b"+1.0", ">")):
        data = b"Pf\n2 1\n%s\n" % scale + values.astype(order + "f4").tobytes()
        np.testing.assert_array_equal(ck.imread(data), values, strict=True)


# ---- numbers whose white is another -----------------------------------------------------------------


def test_white_becomes_the_largest_number():
    """In every Netpbm file alike, in bytes or in words."""
    rows = np.array([[0, 50, 100], [10, 20, 30]])
    for white, dtype in ((100, np.uint8), (1000, np.uint16)):
        numbers = rows * (white // 100)
        top = np.iinfo(dtype).max
        wanted = np.floor(rows * top / 100 + 0.5).astype(dtype)
        raw = numbers.astype(">u2" if white > 255 else "u1").tobytes()
        words = " ".join(map(str, numbers.ravel())).encode() + b"\n"
        for data in (b"P5 3 2 %d\n" % white + raw, b"P2 3 2 %d\n" % white + words):
            np.testing.assert_array_equal(ck.imread(data), wanted, strict=True)
        for data in (b"P6 1 2 %d\n" % white + raw, b"P3 1 2 %d\n" % white + words):
            np.testing.assert_array_equal(ck.imread(data), wanted.reshape(2, 1, 3), strict=True)
    for data in (b"P5 1 1 9\n\x0a", b"P2 1 1 9\n10\n", b"P2 2 1 9\n1 x \n"):
        with pytest.raises(CorruptImage):
            ck.imread(data)


@pytest.mark.parametrize("masks", [(), (0x7C00, 0x3E0, 0x1F), (0xF800, 0x7E0, 0x1F)])
def test_white_of_a_bmp_of_16_bits(masks):
    depths = (5, 6, 5) if masks[:1] == (0xF800,) else (5, 5, 5)
    drawn = np.random.default_rng(6).integers(0, [1 << bits for bits in depths], (20, 3))
    levels = np.vstack([drawn, np.zeros((1, 3), int), [[(1 << bits) - 1 for bits in depths]]])
    words = levels @ [1 << depths[1] + depths[2], 1 << depths[2], 1]
    found = ck.imread(make.bmp_of_words(words.tolist(), masks))[0]
    assert (found[-1] == 255).all()
    exact = levels * 255 / levels[-1]
    assert np.abs(found - exact).max() < 1
    for header in (52, 56, 108, 124) if masks else ():
        with pytest.raises(UnsupportedFormat, match=f"masks in a header of {header} bytes"):
            ck.imread(make.bmp_of_words(words.tolist(), masks, header))


@pytest.mark.parametrize("bits", [1, 4, 8, 32])
def test_colours_of_a_bmp_of_the_oldest_header(bits):
    palette = bytes([255, 0, 0, 0, 0, 255]).ljust(3 << bits, b"\7") if bits <= 8 else b""
    row = {1: b"\x40\0\0\0", 4: b"\x01\0\0\0", 8: b"\0\1\0\0", 32: b"\xff\0\0\0\0\0\xff\0"}[bits]
    data = make.bmp_of_os2(bits, (2, 1), palette, row)
    assert ck.probe(data).channels == 3
    assert ck.imread(data).tolist() == [[[0, 0, 255], [255, 0, 0]]]
    with pytest.raises(UnsupportedFormat, match="BMP of 16 bits with a header of 12 bytes"):
        ck.imread(make.bmp_of_os2(16, (2, 1), b"", bytes(4)))


def test_words_of_a_pbm_that_are_no_bits():
    assert ck.imread(b"P1 3 1\n1\t0 # one\n1\nrest").tolist() == [[0, 255, 0]]
    with pytest.raises(CorruptImage, match="other than 0 and 1"):
        ck.imread(b"P1 3 1\n1x0y1\n")


# ---- transparency -----------------------------------------------------------------------------------


def test_transparency_of_a_png_that_is_damaged_or_misplaced():
    row, colours = [b"\0\1\2"], (b"PLTE", bytes(range(9)))
    whole = make.png(3, row, chunks=[colours, (b"tRNS", b"\7\xff")])
    assert ck.imread(whole)[0, :, 3].tolist() == [7, 255, 255]
    gray = make.png(0, row, chunks=[(b"tRNS", b"\0\1")])
    assert ck.imread(gray)[0, :, 3].tolist() == [255, 0, 255]
    behind = make.png(3, row, chunks=[colours])
    behind = behind[:-12] + make.chunk(b"tRNS", b"\7\xff") + behind[-12:]
    damaged = [data.replace(b"tRNS\0", b"tRNS\2").replace(b"tRNS\7", b"tRNS\6") for data in (whole, gray)]
    keys = [(0, [(b"tRNS", b"\1")]), (0, [(b"tRNS", b"\0\1\2")]), (3, [(b"tRNS", b"\7\xff"), colours])]
    keys += [(3, [colours, (b"tRNS", key)]) for key in (b"", b"\1\2\3\4")]
    for data in (*damaged, behind, *(make.png(kind, row, chunks=chunks) for kind, chunks in keys)):
        for function in (ck.probe, ck.imread):
            with pytest.raises(CorruptImage, match="tRNS"):
                function(data)


def test_alpha_that_a_webp_does_not_promise(tmp_path):
    still = make.written(tmp_path, ".webp", make.noise(channels=4))
    data = make.webp_with_exif(still, make.exif(1))  # whose flags say nothing of alpha
    with pytest.raises(CorruptImage, match="promises 4 channels, and decodes to 3"):
        ck.imread(data)


# ---- runs of a BMP ----------------------------------------------------------------------------------


@pytest.mark.parametrize("narrow", [False, True])
def test_runs_of_a_bmp_that_end_early(narrow):
    rows = b"\7\x11\0\0", b"\0\7\1\2\3\4\5\6\7\0\0\0", b"\3\2\4\3\0\0"
    if narrow:
        rows = rows[0], b"\0\7\x12\x34\x56\x70\0\0", rows[2]
    whole = b"".join(rows)
    wanted = np.array([[2, 2, 2, 3, 3, 3, 3], [1, 2, 3, 4, 5, 6, 7], [17] * 7], np.uint8)
    if narrow:
        wanted = np.array([[0, 2, 0, 0, 3, 0, 3], [1, 2, 3, 4, 5, 6, 7], [1] * 7], np.uint8)
    for end in (b"\0\1", b""):
        np.testing.assert_array_equal(ck.imread(make.bmp_of_runs(whole + end, (7, 3), narrow)), wanted)
    skipping = make.bmp_of_runs(b"\0\2\0\2" + rows[2] + b"\0\1", (7, 3), narrow)
    if narrow:
        with pytest.raises(UnsupportedFormat, match="whose runs skip pixels"):
            ck.imread(skipping)
    else:
        np.testing.assert_array_equal(ck.imread(skipping), np.vstack([wanted[:1], np.zeros((2, 7))]))
    cuts = [whole[:cut] for cut in range(len(whole) - 2)]
    for data in (*cuts, *(cut + b"\0\1" for cut in cuts[::2])):
        for stored in (None, 0):
            with pytest.raises(CorruptImage):
                ck.imread(make.bmp_of_runs(data, (7, 3), narrow, stored))


# ---- orientation ------------------------------------------------------------------------------------

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


# ---- pages ------------------------------------------------------------------------------------------


def test_pages_of_different_kinds():
    pages = [make.noise(), make.noise("uint16", 1, (3, 4)), make.noise("float32", 1, (6, 2))]
    data = make.tiff(pages)
    assert ck.probe(data).pages == 3
    for found, page in zip(ck.imread_pages(data), pages, strict=True):
        np.testing.assert_array_equal(found, page, strict=True)
    np.testing.assert_array_equal(ck.imread(data), pages[0])
    assert [p.shape for p in ck.imread_pages(data, "gray")] == [(5, 7), (3, 4), (6, 2)]
    for cut in range(len(data)):
        with pytest.raises(ConvkitError):
            ck.imread_pages(data[:cut])


def test_pages_are_turned_and_counted():
    pages = [make.noise(size=(4, 9)) for _ in range(3)]
    data = make.tiff(pages, t274=6)
    for found, page in zip(ck.imread_pages(data), pages, strict=True):
        np.testing.assert_array_equal(found, np.rot90(page, -1))
    with pytest.raises(ImageTooLarge, match="3 pages, the first of 9×4 pixels, more than max_pixels=100"):
        ck.imread_pages(data, max_pixels=100)
    assert ck.imread(data, max_pixels=100).shape == (9, 4, 3)
    assert len(ck.imread_pages(make.png(0, [b"\0\1"]))) == 1


# ---- sources ----------------------------------------------------------------------------------------


def test_every_source(tmp_path):
    data = make.png(0, [b"\1\2\3"])
    path = tmp_path / "a.png"
    path.write_bytes(data)
    with open(path, "rb") as file, open(path, "rb", buffering=0) as raw:
        sources = (str(path), path, data, bytearray(data), memoryview(data), io.BytesIO(data), file, raw)
        for source in sources:
            assert ck.imread(source).tolist() == [[1, 2, 3]]
    behind = io.BytesIO(b"header" + data)
    behind.seek(6)
    assert ck.probe(behind).shape == (1, 3)
    with pytest.raises(TypeError, match=r"mode 'rb'"), open(path, encoding="latin-1") as text:
        ck.imread(text)
    for source in (None, 3, np.zeros((4, 4))):
        with pytest.raises(TypeError, match=rf"source is {type(source).__name__}; expected"):
            ck.imread(source)
    with pytest.raises(TypeError, match="path is BytesIO; expected a file's name"):
        ck.imwrite(io.BytesIO(), make.noise())


@pytest.mark.skipif(os.name != "posix", reason="links, pipes and devices")
def test_links_pipes_and_devices(tmp_path):
    data = make.png(0, [b"\1\2\3"])
    (tmp_path / "文件 🖼.png").write_bytes(data)
    (tmp_path / "link").symlink_to("文件 🖼.png")
    (tmp_path / "loop").symlink_to("loop")
    assert ck.imread(tmp_path / "link").shape == (1, 3)
    with pytest.raises(ConvkitError, match="loop"):
        ck.imread(tmp_path / "loop")
    reading, writing = os.pipe()
    os.write(writing, data)
    os.close(writing)
    with open(reading, "rb") as pipe:
        assert ck.imread(pipe).shape == (1, 3)
    with pytest.raises(UnsupportedFormat):  # endless
        ck.imread("/dev/zero")
    with pytest.raises(CorruptImage, match="empty"):
        ck.imread("/dev/null")


def test_the_systems_errors_are_ours_too(tmp_path):
    for path, kind in ((tmp_path / "none.png", FileNotFoundError), (tmp_path, IsADirectoryError)):
        with pytest.raises(kind) as caught:
            ck.imread(path)
        assert isinstance(caught.value, ConvkitError)
        assert caught.value.filename == str(path)
        assert str(path) in str(caught.value)


def test_a_file_that_gives_little_at_a_time():
    class Slow(io.BytesIO):
        def read(self, size=-1):
            return super().read(min(size, 3))

    for data in (make.png(0, [b"\1\2\3"]), make.written_webp(make.noise())):
        np.testing.assert_array_equal(ck.imread(Slow(data)), ck.imread(data))


def test_an_endless_file_is_left(tmp_path):
    class Endless(io.RawIOBase):
        name = "endless"
        first = make.png(0, [b"\1"])[:40]

        def read(self, size=-1):
            piece, self.first = self.first or bytes(size), b""
            return piece

    with pytest.raises(ImageTooLarge, match="endless is longer than max_bytes=5000000"):
        ck.imread(Endless(), max_bytes=5_000_000)


ROOM = """
import resource, sys, convkit as ck
data = open(sys.argv[1], "rb").read()
ck.imread(data)
size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (size + (int(sys.argv[2]) << 20),) * 2)
try:
    ck.imread(data)
except MemoryError as error:
    print(error)
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="limits of memory")
@pytest.mark.parametrize(("suffix", "megabytes"), [(".png", 4), (".jpg", 40), (".webp", 30), (".tiff", 4)])
def test_no_memory_is_not_damage(tmp_path, suffix, megabytes):
    cv2 = pytest.importorskip("cv2")
    flags = [cv2.IMWRITE_JPEG_PROGRESSIVE, 1] if suffix == ".jpg" else []
    data = cv2.imencode(suffix, np.zeros((3000, 4000, 3), np.uint8), flags)[1].tobytes()
    (tmp_path / "a").write_bytes(data)
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    command = [sys.executable, "-c", ROOM, tmp_path / "a", str(megabytes)]
    told = subprocess.run(command, env=environment, text=True, capture_output=True, check=True).stdout
    assert "memory" in told or "Unable to allocate" in told


# ---- limits, dtypes ---------------------------------------------------------------------------------


def lying(size):
    """Headers that promise a picture of `size` (width, height), by format."""
    width, height = size
    jpeg = (
        b"\xff\xd8\xff\xc0\0\x11\x08"
        + struct.pack(">HH", min(height, 65535), min(width, 65535))
        + b"\x03\1\x11\0\2\x11\0\3\x11\0"
    )
    jpeg += b"\xff\xda\0\x0c\3\1\0\2\0\3\0\0\x3f\0\0\xff\xd9"
    small = make.tiff([make.noise(channels=1)], t256=width, t257=height, t259=5)
    webp = (
        b"WEBPVP8L" + struct.pack("<IBI", 5, 0x2F, (width - 1 & 0x3FFF) | (height - 1 & 0x3FFF) << 14) + b"\0"
    )
    return {
        "PNG": make.png(2, [b"\0" * 3], size=size),
        "JPEG": jpeg,
        "TIFF": small,
        "WebP": b"RIFF" + struct.pack("<I", len(webp)) + webp,
        "BMP": b"BM" + struct.pack("<IIIIiiHHIIIIII", 0, 0, 54, 40, width, height, 1, 24, 0, 0, 0, 0, 0, 0),
        "PPM": b"P6 %d %d 255\n" % size,
        "PFM": b"PF %d %d -1.0\n" % size,
    }


@pytest.mark.parametrize("kind", lying((1, 1)))
def test_a_header_that_promises_too_much_is_refused_before_decoding(kind, monkeypatch):
    monkeypatch.setattr("convkit.io.read.opencv", lambda: pytest.fail("the decoder was asked"))
    size = (100_000, 100_000) if kind in ("PNG", "TIFF") else (16_000, 16_000)
    with pytest.raises((ImageTooLarge, CorruptImage), match=r"16000|100000|it has \d+ of"):
        ck.imread(lying(size)[kind])


def test_limits_can_be_moved(corpus):
    data, image = corpus["uint8×3.png"]
    with pytest.raises(ImageTooLarge, match=r"promises 7×5 pixels, more than max_pixels=34; pass a larger"):
        ck.imread(data, max_pixels=34)
    np.testing.assert_array_equal(ck.imread(data, max_pixels=35), image)
    with pytest.raises(ImageTooLarge, match="longer than max_bytes=100"):
        ck.imread(data, max_bytes=100)
    small = make.png(2, [bytes(3000)] * 100)
    with pytest.raises(ImageTooLarge, match="300000 bytes, more than max_bytes=20000"):
        ck.imread(small, max_bytes=20_000)
    for given, error in (({"max_pixels": 0}, ValueError), ({"max_bytes": "1"}, TypeError)):
        with pytest.raises(error):
            ck.imread(data, **given)


@pytest.mark.parametrize("kind", lying((1, 1)))
def test_headers_that_lie_a_little(kind, capfd):
    """More pixels than there are data for: an exception, and no gray rows."""
    with pytest.raises(ConvkitError):
        ck.imread(lying((300, 200))[kind])


def test_a_dtype_that_holds_all_values(corpus):
    data, image = corpus["uint8×3.png"]
    for dtype in ("uint8", "uint16", "float32", np.float64):
        np.testing.assert_array_equal(ck.imread(data, dtype=dtype), image.astype(dtype), strict=True)
    with pytest.raises(TypeError, match=r"holds uint16, and uint8 does not .* pass ck\.to_uint8\(image\)"):
        ck.imread(corpus["uint16×3.png"][0], dtype="uint8")
    with pytest.raises(TypeError, match="does not hold all its values; pass dtype='float32'"):
        ck.imread(corpus["uint16×3.png"][0], dtype="int16")
    with pytest.raises(TypeError, match=r"pass ck\.to_uint8\(image, range=\(0, 1\)\)"):
        ck.imread(corpus["float32×3.pfm"][0], dtype="uint8")
    with pytest.raises(TypeError, match="dtype is 'int8'"):
        ck.imread(data, dtype="int8")


@pytest.mark.parametrize("number", [b"9" * 5000, b"0" * 4999 + b"1", b"1234567890"])
def test_text_of_endless_numbers(number):
    with pytest.raises(CorruptImage, match="longer ones than there are"):
        ck.imread(b"P2 1 1 255\n" + number + b"\n")


def test_text_takes_little_more_memory_than_it_has():
    data = b"P2 2 1 255\n" + b"10 20 " * 1_000_000
    tracemalloc.start()
    assert ck.imread(data).tolist() == [[10, 20]]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 4 * len(data)


def test_words_of_text_that_end_at_a_block(monkeypatch):
    monkeypatch.setattr("convkit.io.headers.pnm.SOME", 3)
    for gap in (b" ", b"  ", b"\n \n"):
        data = b"P2 4 2 255\n" + gap.join(b"%d" % n for n in range(95, 103)) + b"\n"
        assert ck.imread(data).ravel().tolist() == list(range(95, 103))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (make.tiff([np.zeros((2, 2), np.uint32)]), "TIFF of unsigned integers of 32 bits"),
        (make.tiff([np.zeros((2, 2, 5), np.uint8)]), "TIFF of 5 channels"),
        (
            make.pieced(np.zeros((2, 2, 2), np.float32), compression=5, predictor=3),
            "TIFF of gray with alpha of this making",
        ),
        (make.tiff([np.zeros((2, 2), np.uint8)], t258=4), "TIFF of 4 bits"),
        (make.bmp_of_masks(32, (0xFF, 0xFF00, 0xFF0000)), "BMP of 32 bits whose masks are 0xff, 0xff00"),
        (make.bmp_of_masks(16, (0xF00, 0xF0, 0xF)), "BMP of 16 bits whose masks are 0xf00"),
        (b"P6 1 1 70000\n" + bytes(6), "PNM whose white is 70000"),
        (
            b"BM" + struct.pack("<IIIIiiHHIIIIII", 0, 0, 54, 40, 1, 1, 1, 24, 4, 0, 0, 0, 0, 0),
            "BMP of 24 bits",
        ),
    ],
)
def test_kinds_that_are_not_read(data, message):
    with pytest.raises(UnsupportedFormat, match=message):
        ck.imread(data)


def test_gray_of_a_tiff_with_alpha():
    image = make.noise(channels=2)
    np.testing.assert_array_equal(ck.imread(make.tiff([image]), "gray"), image[..., 0])


# ---- files that were made to hurt -------------------------------------------------------------------


def test_pages_in_a_circle():
    data = bytearray(make.tiff([make.noise(channels=1)] * 2))
    (first,) = struct.unpack_from("<I", data, 4)
    data[-4:] = struct.pack("<I", first)
    with pytest.raises(CorruptImage, match="circle"):
        ck.imread(bytes(data))


def test_places_beyond_64_bits():
    data = bytearray(make.tiff([make.noise(channels=1)], big=True))
    data[8:16] = b"\xff" * 8
    with pytest.raises(CorruptImage, match="far behind its end"):
        ck.imread(bytes(data))


def test_files_of_very_many_parts():
    jpeg = b"\xff\xd8" + b"\xff\xfe\0\2" * 200_000
    webp = b"WEBP" + b"JUNK\0\0\0\0" * 200_000
    for data in (
        make.png(0, [b"\1"], chunks=[(b"teXt", b"")] * 200_000),
        jpeg,
        b"RIFF" + struct.pack("<I", len(webp)) + webp,
        b"II*\0\x08\0\0\0" + (b"\xff\xff" + bytes(12 * 65535 - 2)) * 3,
    ):
        with pytest.raises(CorruptImage, match=r"parts|behind its end|cut short"):
            ck.imread(data)


def test_text_of_a_png_is_not_unpacked():
    """Each of these would be eight megabytes: the decoder does not see them."""
    text = b"a\0\0" + zlib.compress(bytes(7_900_000), 9)
    data = make.png(0, [b"\1\2"], chunks=[(kind, text) for kind in (b"zTXt", b"iTXt", b"iCCP")] * 300)
    assert headers.read("PNG", data).shown.of(data) == make.png(0, [b"\1\2"])
    assert ck.imread(data).tolist() == [[1, 2]]


def test_the_image_of_an_animated_png_is_the_one_outside_of_its_frames():
    frames = [
        (b"acTL", struct.pack(">II", 1, 0)),
        (b"fcTL", struct.pack(">IIIIIHHBB", 0, 2, 1, 0, 0, 1, 10, 0, 0)),
        (b"fdAT", struct.pack(">I", 1) + zlib.compress(b"\0\7\7")),
    ]
    assert ck.imread(make.png(0, [b"\1\2"], chunks=frames[:1])).tolist() == [[1, 2]]
    whole = make.png(0, [b"\1\2"], chunks=frames[:1])
    behind = whole[:-12] + b"".join(make.chunk(*frame) for frame in frames[1:]) + whole[-12:]
    assert ck.imread(behind).tolist() == [[1, 2]]


def test_the_image_of_an_animated_webp_is_its_first_frame():
    frames = [make.noise(), make.noise()]
    stills = [make.written_webp(frame[..., ::-1]) for frame in frames]
    height, width = frames[0].shape[:2]
    np.testing.assert_array_equal(ck.imread(make.webp_of_frames(stills, (width, height))), frames[0])
    for size, place in (((width + 2, height + 2), 1), ((width + 1, height), 0)):
        with pytest.raises(UnsupportedFormat, match="first frame leaves out part of its canvas"):
            ck.imread(make.webp_of_frames(stills, size, place))


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT"])
def test_checksums_of_a_png_are_checked(name):
    data = bytearray(make.png(2, [bytes(range(30))] * 4))
    data[data.index(name) + 13] ^= 1
    with pytest.raises(CorruptImage, match=rf"checksum of its chunk {name!r}"):
        ck.imread(bytes(data))


def test_a_nul_in_the_name(tmp_path):
    for function in (ck.imread, ck.probe, ck.imread_pages):
        with pytest.raises(ValueError, match="null"):
            function(f"{tmp_path}/a\0.png")


def test_the_log_level_of_opencv_is_put_back():
    cv2 = pytest.importorskip("cv2")
    log = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    before = log.setLogLevel(4)
    try:
        with pytest.raises(ConvkitError):
            ck.imread(b"P6 9 9 255\n")
        ck.imread(make.png(0, [b"\1"]))
        assert log.getLogLevel() == 4
    finally:
        log.setLogLevel(before)


def test_paths_are_told_by_their_type(tmp_path):
    with pytest.raises(UnsupportedFormat, match=r"begins with b'a\.png'"):
        ck.imread(b"a.png")
