"""How many threads a call takes: arguments, options, environment, affinity and quota."""

import _thread
import os
import signal
import threading
import time
from functools import partial

import pytest

import convkit as ck
from convkit import _options, _threads
from convkit._checks import MAX_THREADS

LARGE = 10**9


@pytest.fixture(autouse=True)
def alone(monkeypatch):
    """No variable set, and a machine of 5 processors without a quota."""
    for name in ("CONVKIT_NUM_THREADS", "OMP_NUM_THREADS"):
        monkeypatch.delenv(name, raising=False)
    processors(monkeypatch, 5)
    monkeypatch.setattr(_threads, "_cgroup_quota", lambda: 1 << 20)
    monkeypatch.setattr(_threads, "force_threads", False)


def processors(monkeypatch, count):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(count)), raising=False)


def test_the_order_of_precedence(monkeypatch):
    assert _threads.threads_for(LARGE) == 5
    monkeypatch.setenv("OMP_NUM_THREADS", "4")
    assert _threads.threads_for(LARGE) == 4
    monkeypatch.setenv("CONVKIT_NUM_THREADS", "3")
    assert _threads.threads_for(LARGE) == 3
    with ck.options(num_threads=2):
        assert _threads.threads_for(LARGE) == 2
        assert _threads.threads_for(LARGE, 6) == 6
    assert ck.build_info()["threads"] == 3


def test_small_work_stays_on_one_thread(monkeypatch):
    assert _threads.threads_for(_threads.SMALL_WORK - 1, 8) == 1
    assert _threads.threads_for(_threads.SMALL_WORK, 8) == 8
    monkeypatch.setattr(_threads, "force_threads", True)
    assert _threads.threads_for(1, 8) == 8


@pytest.mark.parametrize("work", [1, LARGE])
@pytest.mark.parametrize("bad", [0, -1, 1.5, True, "2", 10**6])
def test_bad_counts_are_refused_for_work_of_any_size(bad, work):
    with pytest.raises((TypeError, ValueError), match="num_threads is"):
        _threads.threads_for(work, bad)


@pytest.mark.parametrize("bad", ["0", "-2", "two", "1.5", "²", " ", "100000", "9" * 30])
def test_a_bad_variable_of_ours_is_refused(bad, monkeypatch):
    monkeypatch.setenv("CONVKIT_NUM_THREADS", bad)
    with pytest.raises(ValueError, match="CONVKIT_NUM_THREADS"):
        _threads.threads_for(LARGE)


@pytest.mark.parametrize(
    ("value", "threads"),
    [("2", 2), (" 3 ,1", 3), ("4,2,1", 4), ("", 5), ("0", 5), ("many", 5), ("-1", 5), ("5000", MAX_THREADS)],
)
def test_openmps_variable_is_taken_where_it_makes_sense(value, threads, monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", value)
    assert _threads.threads_for(LARGE) == threads


def test_a_variable_of_ours_may_be_empty(monkeypatch):
    monkeypatch.setenv("CONVKIT_NUM_THREADS", "")
    assert _threads.threads_for(LARGE) == 5
    monkeypatch.setenv("CONVKIT_NUM_THREADS", " 2 ")
    assert _threads.threads_for(LARGE) == 2


def test_affinity(monkeypatch):
    for count in (1, 3, 64):
        processors(monkeypatch, count)
        assert _threads.threads_for(LARGE) == count


def test_without_affinity(monkeypatch):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 7)
    assert _threads.threads_for(LARGE) == 7
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert _threads.threads_for(LARGE) == 1


def test_the_quota_caps_the_processors(monkeypatch):
    monkeypatch.setattr(_threads, "_cgroup_quota", lambda: 2)
    assert _threads.threads_for(LARGE) == 2
    assert _threads.threads_for(LARGE, 4) == 4
    processors(monkeypatch, 1)
    assert _threads.threads_for(LARGE) == 1


# ---- control groups ------------------------------------------------------------------------------------

UNLIMITED = 1 << 20
quota = _threads._cgroup_quota


def version_2(root, text):
    (root / "cpu.max").write_text(text)


def version_1(root, quota_us, period_us="100000\n"):
    (root / "cpu").mkdir()
    (root / "cpu" / "cpu.cfs_quota_us").write_text(quota_us)
    (root / "cpu" / "cpu.cfs_period_us").write_text(period_us)


@pytest.mark.parametrize(
    ("text", "processors"),
    [
        ("200000 100000\n", 2),
        ("150000 100000\n", 2),
        ("10000 100000\n", 1),
        ("800000 100000", 8),
        ("max 100000\n", UNLIMITED),
        ("max", UNLIMITED),
        ("", UNLIMITED),
        ("100000 0\n", UNLIMITED),
        ("nonsense here\n", UNLIMITED),
    ],
)
def test_version_2(text, processors, tmp_path):
    version_2(tmp_path, text)
    assert quota(str(tmp_path)) == processors


@pytest.mark.parametrize(
    ("text", "processors"), [("200000\n", 2), ("250000\n", 3), ("-1\n", UNLIMITED), ("x\n", UNLIMITED)]
)
def test_version_1(text, processors, tmp_path):
    version_1(tmp_path, text)
    assert quota(str(tmp_path)) == processors


def test_version_2_wins(tmp_path):
    version_1(tmp_path, "100000\n")
    version_2(tmp_path, "300000 100000\n")
    assert quota(str(tmp_path)) == 3


def test_no_control_group(tmp_path):
    assert quota(str(tmp_path)) == UNLIMITED
    assert quota(str(tmp_path / "missing")) == UNLIMITED


# ---- calls side by side -----------------------------------------------------------------------------
def test_calls_run_together_have_the_options_of_the_caller():
    seen = [None, None, None]
    together = threading.Barrier(3)

    def call(i):
        together.wait()
        seen[i] = (threading.get_ident(), _options.current.get().num_threads)

    with ck.options(num_threads=3):
        _threads.run_together([partial(call, i) for i in range(3)])
    threads, options = zip(*seen, strict=True)
    assert threads[0] == threading.get_ident()
    assert len(set(threads)) == 3
    assert options == (3, 3, 3)


@pytest.mark.parametrize("place", [0, 2])
def test_an_error_comes_after_the_others_ended(place):
    ended = []

    def call(i):
        if i == place:
            raise ValueError(f"call {i}")
        time.sleep(0.02)
        ended.append(i)

    with pytest.raises(ValueError, match=f"call {place}"):
        _threads.run_together([partial(call, i) for i in range(3)])
    assert sorted(ended) == sorted({0, 1, 2} - {place})


def test_an_interrupt_waits_for_all():
    ended, waiting, interrupted = [], threading.Event(), threading.Event()

    def interrupt():
        waiting.wait(10)
        _thread.interrupt_main()
        interrupted.set()

    def call():
        interrupted.wait(10)
        time.sleep(0.1)
        ended.append(1)

    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
    try:
        with pytest.raises(KeyboardInterrupt):
            _threads.run_together([waiting.set, interrupt, call, call])
    finally:
        signal.signal(signal.SIGINT, before)
    assert len(ended) == 2
