"""`convkit apply` of a folder: each file for itself, and a summary of them all."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from command import PHOTO, by_shell, files, run

import convkit as ck
from convkit.cli import folder as cli_folder


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
