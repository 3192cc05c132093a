"""JPEGs of every make, whole and with holes."""

import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit.errors import ConvkitError, CorruptImage, UnsupportedFormat
from convkit.io.headers import Broken, jpeg


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
