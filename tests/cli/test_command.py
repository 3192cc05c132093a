"""The command as a whole: what it lists and tells, and one line where something is wrong."""

import json
import os
import platform
import subprocess
import sys

import numpy as np
import pytest
from command import PHOTO, by_shell, run

import convkit as ck
from convkit.cli import show
from convkit.filters import registry


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
