"""Paths, bytes, open files, pipes and devices."""

import gzip
import io
import lzma
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit.errors import ConvkitError, CorruptImage, ImageTooLarge, UnsupportedFormat


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


def test_a_nul_in_the_name(tmp_path):
    for function in (ck.imread, ck.probe, ck.imread_pages):
        with pytest.raises(ValueError, match="null"):
            function(f"{tmp_path}/a\0.png")


def test_paths_are_told_by_their_type(tmp_path):
    with pytest.raises(UnsupportedFormat, match=r"begins with b'a\.png'"):
        ck.imread(b"a.png")


def test_a_path_that_reads(tmp_path):
    class Path(type(tmp_path)):
        def read(self, mode="r"):
            raise AssertionError("a path, and no file")

    ck.imwrite(tmp_path / "a.png", np.zeros((2, 3), np.uint8))
    assert ck.imread(Path(tmp_path / "a.png")).shape == (2, 3)


def test_a_compressed_file_that_is_cut_short():
    data = gzip.compress(make.png(0, [b"\1"]))
    assert ck.imread(gzip.GzipFile(fileobj=io.BytesIO(data))).shape == (1, 1)
    with pytest.raises(CorruptImage, match="<GzipFile> is cut short"):
        ck.imread(gzip.GzipFile(fileobj=io.BytesIO(data[:-9])))


def test_a_compressed_file_that_is_damaged():
    image = make.png(0, [bytes(range(200))])
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("a.png", image)
    packed = gzip.compress(image)

    def unzipped(file):
        return zipfile.ZipFile(file).open("a.png")

    for opened, data, at in (
        (lambda file: gzip.GzipFile(fileobj=file), packed, 12),  # its first block
        (lambda file: gzip.GzipFile(fileobj=file), packed, -8),  # its checksum
        (unzipped, archive.getvalue(), 37),
        (unzipped, archive.getvalue(), -56),  # its checksum
        (lzma.LZMAFile, lzma.compress(image), 30),
    ):
        damaged = bytearray(data)
        damaged[at] ^= 0x5A
        with pytest.raises(CorruptImage, match="is cut short or damaged: "):
            ck.imread(opened(io.BytesIO(damaged)))


def test_a_file_that_is_open_for_text_or_does_not_wait(tmp_path):
    (tmp_path / "a.png").write_bytes(make.png(0, [b"\1"]))
    for encoding in ("utf-8", "latin-1"):
        with open(tmp_path / "a.png", encoding=encoding) as file, pytest.raises(TypeError, match="mode 'rb'"):
            ck.imread(file)

    class Waiting(io.BytesIO):
        def read(self, size=-1):
            return None

    with pytest.raises(ConvkitError, match=r"has no bytes yet.* os\.set_blocking"):
        ck.imread(Waiting())


@pytest.mark.skipif(not hasattr(os, "fork"), reason="forks")
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
def test_the_log_level_of_opencv_in_a_child(tmp_path):
    """A thread that reads while the process is forked is not there to put it back."""
    script = """
import os, convkit as ck
from convkit._opencv import opencv, quiet
cv2 = opencv()
log = cv2 if hasattr(cv2, "setLogLevel") else cv2.utils.logging
log.setLogLevel(4)
with quiet:
    child = os.fork()
    if child == 0:
        os._exit(log.getLogLevel())
    raise SystemExit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 4
