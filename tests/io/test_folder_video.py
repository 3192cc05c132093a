"""Folders as sequences, and videos: frames in RGB, one size, whole files."""

import os
import stat
import subprocess
import sys

import numpy as np
import pytest
import samples as make

import convkit as ck
from convkit.errors import ConvkitError, CorruptImage, UnsupportedFormat


@pytest.fixture
def photos(tmp_path):
    """Twelve images in two folders, and files that are none."""
    (tmp_path / "sub").mkdir()
    for i in range(12):
        ck.imwrite(tmp_path / ("sub" if i % 2 else ".") / f"{i:02}.png", np.full((3, 4), i, np.uint8))
    (tmp_path / "notes.txt").write_text("none")
    (tmp_path / ".hidden.png").write_text("none")
    return tmp_path


def test_a_folder_is_a_sequence(photos):
    found = ck.images(photos)
    assert len(found) == 12
    assert [os.path.basename(p) for p in found.paths] == [
        *(f"{i:02}.png" for i in (*range(0, 12, 2), *range(1, 12, 2)))
    ]
    values = [int(image[0, 0]) for image in found]
    assert values == [*range(0, 12, 2), *range(1, 12, 2)]
    assert [int(image[0, 0]) for image in found] == values  # again
    assert found[-1][0, 0] == 11
    assert [int(image[0, 0]) for image in found[2:4]] == [4, 6]
    with pytest.raises(IndexError):
        found[12]


def test_patterns_and_lists(photos):
    assert len(ck.images(f"{photos}/*.png")) == 6
    assert len(ck.images(photos / "**" / "*.png")) == len(ck.images(f"{photos}/**//*.png")) == 12
    listed = ck.images([photos / "04.png", str(photos / "02.png")], "color", dtype="float32", num_threads=1)
    assert [(image.shape, image.dtype.name, float(image.max())) for image in listed] == [
        ((3, 4, 3), "float32", 4.0),
        ((3, 4, 3), "float32", 2.0),
    ]
    for nothing in (f"{photos}/*.jpg", photos / "none", []):
        with pytest.raises(FileNotFoundError, match="has no images"):
            ck.images(nothing)
    with pytest.raises(TypeError, match="no argument 'modes'; expected one of dtype, max_bytes"):
        ck.images(photos, modes="gray")
    with pytest.raises(ValueError, match="mode is 'grey'"):
        ck.images(photos, "grey")
    with pytest.raises(TypeError, match="source is int; expected a folder, a pattern or a list"):
        ck.images(3)


@pytest.mark.parametrize(
    "setting", [{"orientation": "up"}, {"max_pixels": 0}, {"max_bytes": -1}, {"dtype": "int64"}]
)
def test_what_reading_would_refuse_is_refused_at_once(photos, setting):
    (name,) = setting
    with pytest.raises((TypeError, ValueError), match=name):
        ck.images(photos, **setting)


def test_a_name_with_brackets_is_a_name(tmp_path):
    ck.imwrite(tmp_path / "a[1].png", np.zeros((2, 2), np.uint8))
    assert ck.images(tmp_path / "a[1].png").paths == (str(tmp_path / "a[1].png"),)


@pytest.mark.skipif(os.name != "posix", reason="links and pipes")
def test_links_to_nothing_are_told_and_pipes_left_out(photos):
    (photos / "00.png").unlink()
    (photos / "00.png").symlink_to(photos / "none.png")
    os.mkfifo(photos / "pipe.png")
    found = ck.images(photos)
    assert len(found) == 12
    with pytest.raises(FileNotFoundError, match=r"00\.png"):
        found[0]
    with pytest.raises(ConvkitError, match="Not a regular file"):
        ck.imwrite(photos / "pipe.png", np.zeros((2, 2), np.uint8))
    assert stat.S_ISFIFO(os.stat(photos / "pipe.png").st_mode)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_links_that_lead_back_are_not_gone_round(photos, monkeypatch):
    (photos / "sub" / "up").symlink_to("..")
    (photos / "sub" / "self").symlink_to(".")
    (photos / "aside").symlink_to("sub")
    names = {*(f"{i:02}.png" for i in range(0, 12, 2))}
    odd = {f"{i:02}.png" for i in range(1, 12, 2)}
    everything = names | {f"{folder}/{name}" for folder in ("sub", "aside") for name in odd}
    for pattern in ("", "/**/*.png", "/**/**/*.png"):
        found = ck.images(f"{photos}{pattern}").paths
        assert {os.path.relpath(path, photos) for path in found} == everything
        assert len(found) == len(everything)
    assert ck.io.folder.below(str(photos), "**/*.png", []) == sorted(everything)  # as `convkit apply` does
    monkeypatch.chdir(photos)
    assert {*ck.images("**/*.png").paths} == everything
    upward = {f"sub/{name}" for name in odd} | {f"sub/up/{name}" for name in names}
    assert {*ck.images("su?/**/*.png").paths} == upward
    assert ck.images("./sub/**/01.png").paths == ("./sub/01.png",)


def test_a_folder_becomes_a_batch(photos):
    batch = ck.to_bchw(ck.images(photos))
    assert batch.shape == (12, 1, 3, 4)
    assert batch[:, 0, 0, 0].tolist() == [*range(0, 12, 2), *range(1, 12, 2)]


def test_a_corrupt_file_is_told_in_its_turn(photos):
    (photos / "05.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    found = ck.images(f"{photos}/*.png", num_threads=3)
    turns = iter(found)
    assert [int(next(turns)[0, 0]) for _ in range(3)] == [0, 2, 4]
    with pytest.raises(CorruptImage, match=r"05\.png"):
        next(turns)
    assert found[4][0, 0] == 6


def test_reading_ahead_is_bounded_and_can_be_left(photos, monkeypatch):
    asked = []
    read = ck.io.folder.imread
    monkeypatch.setattr(
        "convkit.io.folder.imread", lambda path, *a, **k: asked.append(path) or read(path, *a, **k)
    )
    for _ in ck.images(photos, num_threads=1):
        break
    assert 1 <= len(asked) <= 4


def test_images_fill_a_batch(photos):
    batch = ck.to_bchw(list(ck.images(photos)))
    assert batch.shape == (12, 1, 3, 4)


# ---- video ------------------------------------------------------------------------------------------


def ramp(count, size=(48, 64)):
    return [np.full((*size, 3), (25 * i, 100, 255 - 25 * i), np.uint8) for i in range(count)]


def write(path, frames, fps=25, **settings):
    with ck.VideoWriter(path, fps, **settings) as writer:
        for frame in frames:
            writer.write(frame)


@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv", ".mov"])
def test_frames_come_back_close_and_in_rgb(tmp_path, suffix):
    path, frames = tmp_path / f"a{suffix}", ramp(10)
    write(path, frames)
    assert os.listdir(tmp_path) == [path.name]
    with ck.Video(path) as video:
        assert (video.fps, video.size, video.frames) == (25.0, (48, 64), 10)
        for _ in range(2):
            found = list(video)
            assert len(found) == 10
            for frame, original in zip(found, frames, strict=True):
                assert frame.dtype == np.uint8
                assert np.abs(frame.astype(int) - original).max() <= 8


def test_a_video_left_half_way_starts_again(tmp_path):
    write(tmp_path / "a.avi", ramp(6))
    video = ck.Video(tmp_path / "a.avi")
    first = next(iter(video))
    np.testing.assert_array_equal(next(iter(video)), first)


def test_gray_frames_become_rgb(tmp_path):
    write(tmp_path / "a.avi", [np.full((48, 64), 90, np.uint8)] * 2, codec="MJPG")
    frame = next(iter(ck.Video(tmp_path / "a.avi")))
    assert frame.shape == (48, 64, 3)
    assert np.abs(frame.astype(int) - 90).max() <= 3


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (np.zeros((48, 66, 3), np.uint8), ValueError, r"the first one had \(48, 64\).*ck\.resize"),
        (np.zeros((48, 64, 3), np.float32), TypeError, "frame has dtype float32; expected uint8"),
        (np.zeros((48, 64, 4), np.uint8), ValueError, r"HWC with 3 channels: pass frame\[..., :3\]"),
        (np.zeros((48, 64, 1), np.uint8), ValueError, r"HWC with 3 channels: pass frame\[..., 0\]"),
        (np.zeros((3, 48, 64), np.uint8), ValueError, r"looks like CHW: pass ck.to_hwc\(frame\)"),
        (np.zeros((1, 3, 48, 64), np.uint8), ValueError, r"looks like BCHW: pass ck.from_bchw\(frame\)\[i\]"),
        (None, TypeError, "frame is None"),
    ],
)
def test_frames_that_do_not_fit_leave_no_file(tmp_path, frame, error, message):
    with pytest.raises(error, match=message):
        write(tmp_path / "a.mp4", [*ramp(1), frame])
    assert os.listdir(tmp_path) == []


def test_odd_sizes_are_refused_as_codecs_would_cut_them(tmp_path):
    with pytest.raises(ValueError, match=r"expected even numbers, .* pass frame\[:46, :62\]"):
        write(tmp_path / "a.mp4", ramp(1, (47, 63)))
    assert os.listdir(tmp_path) == []


def test_what_no_video_can_be_written_to(tmp_path):
    with pytest.raises(UnsupportedFormat, match=r"ends in '\.png'; expected one of \.mp4"):
        ck.VideoWriter(tmp_path / "a.png", 25)
    with pytest.raises(ValueError, match="fps is 0"):
        ck.VideoWriter(tmp_path / "a.mp4", 0)
    with pytest.raises(ValueError, match="four letters"):
        ck.VideoWriter(tmp_path / "a.mp4", 25, codec="h.264")
    with pytest.raises(FileNotFoundError) as caught:
        write(tmp_path / "none" / "a.mp4", ramp(1))
    assert isinstance(caught.value, ConvkitError)
    writer = ck.VideoWriter(tmp_path / "a.avi", 25)
    writer.write(ramp(1)[0])
    writer.close()
    writer.close()
    with pytest.raises(ValueError, match=r"a\.avi is closed"):
        writer.write(ramp(1)[0])


def test_a_rate_or_a_size_that_no_codec_takes_is_named(tmp_path):
    for fps, size, words in (
        (100_000, (48, 64), "'mp4v', or not with 100000 frames a second of 64×48 pixels"),
        (25, (8194, 2), "'mp4v', or not with 25 frames a second of 2×8194 pixels"),
    ):
        with pytest.raises(UnsupportedFormat, match=words):
            write(tmp_path / "a.mp4", ramp(1, size), fps)
    with pytest.raises(ConvkitError, match=r"0 of 1 frames .* hold 25 frames a second of 2×2 pixels\?"):
        write(tmp_path / "a.webm", ramp(1, (2, 2)))
    assert os.listdir(tmp_path) == []


FULL = """
import resource, signal, sys, numpy as np, convkit as ck
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
frames = np.random.default_rng(0).integers(0, 256, (30, 96, 128, 3), np.uint8)
with ck.VideoWriter(sys.argv[1], 25) as writer:
    for frame in frames[:3]:
        writer.write(frame)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    with ck.VideoWriter(sys.argv[1], 25) as writer:
        for frame in frames:
            writer.write(frame)
except ck.ConvkitError as error:
    print(error)
"""


@pytest.mark.skipif(os.name != "posix", reason="limits of a file's size")
@pytest.mark.parametrize("suffix", [".mp4", ".avi", ".mkv"])
def test_no_room_for_a_video(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    told = subprocess.run(
        [sys.executable, "-c", FULL, path], env=environment, text=True, capture_output=True, check=True
    ).stdout
    assert f"{path} could not be written" in told
    assert os.listdir(tmp_path) == [path.name]
    assert len(list(ck.Video(path))) == 3


@pytest.mark.skipif(os.name != "posix", reason="permissions")
def test_a_video_keeps_the_permissions_of_the_one_before(tmp_path):
    path = tmp_path / "a.avi"
    before = os.umask(0o027)
    try:
        write(path, ramp(1))
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    path.chmod(0o604)
    write(path, ramp(2))
    assert stat.S_IMODE(path.stat().st_mode) == 0o604
    os.mkfifo(tmp_path / "pipe.avi")
    with pytest.raises(ConvkitError, match="Not a regular file"):
        ck.VideoWriter(tmp_path / "pipe.avi", 25)


def test_a_video_without_a_frame_is_told(tmp_path):
    writer = ck.VideoWriter(tmp_path / "a.avi", 25)
    with pytest.raises(ValueError, match=r"no frame was written to .*a\.avi"):
        writer.close()
    writer.close()
    with pytest.raises(ValueError, match=r"a\.avi is closed"):
        writer.write(ramp(1)[0])
    with pytest.raises(ValueError, match="no frame was written"), ck.VideoWriter(tmp_path / "b.avi", 25):
        pass
    with pytest.raises(KeyError), ck.VideoWriter(tmp_path / "b.avi", 25):
        raise KeyError
    assert os.listdir(tmp_path) == []


def test_a_writer_that_is_left_or_has_no_place_leaves_no_file(tmp_path):
    writer = ck.VideoWriter(tmp_path / "a.avi", 25)
    writer.write(ramp(1)[0])
    del writer
    assert os.listdir(tmp_path) == []
    with pytest.raises(FileNotFoundError, match=r"none/a\.avi"):
        ck.VideoWriter(tmp_path / "none" / "a.avi", 25)
    (tmp_path / "folder.avi").mkdir()
    with pytest.raises(IsADirectoryError, match=r"folder\.avi"):
        ck.VideoWriter(tmp_path / "folder.avi", 25)


def test_an_image_is_no_video(tmp_path):
    ck.imwrite(tmp_path / "a.png", make.noise())
    with pytest.raises(UnsupportedFormat, match=r"a PNG image and no video; pass it to ck\.imread"):
        ck.Video(tmp_path / "a.png")


def test_what_is_no_video(tmp_path, capfd):
    (tmp_path / "a.mp4").write_bytes(b"hello" * 99)
    with pytest.raises(UnsupportedFormat, match=r"a\.mp4 is no video"):
        ck.Video(tmp_path / "a.mp4")
    with pytest.raises(FileNotFoundError):
        ck.Video(tmp_path / "none.mp4")
    with pytest.raises(IsADirectoryError):
        ck.Video(tmp_path)


def test_a_video_cut_short_is_told(tmp_path, capfd):
    write(tmp_path / "a.avi", [make.noise(size=(48, 64)) for _ in range(30)])
    whole = (tmp_path / "a.avi").read_bytes()
    (tmp_path / "a.avi").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConvkitError):
        list(ck.Video(tmp_path / "a.avi"))
