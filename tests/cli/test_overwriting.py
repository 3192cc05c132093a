"""What is there when `convkit apply` comes: no input is lost, nor what lies beside it."""

import os

import numpy as np
import pytest
from command import PHOTO, files, run

import convkit as ck


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
