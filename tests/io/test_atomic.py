"""A file is there whole or not at all: settings, refusals, a full disk, a kill at any moment."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit.errors import ConvkitError

posix = pytest.mark.skipif(os.name != "posix", reason="limits and signals of POSIX")


# ---- settings ---------------------------------------------------------------------------------------


def test_quality(tmp_path):
    smooth = np.add.outer(np.arange(64), np.arange(64)).astype(np.uint8)
    photo = np.dstack([smooth, smooth[::-1], smooth[:, ::-1]])
    for suffix in (".jpg", ".webp"):
        good = make.written(tmp_path, suffix, photo, quality=90)
        bad = make.written(tmp_path, suffix, photo, quality=5)
        assert len(bad) < len(good)
        errors = [np.abs(ck.imread(data).astype(int) - photo).mean() for data in (good, bad)]
        assert 0 < errors[0] < errors[1]


def test_compression_changes_no_pixel(tmp_path):
    image = np.repeat(make.noise(size=(40, 5)), 9, axis=1)
    sizes = {}
    for suffix, settings in ((".png", (0, 9)), (".tiff", ("none", "lzw", "deflate"))):
        for compression in settings:
            data = make.written(tmp_path, suffix, image, compression=compression)
            np.testing.assert_array_equal(ck.imread(data), image)
            sizes[compression] = len(data)
    assert sizes[9] < sizes[0]
    assert max(sizes["lzw"], sizes["deflate"]) < sizes["none"]


@pytest.mark.parametrize(
    ("name", "settings", "error", "message"),
    [
        ("a.png", {"quality": 90}, ValueError, "PNG has no quality: leave it out, or write .jpg or .webp"),
        ("a.jpg", {"quality": 0}, ValueError, "quality is 0; expected at least 1"),
        ("a.jpg", {"quality": 101}, ValueError, "quality is 101; expected at most 100"),
        ("a.jpg", {"quality": "high"}, TypeError, "quality is 'high'"),
        ("a.jpg", {"compression": 3}, ValueError, "JPEG has no choice of compression"),
        ("a.png", {"compression": 10}, ValueError, "compression is 10; expected at most 9"),
        ("a.tiff", {"compression": "zip"}, ValueError, "compression is 'zip'; expected one of 'none', 'lzw'"),
        ("a.png", {"overwrite": "no"}, TypeError, "overwrite is 'no'"),
    ],
)
def test_settings_that_do_not_fit(tmp_path, name, settings, error, message):
    with pytest.raises(error, match=message):
        ck.imwrite(tmp_path / name, make.noise(), **settings)
    assert os.listdir(tmp_path) == []


def test_a_file_that_was_not_to_be_replaced(tmp_path):
    path, first = tmp_path / "a.png", make.noise()
    ck.imwrite(path, first, overwrite=False)
    with pytest.raises(FileExistsError, match=r"a\.png") as caught:
        ck.imwrite(path, make.noise(), overwrite=False)
    assert isinstance(caught.value, ConvkitError)
    np.testing.assert_array_equal(ck.imread(path), first)
    assert os.listdir(tmp_path) == ["a.png"]


def test_a_file_that_was_not_to_be_replaced_without_links(tmp_path, monkeypatch):
    """As on FAT and on some shares."""

    def refuse(*_):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr("convkit._atomic.os.link", refuse)
    test_a_file_that_was_not_to_be_replaced(tmp_path)
    monkeypatch.setattr("convkit._atomic.os.replace", refuse)
    with pytest.raises(ConvkitError, match=r"not permitted.*b\.png"):
        ck.imwrite(tmp_path / "b.png", make.noise(), overwrite=False)
    assert os.listdir(tmp_path) == ["a.png"]


def test_the_systems_errors_are_ours_too(tmp_path):
    (tmp_path / "folder.png").mkdir()
    for path, kind in (
        (tmp_path / "none" / "a.png", FileNotFoundError),
        (tmp_path / "folder.png", IsADirectoryError),
    ):
        with pytest.raises(kind) as caught:
            ck.imwrite(path, make.noise())
        assert isinstance(caught.value, ConvkitError)
        assert caught.value.filename == str(path)


# ---- what stops a write -----------------------------------------------------------------------------

WRITER = """
import resource, signal, sys, numpy as np, convkit as ck
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    ck.imwrite(sys.argv[1], np.random.default_rng(0).integers(0, 256, (200, 200, 3), np.uint8))
except ck.ConvkitError as error:
    print(error)
"""


def python(code, *argv, **options):
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", code, *map(str, argv)], env=environment, text=True, **options
    )


@posix
def test_no_room_for_the_file(tmp_path):
    path, old = tmp_path / "a.png", make.noise()
    ck.imwrite(path, old)
    told, _ = python(WRITER, path, stdout=subprocess.PIPE).communicate(timeout=60)
    assert "File too large" in told
    assert str(path) in told
    assert os.listdir(tmp_path) == ["a.png"]
    np.testing.assert_array_equal(ck.imread(path), old)


@posix
def test_a_full_disk(tmp_path):
    """On a file system of 64 kB, where one may be mounted."""
    command = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)]
    with contextlib.suppress(FileNotFoundError):
        if subprocess.run(command, capture_output=True, check=False).returncode == 0:
            try:
                path, old = tmp_path / "a.png", make.noise()
                ck.imwrite(path, old)
                with pytest.raises(ConvkitError, match="No space left"):
                    ck.imwrite(path, make.noise(size=(300, 300)))
                assert os.listdir(tmp_path) == ["a.png"]
                np.testing.assert_array_equal(ck.imread(path), old)
            finally:
                subprocess.run(["umount", str(tmp_path)], check=True)
            return
    pytest.skip("nothing may be mounted here")


ENDLESS = """
import sys, numpy as np, convkit as ck
images = [np.full((300, 400, 3), value, np.uint8) for value in (10, 200)]
print("ready", flush=True)
while True:
    for image in images:
        ck.imwrite(sys.argv[1], image)
"""


@posix
def test_a_kill_at_any_moment_leaves_a_whole_file(tmp_path):
    path = tmp_path / "a.tiff"
    ck.imwrite(path, np.full((300, 400, 3), 10, np.uint8))
    for wait in (0.01, 0.023, 0.037):
        writer = python(ENDLESS, path, stdout=subprocess.PIPE)
        assert writer.stdout.readline() == "ready\n"
        time.sleep(wait)
        writer.send_signal(signal.SIGKILL)
        writer.communicate(timeout=60)
        found = ck.imread(path)
        assert found.shape == (300, 400, 3)
        assert (found == found[0, 0, 0]).all()
    left = [name for name in os.listdir(tmp_path) if name != "a.tiff"]
    assert all(name.startswith(".convkit-") and name.endswith(".tmp") for name in left)
