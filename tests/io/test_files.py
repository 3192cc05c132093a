"""Every format, depth and kind of pixel, whole and cut; white and alpha; pages."""

import struct

import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit._opencv import quiet
from convkit.errors import ConvkitError, CorruptImage, ImageTooLarge, UnsupportedFormat

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


def test_one_white_space_or_a_comment_is_behind_the_header_of_a_pnm():
    for data in (b"P5 3 1 255\n123", b"P5 3 1 255\t123", b"P5 3 1 255#abcdef\n123"):
        assert ck.imread(data).tolist() == [[*b"123"]]
    assert ck.imread(b"P2 1 1 255#abc\n7\n").tolist() == [[7]]
    for data in (b"P4 3 1\n\xa0", b"P4 3 1#abc\n\xa0"):
        assert ck.imread(data).tolist() == [[0, 255, 0]]
    for data in (b"P5 3 1 255xabc", b"P5 3 1 255\0abc", b"P6 1 1 255xabc", b"P4 3 1x\xa0"):
        with pytest.raises(CorruptImage, match="header is cut short or malformed"):
            ck.imread(data)


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


# ---- limits, dtypes ---------------------------------------------------------------------------------


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


def test_the_log_level_of_opencv_is_put_back():
    cv2 = pytest.importorskip("cv2")
    log = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
    before = log.setLogLevel(4)
    try:
        with pytest.raises(ConvkitError):
            ck.imread(b"P6 9 9 255\n")
        ck.imread(make.png(0, [b"\1"]))
        assert log.getLogLevel() == 4
        with quiet:
            ck.imread(make.png(0, [b"\1"]))  # as another thread may
            assert log.getLogLevel() == 0
        assert log.getLogLevel() == 4
    finally:
        log.setLogLevel(before)
