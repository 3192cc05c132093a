"""The Netpbm family: numbers as text, then pixels (PBM, PGM, PPM), and PFM, its kin of floats."""

from __future__ import annotations

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from convkit.io.headers.header import Broken, Header, Raw, Shown, Unsupported, holds

# A number, after white space and comments.
NUMBER = re.compile(rb"(?:\s|#[^\n\r]*[\n\r])+(\d{1,9})(?!\d)")
# The last of them, with the one byte of white space, or the comment, that pixels follow.
LAST = re.compile(NUMBER.pattern + rb"(?:\s|#[^\n\r]*[\n\r])")
PFM = re.compile(rb"P[Ff]\s+(\d{1,9})\s+(\d{1,9})\s+([-+]?[0-9.]+(?:[eE][-+]?\d+)?)\s")
TEXT = (b"P1", b"P2", b"P3")
SPACE = re.compile(rb"\s")
WHITE = b" \t\n\v\f\r"
SOME = 1 << 16  # bytes of text
MOST_DIGITS = 9
COMMENT = re.compile(rb"#[^\n\r]*")


def read(data: bytes) -> Header:
    """The header; all pixels must be there, and white space behind the last one that is text."""
    magic, at, numbers = data[:2], 2, []
    for number in (NUMBER, LAST) if magic in (b"P1", b"P4") else (NUMBER, NUMBER, LAST):
        found = number.match(data, at)
        if found is None:
            raise Broken("its header is cut short or malformed")
        numbers.append(int(found[1]))
        at = found.end()
    width, height, top = (*numbers, 1)[:3]
    if not 1 <= top <= 65535:
        raise Unsupported(f"PNM whose white is {top}")
    channels = 3 if magic in (b"P3", b"P6") else 1
    dtype = "uint16" if top > 255 else "uint8"
    raw, shown, text = None, None, 0
    if magic in TEXT:
        text = at
        _check_text(data, at, width * height * channels, magic == b"P1")
    else:
        line = (width + 7) // 8 if magic == b"P4" else width * channels * (2 if top > 255 else 1)
        holds(data, at + line * height)
        if magic != b"P4":
            raw = Raw(at, line, ">u2" if top > 255 else "u1")
        elif b"#" in data[:at]:  # the decoder takes one behind the last number for the white space
            shown = Shown(b"P4 %d %d\n" % (width, height), ((at, at + line * height),))
    white = 0 if top in (255, 65535) or magic == b"P4" else top
    return Header(height, width, channels, dtype, raw=raw, shown=shown, text=text, white=white)


def _check_text(data: bytes, at: int, numbers: int, bits: bool) -> None:
    if len(data) - at < numbers:  # each takes a byte at least
        raise Broken(f"it has fewer than its {numbers} numbers")
    text = COMMENT.sub(b"", data[at:])
    found = text.count(b"0") + text.count(b"1") if bits else sum(map(len, _words(text)))
    if found < numbers or (not bits and found == numbers and not text[-1:].isspace()):
        raise Broken(f"it has {found} of its {numbers} numbers, or ends inside the last")


def _words(text: bytes) -> Iterator[list[bytes]]:
    """The words of a text, some at a time: all together they would take many times its memory."""
    at = 0
    while at < len(text):
        end = len(text)
        if at + SOME < end:
            found = SPACE.search(text, at + SOME)
            end = found.end() if found else end
        yield text[at:end].split()
        at = end


def numbers(data: bytes, at: int, count: int) -> NDArray[np.uint32]:
    """The first numbers of the text at `at`; of a PBM, each is one digit, and 1 is black."""
    text = COMMENT.sub(b"", data[at:])
    if data[:2] == b"P1":
        packed = text.translate(None, WHITE)[:count]
        if packed.strip(b"01"):
            raise Broken("its pixels are other than 0 and 1")
        digits = np.frombuffer(packed, np.uint8)
        return np.where(digits == ord("0"), np.uint32(1), np.uint32(0))
    found = np.empty(count, np.uint32)
    done = 0
    for words in _words(text):
        words = words[: count - done]
        if not all(map(bytes.isdigit, words)) or max(map(len, words), default=0) > MOST_DIGITS:
            raise Broken("its pixels are no numbers, or longer ones than there are")
        found[done : done + len(words)] = list(map(int, words))
        done += len(words)
    return found


def read_float(data: bytes) -> Header:
    """The header of a PFM; all pixels must be there."""
    found = PFM.match(data)
    if found is None:
        raise Broken("its header is cut short or malformed")
    width, height = int(found[1]), int(found[2])
    channels = 3 if data[:2] == b"PF" else 1
    holds(data, found.end() + 4 * width * height * channels)
    order = "<f4" if found[3].startswith(b"-") else ">f4"  # that is what the scale's sign says
    line = 4 * width * channels
    raw = Raw(found.end() + (height - 1) * line, -line, order)  # from the last row on
    return Header(height, width, channels, "float32", raw=raw)
