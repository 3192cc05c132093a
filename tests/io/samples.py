"""Small files of every format and kind, made here byte by byte where OpenCV does not write them."""

from __future__ import annotations

import struct
import zlib

import cv2
import numpy as np

import convkit as ck

rng = np.random.default_rng(30)
HEIGHT, WIDTH = 5, 7


def noise(dtype="uint8", channels=3, size=(HEIGHT, WIDTH)):
    shape = size if channels == 1 else (*size, channels)
    if np.dtype(dtype).kind == "f":
        return rng.normal(0, 100, shape).astype(dtype)
    return rng.integers(np.iinfo(dtype).min, np.iinfo(dtype).max, shape, dtype, endpoint=True)


def chunk(kind, body):
    """A chunk of a PNG."""
    return len(body).to_bytes(4, "big") + kind + body + zlib.crc32(kind + body).to_bytes(4, "big")


def png(kind, rows, depth=8, chunks=(), size=None):
    """A PNG of `rows` (bytes each); `size` is what its header claims."""
    bits = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[kind] * depth
    width, height = size or (len(rows[0]) * 8 // bits, len(rows))
    header = struct.pack(">IIBBBBB", width, height, depth, kind, 0, 0, 0)
    data = zlib.compress(b"".join(b"\0" + row for row in rows))
    parts = [(b"IHDR", header), *chunks, (b"IDAT", data), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(*part) for part in parts)


def exif(orientation, order=">"):
    """An EXIF block that holds an orientation alone."""
    start = b"MM\0*" if order == ">" else b"II*\0"
    return start + struct.pack(order + "IHHHIHHI", 8, 1, 0x0112, 3, 1, orientation, 0, 0)


def with_exif(jpeg, block):
    """A JPEG with an EXIF block in front."""
    body = b"Exif\0\0" + block
    return jpeg[:2] + b"\xff\xe1" + struct.pack(">H", len(body) + 2) + body + jpeg[2:]


def webp_with_exif(webp, block):
    """A WebP of one plain chunk as an extended one with an EXIF block."""
    height, width = ck.imread(webp).shape[:2]
    size = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes([8, 0, 0, 0]) + size + webp[12:]
    body += b"EXIF" + struct.pack("<I", len(block)) + block + b"\0" * (len(block) % 2)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def webp_of_frames(stills, size, place=0, flags=0x02):
    """An animation of a canvas of `size` (width, height), of still pictures, the first of them at `place`."""

    def three(*numbers):
        return b"".join(number.to_bytes(3, "little") for number in numbers)

    body = b"WEBPVP8X" + struct.pack("<II", 10, flags) + three(size[0] - 1, size[1] - 1)
    body += b"ANIM" + struct.pack("<IIH", 6, 0xFFFFFFFF, 0)
    for still in stills:
        height, width = ck.imread(still).shape[:2]
        frame = three(place, place, width - 1, height - 1, 100) + b"\0" + still[still.index(b"VP8") :]
        body += b"ANMF" + struct.pack("<I", len(frame)) + frame
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bmp_of_masks(bits, masks):
    """A BMP of one pixel whose colours lie as `masks` say."""
    header = struct.pack("<IiiHHIIIIII", 40, 1, 1, 1, bits, 3, 4, 0, 0, 0, 0) + struct.pack("<III", *masks)
    return b"BM" + struct.pack("<IHHI", 70, 0, 0, 66) + header + bytes([1, 2, 3, 4])


def bmp_of_os2(bits, size, palette, rows):
    """A BMP whose header has 12 bytes, of `rows` from the last on; `palette` is of blue, green and red."""
    at = 26 + len(palette)
    header = struct.pack("<IHHHH", 12, *size, 1, bits)
    return b"BM" + struct.pack("<IHHI", at + len(rows), 0, 0, at) + header + palette + rows


def bmp_of_words(words, masks=(), header=40):
    """A BMP of one row of pixels of 16 bits."""
    stored = struct.pack(f"<{len(words)}H", *words)
    stored += bytes(-len(stored) % 4)
    told = struct.pack(
        "<IiiHHIIIIII", header, len(words), 1, 1, 16, 3 if masks else 0, len(stored), 0, 0, 0, 0
    )
    told += b"".join(struct.pack("<I", mask) for mask in masks)
    told = told.ljust(header, b"\0")
    at = 14 + len(told)
    return b"BM" + struct.pack("<IHHI", at + len(stored), 0, 0, at) + told + stored


def bmp_of_runs(runs, size, narrow, stored=None):
    """A BMP of a gray palette."""
    bits = 4 if narrow else 8
    palette = b"".join(bytes([i, i, i, 0]) for i in range(1 << bits))
    at, told = 54 + len(palette), len(runs) if stored is None else stored
    header = struct.pack("<IiiHHIIIIII", 40, *size, 1, bits, 2 if narrow else 1, told, 0, 0, 0, 0)
    return b"BM" + struct.pack("<IHHI", at + len(runs), 0, 0, at) + header + palette + runs


def tiff(images, order="<", big=False, **tags):
    """An uncompressed TIFF or BigTIFF of one strip a page; `tags` (t274=6) are added, or replaced."""
    mark, entry = ("HHQ", "Q") if big else ("HHI", "I")
    start = {
        ("<", 0): b"II*\0",
        (">", 0): b"MM\0*",
        ("<", 1): b"II+\0\x08\0\0\0",
        (">", 1): b"MM\0+\0\x08\0\0",
    }
    data = bytearray(start[order, int(big)] + struct.pack(order + entry, 0))
    link = len(data) - struct.calcsize(entry)
    for image in images:
        pixels = image.astype(image.dtype.newbyteorder(order)).tobytes()
        at = len(data)
        data += pixels + b"\0" * (len(pixels) % 2)
        samples = 1 if image.ndim == 2 else image.shape[2]
        found = {
            256: image.shape[1],
            257: image.shape[0],
            258: image.itemsize * 8,
            259: 1,
            262: 2 if samples >= 3 else 1,
            273: at,
            277: samples,
            278: image.shape[0],
            279: len(pixels),
            339: {"u": 1, "i": 2, "f": 3}[image.dtype.kind],
        }
        found |= {int(name[1:]): value for name, value in tags.items()}
        listed = {258: [found[258]] * samples, 339: [found[339]] * samples}
        if samples in (2, 4):
            found[338] = 2
        places = {}
        for tag, values in listed.items():
            if 2 * len(values) > struct.calcsize(entry):
                places[tag] = len(data)
                data += struct.pack(f"{order}{len(values)}H", *values)
                data += b"\0" * (len(data) % 2)
        data[link : link + struct.calcsize(entry)] = struct.pack(order + entry, len(data))
        data += struct.pack(order + ("Q" if big else "H"), len(found))
        for tag, value in sorted(found.items()):
            values = listed.get(tag, [value])
            kind = 3 if tag in (258, 259, 262, 274, 277, 338, 339) else 4
            if tag in places:
                body = struct.pack(order + entry, places[tag])
            else:
                body = struct.pack(f"{order}{len(values)}{'H' if kind == 3 else 'I'}", *values)
            data += struct.pack(order + mark, tag, kind, len(values)) + body.ljust(
                struct.calcsize(entry), b"\0"
            )
        link = len(data)
        data += struct.pack(order + entry, 0)
    return bytes(data)


def lzw(data):
    """TIFF's LZW of codes of 9 bits alone: single bytes, and a new table before they would grow."""
    codes = []
    for i in range(0, len(data), 250):
        codes += [256, *data[i : i + 250]]
    return of_nine_bits([*codes, 257])


def lzw_of_strings(data):
    """TIFF's LZW as it is meant, with a new table before codes would grow beyond 9 bits."""
    codes, table, last = [256], {}, b""
    for byte in data:
        longer = last + bytes([byte])
        if len(longer) == 1 or longer in table:
            last = longer
            continue
        codes.append(table[last] if len(last) > 1 else last[0])
        table[longer] = 258 + len(table)
        last = longer[-1:]
        if len(table) == 250:
            codes.append(last[0])
            codes.append(256)
            table, last = {}, b""
    codes += [table[last] if len(last) > 1 else last[0]] if last else []
    return of_nine_bits([*codes, 257])


def of_nine_bits(codes):
    """Numbers of nine bits, one after another."""
    bits = "".join(f"{code:09b}" for code in codes)
    bits += "0" * (-len(bits) % 8)
    return int(bits, 2).to_bytes(len(bits) // 8, "big")


def packbits(data):
    """Runs of bytes as they are."""
    runs = (data[i : i + 128] for i in range(0, len(data), 128))
    return b"".join(bytes([len(run) - 1]) + run for run in runs)


def jpeg_of_flat_blocks(values, adobe=None, together=True):
    """A JPEG of blocks of one value each (rows, columns, components), in one scan or one for each."""
    rows, columns, count = values.shape
    names = range(1, count + 1)
    data = b"\xff\xd8\xff\xdb\0\x43\0" + bytes([8] * 64)
    if adobe is not None:
        data += b"\xff\xee\0\x0eAdobe\0\x64\0\0\0\0" + bytes([adobe])
    data += b"\xff\xc0" + struct.pack(">HBHHB", 8 + 3 * count, 8, 8 * rows, 8 * columns, count)
    data += b"".join(bytes([name, 0x11, 0]) for name in names)
    data += b"\xff\xc4\0\x1f\0" + bytes([0, 0, 0, 12, *[0] * 12, *range(12)])  # codes of four bits
    data += b"\xff\xc4\0\x14\x10" + bytes([1, *[0] * 15, 0])  # one bit: the end of a block
    steps = np.diff(values.reshape(-1, count).astype(int), axis=0, prepend=128)
    for scan in [list(names)] if together else [[name] for name in names]:
        data += b"\xff\xda" + struct.pack(">HB", 6 + 2 * len(scan), len(scan))
        data += b"".join(bytes([name, 0]) for name in scan) + b"\0\x3f\0"
        bits = "".join(_flat_block(step) for step in steps[:, [name - 1 for name in scan]].ravel())
        bits += "1" * (-len(bits) % 8)
        data += int(bits, 2).to_bytes(len(bits) // 8, "big").replace(b"\xff", b"\xff\0")
    return data + b"\xff\xd9"


def _flat_block(step):
    """The bits of a block that differs by `step` from the one before."""
    size = int(abs(step)).bit_length()
    low = step if step >= 0 else step + (1 << size) - 1
    return f"{size:04b}" + (f"{low:0{size}b}" if size else "") + "0"


def as_jpeg(width, flags=()):
    """What packs rows of so many gray pixels as a JPEG."""

    def compress(rows):
        image = np.frombuffer(rows, np.uint8).reshape(-1, width)
        return cv2.imencode(".jpg", image, list(flags))[1].tobytes()

    return compress


COMPRESSORS = {1: bytes, 5: lzw, 8: zlib.compress, 32773: packbits}


def differences(block, predictor, order):
    """The bytes of an HWC block as TIFF's predictors store them."""
    if predictor == 2:
        unsigned = block.view(f"u{block.itemsize}")
        block = np.diff(unsigned, axis=1, prepend=np.zeros_like(unsigned[:, :1]))
    if predictor == 3:
        rows, columns, samples = block.shape
        parts = np.ascontiguousarray(block.astype(block.dtype.newbyteorder(">"))).view(np.uint8)
        parts = parts.reshape(rows, columns * samples, -1).swapaxes(1, 2).reshape(rows, -1, samples)
        return np.diff(parts, axis=1, prepend=np.zeros_like(parts[:, :1])).tobytes()
    return block.astype(block.dtype.newbyteorder(order)).tobytes()


def pieced(image, order="<", size=(3, None), planar=False, compression=1, predictor=1, compress=None, **tags):
    """A TIFF of strips of so many rows, or of tiles; `tags` (t274=6) are added, or replaced."""
    hwc = image.reshape(*image.shape[:2], -1)
    height, width, samples = hwc.shape
    down, across = size[0], size[1] or width
    blocks = []
    for plane in np.split(hwc, samples, axis=2) if planar else [hwc]:
        for top in range(0, height, down):
            for left in range(0, width, across):
                block = plane[top : top + down, left : left + across]
                if size[1]:
                    missing = (0, down - block.shape[0]), (0, across - block.shape[1]), (0, 0)
                    block = np.pad(block, missing)
                data = differences(np.ascontiguousarray(block), predictor, order)
                blocks.append((compress or COMPRESSORS[compression])(data))
    places = np.cumsum([8, *map(len, blocks)])[:-1].tolist()
    found = {
        256: width,
        257: height,
        258: [8 * image.itemsize] * samples,
        259: compression,
        262: 2 if samples >= 3 else 1,
        277: samples,
        284: 1 + planar,
        317: predictor,
        339: [{"u": 1, "i": 2, "f": 3}[image.dtype.kind]] * samples,
    }
    sizes = [len(block) for block in blocks]
    if size[1]:
        found |= {322: across, 323: down, 324: places, 325: sizes}
    else:
        found |= {278: down, 273: places, 279: sizes}
    if samples == 4:
        found[338] = 2
    found |= {int(name[1:]): value for name, value in tags.items()}
    body = b"".join(blocks)
    directory = struct.pack(order + "H", len(found))
    for tag, value in sorted(found.items()):
        values = value if isinstance(value, list) else [value]
        kind, code = (4, "I") if tag in (273, 279, 324, 325, 256, 257, 278, 322, 323) else (3, "H")
        if isinstance(value, bytes):
            kind, values, stored = 7, value, value
        else:
            stored = struct.pack(f"{order}{len(values)}{code}", *values)
        if len(stored) > 4:
            body, stored = body + stored, struct.pack(order + "I", 8 + len(body))
        directory += struct.pack(order + "HHI", tag, kind, len(values)) + stored.ljust(4, b"\0")
    start = {"<": b"II*\0", ">": b"MM\0*"}[order] + struct.pack(order + "I", 8 + len(body))
    return start + body + directory + bytes(4)


def written_webp(image):
    return cv2.imencode(".webp", image, [cv2.IMWRITE_WEBP_QUALITY, 101])[1].tobytes()


def written(tmp_path, suffix, image, **settings):
    path = tmp_path / f"written{suffix}"
    ck.imwrite(path, image, **settings)
    return path.read_bytes()


def build_corpus(folder):
    """Whole files by name, with the image of each where it is known."""
    files = {}
    for suffix, dtype, channels in (
        *((".png", d, c) for d in ("uint8", "uint16") for c in (1, 3, 4)),
        *((".tiff", d, c) for d in ("uint8", "uint16", "int16", "float32", "float64") for c in (1, 3)),
        *((".bmp", "uint8", c) for c in (1, 3)),
        *((".webp", "uint8", c) for c in (3, 4)),
        *((".pgm", d, 1) for d in ("uint8", "uint16")),
        *((".ppm", d, 3) for d in ("uint8", "uint16")),
        *((".pfm", "float32", c) for c in (1, 3)),
    ):
        image = noise(dtype, channels)
        if suffix == ".webp" and channels == 4:
            image[..., 3] |= 1  # it forgets the colour under full transparency
        files[f"{dtype}×{channels}{suffix}"] = written(folder, suffix, image), image
    for channels in (1, 3):
        files[f"×{channels}.jpg"] = written(folder, ".jpg", noise(channels=channels)), None
    frames = [noise(channels=4) | [0, 0, 0, 1] for _ in range(2)]
    stills = [written(folder, ".webp", frame.astype(np.uint8)) for frame in frames]
    files["frames.webp"] = webp_of_frames(stills, (WIDTH, HEIGHT), flags=0x12), frames[0].astype(np.uint8)
    animation = [(b"acTL", struct.pack(">II", 1, 0)), (b"eXIf", exif(1)), (b"tEXt", b"a\0b")]
    files["frames.png"] = png(0, [b"\1\2"], chunks=animation), np.array([[1, 2]], np.uint8)
    files["quality 30.webp"] = written(folder, ".webp", noise(), quality=30), None
    for compression in ("none", "lzw", "deflate"):
        image = noise()
        files[f"{compression}.tiff"] = written(folder, ".tiff", image, compression=compression), image
    palette = [(b"PLTE", bytes([255, 0, 0, 0, 0, 255]))]
    looked_up = np.array([[[255, 0, 0], [0, 0, 255]], [[0, 0, 255], [255, 0, 0]]], np.uint8)
    files["palette.png"] = png(3, [b"\0\1", b"\1\0"], chunks=palette), looked_up
    alpha = np.dstack([looked_up, np.array([[7, 255], [255, 7]], np.uint8)])
    files["palette with alpha.png"] = png(3, [b"\0\1", b"\1\0"], chunks=[*palette, (b"tRNS", b"\7")]), alpha
    gray_alpha = np.array([[[10, 10, 10, 200], [30, 30, 30, 0]]], np.uint8)
    files["gray with alpha.png"] = png(4, [bytes([10, 200, 30, 0])]), gray_alpha
    keyed = np.array([[[10, 10, 10, 0], [30, 30, 30, 255]]], np.uint8)
    files["gray key.png"] = png(0, [bytes([10, 30])], chunks=[(b"tRNS", b"\0\x0a")]), keyed
    files["bits.png"] = png(0, [b"\xa5"], depth=1), np.array([[255, 0, 255, 0, 0, 255, 0, 255]], np.uint8)
    for order, big in (("<", False), (">", False), ("<", True), (">", True)):
        image = noise("uint16")
        files[f"{order} {big}.tiff"] = tiff([image], order, big), image
    for compression, settings in {
        1: {"planar": True, "size": (16, 16)},
        5: {"planar": True, "order": ">"},
        8: {"predictor": 2, "t274": 1},
        32773: {"t262": 1},
    }.items():
        image = noise("uint16" if compression < 8 else "uint8", 4 if compression == 8 else 3)
        files[f"pieces {compression}.tiff"] = pieced(image, compression=compression, **settings), image
    photo = noise(channels=1, size=(16, 24))
    files["JPEG.tiff"] = pieced(photo, size=(8, None), compression=7, compress=as_jpeg(24)), None
    for name, together in (("inks", True), ("scans", False)):
        values = rng.integers(0, 250, (2, 3, 4 if together else 3))
        files[f"{name}.jpg"] = jpeg_of_flat_blocks(values, None, together), None
    files["words.bmp"] = bmp_of_words([1, 2, 40000]), None
    runs = b"\7\x11\0\0\0\7\x12\x34\x56\x70%s\0\0\4\3\3\2\0\1"
    files["runs.bmp"] = bmp_of_runs(runs % b"\1\2\3\0", (7, 3), False), None
    files["narrow runs.bmp"] = bmp_of_runs(runs % b"", (7, 3), True), None
    files["text.pgm"] = (
        b"P2 # comment\n3 2 255\n0 10 255\n7 8 9\n",
        np.array([[0, 10, 255], [7, 8, 9]], np.uint8),
    )
    files["text.ppm"] = b"P3\n1 2\n255\n1 2 3 4 5 6\n", np.array([[[1, 2, 3]], [[4, 5, 6]]], np.uint8)
    files["bits.pbm"] = b"P4\n8 1\n\xa5", np.array([[0, 255, 0, 255, 255, 0, 255, 0]], np.uint8)
    files["text.pbm"] = b"P1\n3 1\n101", np.array([[0, 255, 0]], np.uint8)
    return files


def build_larger(folder):
    """Whole files of more than 2000 bytes by name: every format, depth and kind of chain that they have."""
    files = {}
    for suffix, dtype, channels, settings in (
        *((".png", d, c, {}) for d in ("uint8", "uint16") for c in (1, 3, 4)),
        *((".jpg", "uint8", c, {"quality": 95}) for c in (1, 3)),
        *((".webp", "uint8", c, s) for c in (3, 4) for s in ({}, {"quality": 90})),
        *((".tiff", d, 3, {}) for d in ("uint8", "uint16", "int16", "float32", "float64")),
        *((".tiff", "uint16", 1, {"compression": c}) for c in ("none", "lzw", "deflate")),
        (".bmp", "uint8", 1, {}),
        (".bmp", "uint8", 3, {}),
        (".pgm", "uint8", 1, {}),
        (".ppm", "uint16", 3, {}),
        (".pfm", "float32", 3, {}),
    ):
        image = noise(dtype, channels, (64, 61))
        told = "".join(f" {value}" for value in settings.values())
        files[f"{dtype}×{channels}{told}{suffix}"] = written(folder, suffix, image, **settings)
    photo = ck.imread(files["uint8×3 95.jpg"])
    for name, flags in {
        "progressive": [cv2.IMWRITE_JPEG_PROGRESSIVE, 1],
        "restarts": [cv2.IMWRITE_JPEG_RST_INTERVAL, 2],
    }.items():
        files[f"{name}.jpg"] = cv2.imencode(".jpg", photo, flags)[1].tobytes()
    files["turned.jpg"] = with_exif(files["uint8×3 95.jpg"], exif(6))
    files["turned.webp"] = webp_with_exif(files["uint8×3.webp"], exif(6))
    palette = [(b"PLTE", rng.bytes(768)), (b"tRNS", rng.bytes(100)), (b"tEXt", b"a\0" + bytes(300))]
    files["palette.png"] = png(3, [rng.bytes(61) for _ in range(64)], chunks=palette)
    files["pages.tiff"] = tiff([noise(size=(20, 30)), noise("uint16", 1, (30, 40))])
    files["big.tiff"] = tiff([noise(size=(20, 40))], ">", big=True)
    numbers = noise(channels=1, size=(20, 50))
    text = "\n".join(" ".join(map(str, row)) for row in numbers).encode()
    files["text.pgm"] = b"P2\n# by hand\n50 20 255\n" + text + b"\n"
    return files
