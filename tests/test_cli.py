"""The command: what it writes, what it reports, and one line for everything that is wrong."""

import errno
import json
import os
import platform
import re
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import cv2
import numpy as np
import pytest

import convkit as ck
from convkit import cli
from convkit.cli import folder as cli_folder
from convkit.cli import show
from convkit.filters import registry

rng = np.random.default_rng(23)
PHOTO = rng.integers(0, 256, (20, 30, 3), np.uint8)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ck.imwrite("in.png", PHOTO)
    return tmp_path


def run(capsys, *argv):
    """Status, output and errors of the command in this process."""
    try:
        status = cli.main(argv)
    except SystemExit as leaving:  # argparse's way out
        status = leaving.code
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def by_shell(*argv, **environment):
    command = [sys.executable, "-m", "convkit", *argv]
    environment = {**os.environ, "PYTHONPATH": str(Path(ck.__file__).parents[1]), **environment}
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


# ---- apply ------------------------------------------------------------------------------------------


def test_smoothing_is_written_as_it_is(folder, capsys):
    status, out, err = run(capsys, "apply", "gaussian(sigma=1.4)", "in.png", "-o", "out.png")
    assert (status, err) == (0, "")
    assert out.startswith("out.png: 30×20 uint8, gaussian(sigma=1.4) of in.png in ")
    assert ";" not in out
    np.testing.assert_array_equal(ck.imread("out.png"), ck.filters.gaussian(PHOTO, 1.4))


def test_gradients_to_png_are_saturated_and_it_says_so(folder, capsys):
    _, out, _ = run(capsys, "apply", "gaussian(sigma=1.4) | sobel('x')", "in.png", "-o", "out.png")
    assert out.endswith("; |x| rounded and saturated to 0..255\n")
    gradient = ck.filters.sobel(ck.filters.gaussian(PHOTO, 1.4), "x")
    expected = np.clip(np.rint(np.abs(gradient)), 0, 255).astype(np.uint8)
    np.testing.assert_array_equal(ck.imread("out.png"), expected)


def test_gradients_to_tiff_are_kept(folder, capsys):
    run(capsys, "apply", "sobel('x')", "in.png", "-o", "out.tiff")
    np.testing.assert_array_equal(ck.imread("out.tiff"), ck.filters.sobel(PHOTO, "x"), strict=True)


def test_stretch_uses_the_whole_range(folder, capsys):
    _, out, _ = run(capsys, "apply", "laplacian", "in.png", "-o", "out.png", "--stretch", "--mode", "gray")
    assert out.endswith("; min..max stretched to 0..255\n")
    found = ck.imread("out.png")
    assert (found.shape, found.min(), found.max()) == ((20, 30), 0, 255)


def test_sixteen_bits(folder, capsys):
    deep = PHOTO.astype(np.uint16) * 200
    ck.imwrite("deep.png", deep)
    run(capsys, "apply", "sobel", "deep.png", "-o", "out.png")
    expected = np.clip(np.rint(ck.filters.sobel(deep)), 0, 65535).astype(np.uint16)
    np.testing.assert_array_equal(ck.imread("out.png"), expected, strict=True)
    _, out, _ = run(capsys, "apply", "box(size=3)", "deep.png", "-o", "out.bmp")
    assert "|x| / 257 rounded" in out
    expected = np.rint(ck.filters.box(deep, 3) / 257).astype(np.uint8)
    np.testing.assert_array_equal(ck.imread("out.bmp"), expected)


def test_alpha_is_dropped_and_it_says_so(folder, capsys):
    ck.imwrite("alpha.png", np.dstack([PHOTO, PHOTO[..., 0]]))
    _, out, _ = run(capsys, "apply", "box(size=3)", "alpha.png", "-o", "out.png")
    assert out.endswith("; alpha dropped\n")
    np.testing.assert_array_equal(ck.imread("out.png"), ck.filters.box(PHOTO, 3))


@pytest.mark.parametrize("suffix", [".webp", ".ppm"])
def test_gray_becomes_three_channels_where_a_format_has_none(folder, capsys, suffix):
    status, out, _ = run(capsys, "apply", "canny(50, 100)", "in.png", "-o", f"out{suffix}")
    assert (status, out.endswith("; gray as three equal channels\n")) == (0, True)
    edges = ck.filters.canny(PHOTO, 50, 100)
    np.testing.assert_array_equal(ck.imread(f"out{suffix}"), np.dstack([edges] * 3))


def test_further_pages_and_frames_are_left_out_and_it_says_so(folder, capsys):
    (folder / "in").mkdir()
    for pages in (2, 3):
        cv2.imwritemulti(f"in/{pages}.tiff", [PHOTO] * pages)
    data, frames = Path("in.png").read_bytes(), b"acTL" + struct.pack(">II", 4, 0)
    chunk = struct.pack(">I", 8) + frames + struct.pack(">I", zlib.crc32(frames))
    Path("in/a.png").write_bytes(data[:33] + chunk + data[33:])
    _, out, _ = run(capsys, "apply", "box(3)", "in/3.tiff", "-o", "out.png")
    assert out.endswith("; the first of 3 pages\n")
    _, out, _ = run(capsys, "apply", "box(3)", "in", "-o", "out", "--report", "r.json")
    assert out.endswith("; the first of 2 pages; the first of 3 pages; the still image of 4 frames\n")
    assert json.loads(Path("r.json").read_text())["files"][0]["note"] == "the first of 2 pages"
    for pages in range(4, 12):
        cv2.imwritemulti(f"in/{pages}.tiff", [PHOTO] * pages)
    _, out, _ = run(capsys, "apply", "box(3)", "in", "-o", "out")
    assert out.endswith("; 3 further notes, which --report tells\n")


def test_floats(folder, capsys):
    ck.imwrite("float.tiff", PHOTO.astype(np.float32) / 255)
    status, _, err = run(capsys, "apply", "sobel", "float.tiff", "-o", "out.png")
    assert (status, "add --stretch" in err) == (2, True)
    assert run(capsys, "apply", "sobel", "float.tiff", "-o", "out.png", "--stretch")[0] == 0
    assert run(capsys, "apply", "sobel", "float.tiff", "-o", "out.pfm")[0] == 0
    ck.imwrite("nan.tiff", np.full((5, 5), np.nan, np.float32))
    status, _, err = run(capsys, "apply", "sobel", "nan.tiff", "-o", "out.png", "--stretch")
    assert (status, "NaN" in err) == (2, True)


def test_one_thread_gives_the_same_bits(folder, capsys):
    for threads in ("1", "2"):
        run(capsys, "apply", "sobel", "in.png", "-o", f"{threads}.tiff", "--threads", threads)
    np.testing.assert_array_equal(ck.imread("1.tiff"), ck.imread("2.tiff"))


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["apply", "blur", "in.png", "-o", "o.png"], "there is no filter 'blur'"),
        (["apply", "sobel |", "in.png", "-o", "o.png"], "pipeline"),
        (["apply", "", "in.png", "-o", "o.png"], "pipeline"),
        (["apply", "gaussian", "in.png", "-o", "o.png"], "sigma"),
        (["apply", "gaussian(sigma=-1)", "in.png", "-o", "o.png"], "sigma"),
        (["apply", "__import__('os')", "in.png", "-o", "o.png"], "no filter"),
        (["apply", "sobel", "none.png", "-o", "o.png"], "none.png: No such file"),
        (["apply", "sobel", ".", "-o", "o.png"], ". is a folder, and o.png names a file"),
        (["apply", "sobel", ".", "-o", "."], ". is the input folder itself"),
        (["apply", "sobel", ".", "-o", "out", "--pattern", "*.jpg"], ". has no files like *.jpg"),
        (["apply", "sobel", ".", "-o", "out", "--workers", "0"], "workers is 0"),
        (["apply", "sobel", "none", "-o", "out"], "none: No such file"),
        (["apply", "sobel", ".", "-o", os.devnull], f"{os.devnull} names a file"),
        (
            ["apply", "sobel", ".", "-o", "out", "--report", "none/r.json"],
            "none/r.json: there is no such folder",
        ),
        (["apply", "sobel", "in.png", "-o", "o.png", "--workers", "2"], "--workers is for a folder"),
        (["apply", "sobel", "in.png", "-o", "o.mp4"], "in.png is an image and o.mp4 a video"),
        (["apply", "sobel", "in.mp4", "-o", "o.mp4", "--stretch"], "flickers"),
        (["apply", "sobel", "in.mp4", "-o", "o.png"], "in.mp4 is a video and o.png none"),
        (["apply", "sobel", "in.png", "-o", ""], "an empty name ends in no suffix"),
        (["apply", "sobel", ".", "-o", ""], "-o is empty; expected a folder"),
        (["apply", "sobel('polar')", "none.png", "-o", "o.png"], "makes 2 images of one"),
        (["apply", "sobel", "text.png", "-o", "o.png"], "text.png begins with"),
        (["apply", "sobel", "in.png", "-o", "none/o.png"], "none/o.png: No such file"),
        (["apply", "sobel", "in.png", "-o", "o.xyz"], "ends in '.xyz'"),
        (["apply", "sobel", "in.png", "-o", "o.pgm"], "holds 1 channels, not 3: add --mode gray"),
        (["apply", "sobel", "in.png", "-o", "o.png", "--threads", "0"], "num_threads is 0"),
        (["apply", "sobel", "in.png", "-o", "o.png", "--threads", "two"], "--threads"),
        (["apply", "sobel", "in.png"], "-o/--output; see convkit apply --help"),
        (["apply", "sobel", "in\0.png", "-o", "o.png"], "null"),
        (["demo", "-o", "sheet.txt"], "ends in '.txt'"),
        (["paint"], "invalid choice: 'paint'"),
        (["info", "--yaml"], "unrecognized arguments: --yaml"),
        (["apply", "sobel", "in.png", "text.png", "-o", "out"], "of many files, pass the folder"),
        (["apply", "sobel", "some/*.png", "-o", "out"], "pattern: some --pattern '*.png'"),
        (
            ["apply", "sobel", "in.png", "-o", "new/"],
            "and in.png a file; pass -o new/in.png",
        ),
    ],
)
def test_what_is_wrong_is_one_line(folder, capsys, argv, message):
    for name in ("text.png", "in.mp4"):
        (folder / name).write_text("hello, world")
    status, out, err = run(capsys, *argv)
    assert (status, out) == (2, "")
    assert err.startswith("convkit: error: ")
    assert err.count("\n") == 1
    assert message in err
    assert not (folder / "o.png").exists()


# ---- filters, demo, info ----------------------------------------------------------------------------


def test_filters_lists_every_filter_with_its_summary(capsys):
    _, out, _ = run(capsys, "filters")
    for name in registry.names():
        assert f"{name}(" in out
        assert registry.get(name).summary in out
    assert "num_threads" not in out


def test_demo_draws_every_filter(folder, capsys):
    pytest.importorskip("matplotlib")
    status, out, _ = run(capsys, "demo")
    assert status == 0
    assert out.startswith(
        f"convkit-demo.png: grace_hopper.jpg (512×600) through {len(registry.names())} filters in "
    )
    sheet = ck.imread("convkit-demo.png")
    assert sheet.ndim == 3
    assert sheet.shape[0] > 600


def test_demo_has_sample_values_for_every_parameter_without_a_default():
    for name in registry.names():
        assert set(show.required(name)) <= show.SAMPLES.keys(), f"add a sample for {name} to SAMPLES"


def test_info(capsys):
    assert json.loads(run(capsys, "info", "--json")[1]) == json.loads(json.dumps(ck.build_info()))
    text = run(capsys, "info")[1]
    for word in (ck.__version__, ck.build_info()["isa"], np.__version__, "OpenMP"):
        assert word in text


def test_version_and_help(capsys):
    assert run(capsys, "--version")[:2] == (0, f"convkit {ck.__version__}\n")
    for argv in ((), ("--help",), ("apply", "--help")):
        status, out, _ = run(capsys, *argv)
        assert status == 0
        assert 'convkit apply "gaussian(sigma=1.4) | sobel" photo.jpg -o edges.png' in out


# ---- as a process -----------------------------------------------------------------------------------


def test_python_dash_m(folder):
    done = by_shell("apply", "sharpen", "in.png", "-o", "out.png")
    assert (done.returncode, done.stderr) == (0, "")
    np.testing.assert_array_equal(ck.imread("out.png"), ck.filters.sharpen(PHOTO))


@pytest.mark.parametrize(
    ("environment", "message"),
    [
        ({"CONVKIT_ISA": "mmx"}, "CONVKIT_ISA=mmx cannot run here"),
        ({"CONVKIT_NUM_THREADS": "many"}, "CONVKIT_NUM_THREADS is 'many'"),
    ],
)
@pytest.mark.parametrize("command", [["info"], ["apply", "sobel", "in.png", "-o", "out.png"]])
def test_a_bad_environment_is_one_line(folder, environment, message, command):
    ck.imwrite("in.png", np.tile(PHOTO, (20, 20, 1)))  # enough work to ask for threads
    done = by_shell(*command, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("convkit: error: ")
    assert done.stderr.count("\n") == 1
    assert message in done.stderr


@pytest.mark.skipif(os.name != "posix", reason="pipes")
def test_a_reader_that_stops_is_no_error():
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run(
        [sys.executable, "-m", "convkit", "filters"],
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


# ---- what comes out of the command stays one line ---------------------------------------------------


@pytest.mark.parametrize(
    "chain",
    ["gaussian(sigma=1" + 400 * "0" + ")", "filter2d([[1]], dtype='i4,,')", "gaussian(1if 1else 2)", "box(3"],
)
def test_odd_chains_are_one_line(folder, chain):
    told = by_shell("apply", chain, "in.png", "-o", "out.png")
    assert (told.returncode, told.stderr.count("\n")) == (2, 1), told.stderr
    assert not (folder / "out.png").exists()


@pytest.mark.parametrize("name", ["cut.tiff", "cut.ppm", "cut.png", "cut.jpg"])
def test_cut_files_are_one_line(folder, name):
    ck.imwrite(name, PHOTO)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    told = by_shell("apply", "box(3)", name, "-o", "out.png")
    assert (told.returncode, told.stderr.count("\n")) == (1, 1), told.stderr


def test_terminals_that_lack_signs(folder):
    told = by_shell("apply", "box(3)", "in.png", "-o", "out.png", PYTHONIOENCODING="ascii")
    assert (told.returncode, told.stderr) == (0, "")


# ---- folders ----------------------------------------------------------------------------------------


@pytest.fixture
def photos(folder):
    """Five images in two folders, a corrupt one among them."""
    for i, name in enumerate(("a.png", "b.jpg", "sub/c.png", "sub/deep/d.tiff")):
        path = folder / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        ck.imwrite(path, np.roll(PHOTO, i, axis=0))
    (folder / "in" / "sub" / "bad.png").write_bytes((folder / "in.png").read_bytes()[:99])
    (folder / "in" / "notes.txt").write_text("no image")
    return folder


def files(folder):
    return sorted(str(p.relative_to(folder)) for p in Path(folder).rglob("*") if p.is_file())


def test_a_folder_is_mirrored_and_one_corrupt_file_costs_no_other(photos, capsys):
    status, out, err = run(
        capsys, "apply", "sobel", "in", "-o", "out", "--report", "report.json", "--workers", "2"
    )
    assert status == 1
    assert files("out") == ["a.png", "b.jpg", "sub/c.png", "sub/deep/d.tiff"]
    assert out.startswith("out: 5 files, 4 written, 1 failed, sobel in ")
    assert "|x| rounded and saturated" in out
    assert err.count("\n") == 1
    assert err.startswith("convkit: error: in/sub/bad.png is a PNG file that is cut short")
    expected = np.clip(np.rint(ck.filters.sobel(PHOTO)), 0, 255)
    np.testing.assert_array_equal(ck.imread("out/a.png"), expected)
    np.testing.assert_array_equal(
        ck.imread("out/sub/deep/d.tiff"), ck.filters.sobel(np.roll(PHOTO, 3, axis=0))
    )
    report = json.loads(Path("report.json").read_text(encoding="utf-8"))
    assert [report[key] for key in ("total", "written", "skipped", "failed", "pipeline")] == [
        5,
        4,
        0,
        1,
        "sobel",
    ]
    assert [f["status"] for f in report["files"] if "bad" in f["input"]] == ["failed"]
    assert all("cut short" in f["error"] for f in report["files"] if f["status"] == "failed")


def test_what_is_there_is_left(photos, capsys):
    (photos / "in" / "sub" / "bad.png").unlink()
    assert run(capsys, "apply", "box(3)", "in", "-o", "out", "--pattern", "*.png")[0] == 0
    assert files("out") == ["a.png"]
    before = os.stat("out/a.png").st_mtime_ns
    status, out, _ = run(capsys, "apply", "box(3)", "in", "-o", "out", "--skip-existing")
    assert (status, "3 written, 1 skipped" in out) == (0, True)
    assert os.stat("out/a.png").st_mtime_ns == before
    assert run(capsys, "apply", "box(3)", "in", "-o", "in/out")[0] == 0
    status, out, _ = run(capsys, "apply", "box(3)", "in", "-o", "in/out", "--skip-existing")
    assert "4 files, 4 skipped" in out  # and its own output is no input


def test_images_in_an_output_folder_inside_the_input_are_not_written_over(photos, capsys):
    (photos / "in" / "sub" / "a.png").write_bytes((photos / "in.png").read_bytes())
    before = {name: (photos / name).read_bytes() for name in files(".")}
    status, out, err = run(capsys, "apply", "box(3)", "in", "-o", "in/sub")
    assert (status, out) == (2, "")
    assert "in/sub lies in the input folder and holds in/sub/a.png" in err
    assert {name: (photos / name).read_bytes() for name in files(".")} == before


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["in/sub", "-o", "in", "--pattern", "sub/*.png"], "in/sub/c.png is there already, in the input"),
        (["in", "-o", "in/sub", "--pattern", "*.png"], "in/sub/a.png is there already, in the input folder"),
        (["in/sub", "-o", "link", "--pattern", "*.png"], "link/c.png is there already, in the input folder"),
    ],
)
@pytest.mark.skipif(os.name != "posix", reason="links")
def test_files_beside_the_inputs_are_not_written_over(photos, capsys, argv, message):
    """Also where the output contains the input, and where the pattern leaves them out."""
    for name in ("in/sub/a.png", "in/sub/sub/c.png"):
        (photos / name).parent.mkdir(exist_ok=True)
        ck.imwrite(name, PHOTO)
    (photos / "link").mkdir()
    (photos / "link" / "c.png").symlink_to(photos / "in" / "sub" / "deep" / "d.tiff")
    before = {name: (photos / name).read_bytes() for name in files(".")}
    status, out, err = run(capsys, "apply", "box(3)", *argv)
    assert (status, out) == (2, "")
    assert message in err
    run(capsys, "apply", "box(3)", *argv, "--skip-existing")
    assert {name: (photos / name).read_bytes() for name in before} == before


def test_a_report_goes_into_the_new_folder_of_the_output(photos, capsys):
    argv = ("apply", "box(3)", "in", "-o", "new/out", "--report", "new/out/r.json", "--pattern", "*.png")
    assert run(capsys, *argv)[0] == 0
    assert json.loads(Path("new/out/r.json").read_text())["written"] == 1
    (photos / "in" / "a.png").write_bytes(b"none")
    argv = ("apply", "box(3)", "in", "-o", "bad", "--report", "bad/r.json", "--pattern", "*.png")
    assert run(capsys, *argv)[0] == 1
    assert json.loads(Path("bad/r.json").read_text())["failed"] == 1


def test_stopping_at_the_first_failure(photos, capsys):
    """What was under way is finished, and told."""
    for i in range(40):
        (photos / "in" / f"{i:02}.png").write_bytes(b"none")
    argv = ("apply", "sobel", "in", "-o", "out", "--on-error", "stop", "--report", "r.json", "--workers")
    for workers in ("1", "2"):
        status, out, err = run(capsys, *argv, workers)
        told = json.loads(Path("r.json").read_text())
        assert status == 1
        assert "not begun" in out
        assert 1 <= told["failed"] == err.count("\n") <= int(workers)
    written = {file["output"] for file in told["files"] if file["status"] == "written"}
    assert {os.path.normpath(name) for name in written} == {
        str(path) for path in Path("out").rglob("*") if path.is_file()
    }


def test_one_interrupt_stops_and_tells(photos, capsys, monkeypatch):
    """Ctrl-C: what is under way is finished, the rest is not begun, the report is there."""
    apply_one = cli_folder.filtered

    def interrupted(*given):
        os.kill(os.getpid(), signal.SIGINT)
        for _ in range(1000):
            if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:  # which the next one meets
                break
            time.sleep(0.01)
        return apply_one(*given)

    monkeypatch.setattr("convkit.cli.folder.filtered", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell ignores it in the background
    argv = ("apply", "sobel", "in", "-o", "out", "--workers", "1", "--report", "r.json")
    try:
        status, out, _ = run(capsys, *argv)
        assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    finally:
        signal.signal(signal.SIGINT, before)
    assert (status, files("out")) == (130, ["a.png"])
    assert "1 written, 4 not begun" in out
    assert out.endswith("; interrupted\n")
    assert json.loads(Path("r.json").read_text())["written"] == 1


def test_a_report_that_cannot_be_written_costs_no_summary(photos, capsys, monkeypatch):
    put = cli_folder.put
    monkeypatch.setattr("convkit.cli.folder.put", lambda *_: put("none/r.json", b""))
    status, out, err = run(capsys, "apply", "sobel", "in", "-o", "out", "--report", "r.json")
    assert (status, "5 files, 4 written, 1 failed" in out) == (2, True)
    assert err.endswith("convkit: error: r.json: No such file or directory\n")


def test_notes_are_told_once(photos, capsys):
    (photos / "in" / "sub" / "bad.png").unlink()
    ck.imwrite("in/alpha.png", np.dstack([PHOTO] * 4 if PHOTO.ndim == 2 else [PHOTO, PHOTO[..., 0]]))
    _, out, _ = run(capsys, "apply", "sobel", "in", "-o", "out")
    assert out.count("|x| rounded and saturated") == out.count("alpha dropped") == 1


def test_names_and_one_thread_each_give_the_same_bits(photos, capsys):
    ck.imwrite("in/图像 🖼.png", PHOTO)
    for workers in ("1", "3"):
        run(capsys, "apply", "gaussian(sigma=2)", "in", "-o", workers, "--workers", workers)
    assert files("1") == files("3")
    for name in files("1"):
        assert (photos / "1" / name).read_bytes() == (photos / "3" / name).read_bytes()


def test_a_pipe_sees_no_bar_and_a_killed_run_can_be_finished(photos):
    (photos / "in" / "sub" / "bad.png").unlink()
    big = np.tile(PHOTO, (40, 40, 1))
    for i in range(12):
        ck.imwrite(f"in/{i:02}.png", big)
    command = [sys.executable, "-m", "convkit", "apply", "gaussian(sigma=3)", "in", "-o", "out"]
    environment = {**os.environ, "PYTHONPATH": str(Path(ck.__file__).parents[1])}
    killed = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while not list(Path("out").glob("0*.png")):
        assert killed.poll() is None
    killed.kill()
    killed.communicate()
    for name in files("out"):
        assert ".tmp" in name or ck.imread(f"out/{name}").ndim == 3
    done = by_shell("apply", "gaussian(sigma=3)", "in", "-o", "out", "--skip-existing")
    assert (done.returncode, done.stderr) == (0, "")
    assert "skipped" in done.stdout
    for name in files("in"):
        if not name.endswith(".txt"):
            assert ck.imread(f"out/{name}").shape == ck.imread(f"in/{name}").shape


@pytest.mark.skipif(os.name != "posix", reason="pseudo-terminals")
def test_a_terminal_sees_a_bar(photos):
    import pty
    import termios

    reading, writing = pty.openpty()
    termios.tcsetwinsize(writing, (24, 80))
    command = [sys.executable, "-m", "convkit", "apply", "sobel", "in", "-o", "out"]
    environment = {**os.environ, "PYTHONPATH": str(Path(ck.__file__).parents[1])}
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, stderr=writing, check=False)
    os.close(writing)
    assert done.returncode == 1
    assert b"files/s" in os.read(reading, 1 << 16)
    os.close(reading)


# ---- video ------------------------------------------------------------------------------------------


def test_a_video_frame_by_frame(folder, capsys):
    with ck.VideoWriter("in.avi", 10) as writer:
        for i in range(6):
            writer.write(np.full((48, 64, 3), 40 * i, np.uint8))
    status, out, err = run(capsys, "apply", "gaussian(sigma=2)", "in.avi", "-o", "out.mp4")
    assert (status, err) == (0, "")
    assert out.startswith("out.mp4: 6 frames of 64×48, gaussian(sigma=2) of in.avi in ")
    found = ck.Video("out.mp4")
    assert (found.fps, found.size, len(list(found))) == (10, (48, 64), 6)


def test_a_video_tells_its_own_size_and_frames_that_are_missing(folder, capsys):
    with ck.VideoWriter("in.avi", 10) as writer:
        for _ in range(5):
            writer.write(rng.integers(0, 256, (32, 48, 3), np.uint8))
    data = Path("in.avi").read_bytes()
    Path("in.avi").write_bytes(data[: data.rindex(b"00dc", 0, data.rindex(b"idx1"))])
    status, out, _ = run(capsys, "apply", "box(9, border='valid')", "in.avi", "-o", "out.avi")
    assert (status, out.startswith("out.avi: 4 frames of 40×24, ")) == (0, True)
    assert out.endswith("; 4 of the 5 frames that its header promises\n")


# ---- show, kernel, trace ----------------------------------------------------------------------------


def test_show_writes_before_and_after(tmp_path, capsys):
    source, target = tmp_path / "in.png", tmp_path / "out.png"
    ck.imwrite(source, np.arange(600, dtype=np.uint8).reshape(20, 30))
    assert cli.main(["show", str(source), "gaussian(sigma=2)", "-o", str(target)]) == 0
    assert capsys.readouterr().out.endswith(
        "Comparison: in.png and gaussian(sigma=2), and their difference\n"
    )
    assert ck.probe(target).width > 300
    assert cli.main(["show", str(source), "-o", str(target)]) == 0


@pytest.mark.parametrize(
    ("protocol", "start"), [("kitty", "\x1b_Ga=T,f=100,m="), ("iterm", "\x1b]1337;File=inline=1;")]
)
def test_show_speaks_to_terminals(tmp_path, capsys, protocol, start):
    ck.imwrite(tmp_path / "in.png", np.zeros((20, 30), np.uint8))
    assert cli.main(["show", str(tmp_path / "in.png"), "sobel", "--terminal", protocol]) == 0
    assert capsys.readouterr().out.startswith(start)
    target = tmp_path / "out.png"
    assert cli.main(["show", str(tmp_path / "in.png"), "--terminal", protocol, "-o", str(target)]) == 0
    assert ck.probe(target).width > 300


def test_a_large_kernel_is_printed_by_its_ends(tmp_path, capsys):
    assert cli.main(["kernel", "gaussian(sigma=20)", "-o", str(tmp_path / "kernel.png")]) == 0
    *table, last = capsys.readouterr().out.splitlines()
    assert {len(line.split()) for line in table} == {9}
    assert len(table) == 9
    assert set(table[4].split()) == {"…"}
    assert last.startswith("161×161, sum 1;")


def test_a_kernel_is_no_wider_than_the_terminal(tmp_path, capsys, monkeypatch):
    for columns, printed in (("80", 7), ("40", 3), ("200", 17)):
        monkeypatch.setenv("COLUMNS", columns)
        assert cli.main(["kernel", "gaussian(sigma=2)", "-o", str(tmp_path / "kernel.png")]) == 0
        *table, _ = capsys.readouterr().out.splitlines()
        assert (len(table), len(table[0].split())) == (17, printed)
        assert max(map(len, table)) <= int(columns)


def test_a_kernel_that_is_too_large_tells_what_is_not(tmp_path, capsys):
    assert cli.main(["kernel", "box(size=500)", "-o", str(tmp_path / "kernel.png")]) == 2
    assert "501×501 weights; expected at most 401 in one direction" in capsys.readouterr().err
    assert cli.main(["kernel", "box(size=(1, 401))", "-o", str(tmp_path / "kernel.png")]) == 0


@pytest.mark.parametrize("words", [["show", "in.png"], ["trace", "relu", "--input", "3x8x8"]])
def test_an_empty_name_is_refused(tmp_path, capsys, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    ck.imwrite("in.png", np.zeros((4, 5), np.uint8))
    assert cli.main([*words, "-o", ""]) == 2
    assert "expected one of .png" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["in.png"]


def test_kernel_prints_and_draws(tmp_path, capsys):
    target = tmp_path / "kernel.png"
    assert cli.main(["kernel", "sobel('x')", "-o", str(target)]) == 0
    out = capsys.readouterr().out
    assert [line.split() for line in out.splitlines()[:3]] == [
        ["-1", "0", "1"],
        ["-2", "0", "2"],
        ["-1", "0", "1"],
    ]
    assert ck.probe(target).width > 200
    assert cli.main(["kernel", "median(size=3)", "-o", str(target)]) == 2
    assert "not linear" in capsys.readouterr().err


def test_the_layers_that_help_and_errors_of_trace_quote_can_be_traced(capsys):
    with pytest.raises(SystemExit):
        cli.main(["trace", "--help"])
    (quoted,) = re.findall(r'such as "([^"]*)"', " ".join(capsys.readouterr().out.split()))
    assert cli.main(["trace", quoted]) == 0
    assert cli.main(["trace", "conv(16)"]) == 2
    assert repr(quoted) in capsys.readouterr().err


def test_trace_prints_shapes_and_where_they_break(tmp_path, capsys):
    target = tmp_path / "trace.png"
    layers = "conv(16, 3, stride=2, padding=1) | relu | pool(2)"
    assert cli.main(["trace", layers, "--input", "3x32x32", "-o", str(target)]) == 0
    assert "16×8×8" in capsys.readouterr().out
    assert ck.probe(target).width > 300
    assert cli.main(["trace", "pool(40)", "--input", "3x32x32"]) == 1
    assert "mend: a smaller kernel" in capsys.readouterr().out
    assert cli.main(["trace", "pool(2)", "--input", "32"]) == 2


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other C libraries decide for themselves")
def test_the_command_keeps_the_memory_of_one_image_for_the_next(run_python):
    code = (
        "import resource\n"
        "from convkit.cli import memory\n"
        "memory.keep_freed()\n"
        "for _ in range(30): b'x' * 40_000_000\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)"
    )
    assert int(run_python(code)) < 50_000  # pages: 30 times 10,000 where each is new


@pytest.mark.parametrize("pattern", ["../*.png", "sub/../*.png", "{here}/*.png"])
def test_a_pattern_stays_in_its_folder(folder, capsys, pattern):
    (folder / "in").mkdir()
    for place in ("in.png", "in/a.png"):
        ck.imwrite(place, PHOTO)
    status, _, err = run(
        capsys, "apply", "sobel", "in", "-o", "out", "--pattern", pattern.format(here=folder)
    )
    assert status == 2
    assert "expected names below in, without '..'" in err
    assert not (folder / "out").exists()
    np.testing.assert_array_equal(ck.imread("in.png"), PHOTO)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_one_input_is_not_written_over(folder, capsys):
    ck.imwrite("a.png", PHOTO)
    (folder / "b.png").symlink_to("a.png")
    for name in ("a.png", "./a.png", "b.png"):
        status, _, err = run(capsys, "apply", "box(3)", "a.png", "-o", name)
        assert (status, f"{name} is the input; expected another place" in err) == (2, True)
    np.testing.assert_array_equal(ck.imread("a.png"), PHOTO)


@pytest.mark.skipif(os.name != "posix", reason="links")
def test_inputs_are_not_written_over(folder, capsys):
    (folder / "in").mkdir()
    (folder / "out").mkdir()
    for name in ("a.png", "b.png"):
        ck.imwrite(f"in/{name}", PHOTO)
    (folder / "out" / "b.png").symlink_to(folder / "in" / "a.png")
    for extra in ([], ["--report", "in/a.png"]):
        status, _, err = run(capsys, "apply", "sobel", "in", "-o", "out", *extra)
        assert status == 2
        assert "is one of the inputs" in err
        (folder / "out" / "b.png").unlink(missing_ok=True)
    assert os.listdir("out") == []
    np.testing.assert_array_equal(ck.imread("in/a.png"), PHOTO)


def unlistable(monkeypatch, name):
    """A folder that cannot be listed nor looked into, for root too."""

    def refusing(call, where):
        def refused(path="."):
            if re.search(where, os.fspath(path)):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)
            return call(path)

        return refused

    monkeypatch.setattr(os, "scandir", refusing(os.scandir, f"{name}$"))
    monkeypatch.setattr(os, "lstat", refusing(os.lstat, f"{name}/."))


def test_a_subfolder_that_cannot_be_listed_is_told(folder, capsys, monkeypatch):
    os.makedirs("in/secret")
    ck.imwrite("in/a.png", np.zeros((4, 5), np.uint8))
    unlistable(monkeypatch, "secret")
    code, out, err = run(capsys, "apply", "sobel", "in", "-o", "out")
    assert (code, os.listdir("out")) == (1, ["a.png"])
    assert "2 files, 1 written, 1 failed" in out
    assert "in/secret" in err
    assert "Permission denied" in err
    for source in ("in", "in/**/*.png", "in/*/b.png", "in/secret/*", "in/secret/b.png"):
        with pytest.raises(PermissionError, match="secret"):
            ck.images(source)
    assert len(ck.images("in/*.png")) == 1  # which does not enter it
    assert run(capsys, "apply", "sobel", "in", "-o", "out", "--pattern", "*.png")[0] == 0
    status, _, err = run(capsys, "apply", "sobel", "in/secret", "-o", "out")
    assert (status, "in/secret: Permission denied" in err) == (2, True)


def test_names_that_are_no_text_are_reported(folder, capsys):
    os.makedirs("in")
    Path(os.fsdecode(b"in/\xff.png")).write_bytes(b"no image")
    code, _, err = run(capsys, "apply", "sobel", "in", "-o", "out", "--report", "r.json")
    assert (code, "begins with" in err) == (1, True)
    (only,) = json.loads(Path("r.json").read_text(encoding="utf-8"))["files"]
    assert os.fsencode(only["input"]) == b"in/\xff.png"


@pytest.mark.parametrize(
    ("report", "message"),
    [
        ("out/a.png", "--report out/a.png is one of the outputs"),
        ("in/a.png", "--report in/a.png is one of the inputs"),
        ("in/b.jpg", "--report in/b.jpg is an image's name; expected another, such as report.json"),
        ("out", "--report out is a folder"),
        ("out/sub", "--report out/sub is a folder"),
        ("r.json/", "--report r.json/ is a folder"),
        ("there", "there: Is a directory"),
    ],
)
def test_a_report_in_the_place_of_something_else(folder, capsys, report, message):
    os.makedirs("in/sub")
    os.makedirs("there")
    for name in ("in/a.png", "in/sub/b.png"):
        ck.imwrite(name, PHOTO)
    status, out, err = run(capsys, "apply", "sobel", "in", "-o", "out", "--report", report)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert files(".") == ["in.png", "in/a.png", "in/sub/b.png"]


@pytest.mark.parametrize(
    ("chain", "message"),
    [
        ("gaussian(sigma=-1)", "sigma is -1"),
        ("box(3) | median(2)", "size is 2"),
        ("sobel(border='x')", "border"),
        ("sobel('polar')", "makes 2 images of one, and a file holds one"),
    ],
)
def test_wrong_arguments_for_a_folder_are_one_line(photos, capsys, chain, message):
    status, out, err = run(capsys, "apply", chain, "in", "-o", "out", "--report", "r.json")
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert message in err
    assert not (photos / "out").exists()
    assert not (photos / "r.json").exists()
    assert run(capsys, "apply", "box(9, border='valid')", "in", "-o", "out", "--pattern", "*.png")[0] == 0
