"""`convkit show`, `kernel` and `trace`: pictures and numbers in the terminal and in files."""

import re

import numpy as np
import pytest

import convkit as ck
from convkit import cli


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


def test_a_large_kernel_is_printed_by_its_ends(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
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
