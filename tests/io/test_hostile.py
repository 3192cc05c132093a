"""Headers that promise too much, and files that were made to hurt."""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit.errors import ConvkitError, CorruptImage, ImageTooLarge, UnsupportedFormat
from convkit.io import headers


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
    monkeypatch.setattr("convkit.io.decode.opencv", lambda: pytest.fail("the decoder was asked"))
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
    assert headers.read("PNG", data, "a file").shown.of(data) == make.png(0, [b"\1\2"])
    assert ck.imread(data).tolist() == [[1, 2]]


def test_the_image_of_an_animated_png_is_the_one_outside_of_its_frames():
    frames = [
        (b"acTL", struct.pack(">II", 1, 0)),
        (b"fcTL", struct.pack(">IIIIIHHBB", 0, 2, 1, 0, 0, 1, 10, 0, 0)),
        (b"fdAT", struct.pack(">I", 1) + zlib.compress(b"\0\7\7")),
    ]
    assert ck.imread(make.png(0, [b"\1\2"], chunks=frames[:1])).tolist() == [[1, 2]]
    whole = make.png(0, [b"\1\2"], chunks=frames[:1])
    assert ck.probe(whole).frames == 1
    several = make.png(0, [b"\1\2"], chunks=[(b"acTL", struct.pack(">II", 5, 0))])
    assert (ck.probe(several).frames, ck.probe(several).pages) == (5, 1)
    behind = whole[:-12] + b"".join(make.chunk(*frame) for frame in frames[1:]) + whole[-12:]
    assert ck.imread(behind).tolist() == [[1, 2]]


def test_the_image_of_an_animated_webp_is_its_first_frame():
    frames = [make.noise(), make.noise()]
    stills = [make.written_webp(frame[..., ::-1]) for frame in frames]
    height, width = frames[0].shape[:2]
    animation = make.webp_of_frames(stills, (width, height))
    np.testing.assert_array_equal(ck.imread(animation), frames[0])
    assert ck.probe(animation).frames == 2
    for size, place in (((width + 2, height + 2), 1), ((width + 1, height), 0)):
        with pytest.raises(UnsupportedFormat, match="first frame leaves out part of its canvas"):
            ck.imread(make.webp_of_frames(stills, size, place))


def test_why_a_png_is_not_decoded():
    rows = [bytes(range(30))] * 4
    whole = make.png(2, rows)
    for size, words in (((10, 5), "it has 124 of the 155 bytes of its rows"), ((12, 4), "124 of the 148")):
        with pytest.raises(CorruptImage, match=words):
            ck.imread(make.png(2, rows, size=size))
    interlaced = whole[:28] + b"\1" + struct.pack(">I", zlib.crc32(whole[12:28] + b"\1")) + whole[33:]
    with pytest.raises(CorruptImage, match="it has 124 of the 128 bytes"):  # eight lines in seven passes
        ck.imread(interlaced)
    data = bytearray(zlib.compress(b"".join(b"\0" + row for row in rows)))
    data[-1] ^= 1
    head = whole[: whole.index(b"IDAT") - 4]
    with pytest.raises(CorruptImage, match=r"cannot be inflated: .*incorrect data check"):
        ck.imread(head + make.chunk(b"IDAT", bytes(data)) + whole[-12:])


def test_a_side_that_a_decoder_does_not_take():
    wide = make.pieced(
        np.zeros((1, (1 << 20) + 8), np.float32), compression=8, predictor=3, compress=zlib.compress
    )
    for data, words in (
        (make.png(0, [bytes(1_000_001)]), "PNG file of 1000001×1 pixels, .* at most 1000000 a side"),
        (make.png(0, [b"\0"] * 1_000_001), "PNG file of 1×1000001 pixels, .* at most 1000000 a side"),
        (wide, "TIFF file of 1048584×1 pixels, .* at most 1048576 a side"),
    ):
        with pytest.raises(ImageTooLarge, match=words):
            ck.imread(data)


@pytest.mark.parametrize("name", [b"IHDR", b"IDAT"])
def test_checksums_of_a_png_are_checked(name):
    data = bytearray(make.png(2, [bytes(range(30))] * 4))
    data[data.index(name) + 13] ^= 1
    with pytest.raises(CorruptImage, match=rf"checksum of its chunk {name!r}"):
        ck.imread(bytes(data))
