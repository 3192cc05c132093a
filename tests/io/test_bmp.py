"""BMPs: masks, old headers, runs."""

import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit.errors import CorruptImage, UnsupportedFormat


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
