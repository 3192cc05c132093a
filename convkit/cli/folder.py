"""`convkit apply` over a folder: files in threads, each written whole or not at all, failures kept apart."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass

from convkit._atomic import check, put
from convkit._checks import integer, thread_count
from convkit._options import options
from convkit._threads import default_threads
from convkit.cli.one import filtered
from convkit.cli.progress import progress
from convkit.cli.stop import Stop
from convkit.cli.told import INTERRUPTED, Told, count, one_line
from convkit.errors import ConvkitError, ImageFileError, ImageNotFound, of_file
from convkit.filters.pipeline import Pipeline
from convkit.io import imwrite
from convkit.io.folder import SUFFIXES, below
from convkit.io.video import CODECS

FAILURES = (ConvkitError, OSError, ValueError, TypeError, MemoryError)
"""What one file may raise without costing the others."""

MOST_NOTES = 8
"""In a summary: each number of pages makes one."""


@dataclass
class Result:
    """What became of one file: "written", "skipped" or "failed"."""

    input: str
    output: str
    status: str
    seconds: float = 0.0
    note: str = ""
    error: str = ""


def run(chain: Pipeline, arguments: argparse.Namespace) -> Told:
    """Filter every file of the input folder into the same place of the output folder."""
    source, target = arguments.input, arguments.output
    unlisted: list[OSError] = []
    names = _names(source, target, arguments.pattern, arguments.skip_existing, unlisted)
    if arguments.report:
        _check_report(arguments.report, source, target, names)
    beside = os.path.dirname(os.path.abspath(arguments.report or ""))
    if arguments.report and not (os.path.isdir(beside) or beside == os.path.abspath(target)):
        raise ImageNotFound(f"{arguments.report}: there is no such folder")
    workers = (
        default_threads()
        if arguments.workers is None
        else thread_count(integer(arguments.workers, "workers", 1))
    )
    threads = 1 if arguments.threads is None else thread_count(arguments.threads)  # files are enough to share
    start = time.perf_counter()
    results = [_unlisted(error) for error in unlisted]
    total = len(names) + len(results)
    with Stop() as stop:
        results += progress(_each(chain, arguments, names, workers, threads, stop), len(names), "file")
    seconds = time.perf_counter() - start
    results.sort(key=lambda result: result.input)
    told = _summary(target, chain, results, total, seconds)
    if stop.interrupted:
        told = Told(f"{told.text}; interrupted", INTERRUPTED)
    if arguments.report:
        try:
            _report(arguments.report, chain, results, total, seconds)
        except ImageFileError:  # the files are what they are all the same
            print(told.text, flush=True)
            raise
    return told


def _unlisted(error: OSError) -> Result:
    """A folder whose files are not known."""
    name = os.fsdecode(error.filename)
    return Result(name, "", "failed", error=one_line(of_file(error, name)))


def _names(
    source: str, target: str, pattern: str | None, skip_existing: bool, unlisted: list[OSError]
) -> list[str]:
    """The inputs; what lies in the output folder is none of them, and may only be there to be left."""
    if not target:
        raise ValueError(f"-o is empty; expected a folder to write what {source} becomes to")
    if target.lower().endswith((*SUFFIXES, *CODECS)) or (
        os.path.exists(target) and not os.path.isdir(target)
    ):
        raise ValueError(f"{source} is a folder, and {target} names a file; expected a folder to write to")
    inside, outside = os.path.realpath(target), os.path.realpath(source)
    if inside == outside:
        raise ValueError(f"{target} is the input folder itself; expected another one to write to")
    if pattern is not None and (os.path.isabs(pattern) or ".." in pattern.replace(os.sep, "/").split("/")):
        raise ValueError(f"--pattern is {pattern}; expected names below {source}, without '..'")
    names = below(source, pattern, unlisted)
    if inside.startswith(os.path.join(outside, "")):
        own = os.path.join(os.path.relpath(inside, outside), "")
        there = [name for name in names if name.startswith(own)]
        if there and not skip_existing:
            raise ValueError(
                f"{target} lies in the input folder and holds {os.path.join(source, there[0])}, an input or "
                "an earlier output; expected another place to write to, or --skip-existing, which leaves it"
            )
        names = [name for name in names if not name.startswith(own)]
    if not names:
        for error in unlisted:
            raise of_file(error, os.fsdecode(error.filename))
        raise ImageNotFound(f"{source} has no {'images' if pattern is None else f'files like {pattern}'}")
    if not skip_existing:  # which replaces nothing
        _keep_inputs(source, target, names)
    return names


def _keep_inputs(source: str, target: str, names: list[str]) -> None:
    """Refuse to replace what is read or lies beside it, whatever pattern there is and wherever links lead."""
    given = {os.path.realpath(os.path.join(source, name)) for name in names}
    inputs = os.path.join(os.path.realpath(source), "")
    for wanted in (os.path.join(target, name) for name in names):
        place = os.path.realpath(wanted)
        if place in given:
            raise ValueError(f"{wanted} is one of the inputs; expected another place to write to")
        if place.startswith(inputs) and os.path.exists(place):
            raise ValueError(
                f"{wanted} is there already, in the input folder; expected another place to write to, or "
                "--skip-existing, which leaves it"
            )


def _check_report(report: str, source: str, target: str, names: list[str]) -> None:
    """Refuse a report in the place of an image, of a folder or of one that outputs need."""
    place = os.path.realpath(report)
    for folder, kind in ((source, "inputs"), (target, "outputs")):
        files = [os.path.realpath(os.path.join(folder, name)) for name in names]
        if place in files:
            raise ValueError(f"--report {report} is one of the {kind}; expected another place to write to")
        if any(file.startswith(os.path.join(place, "")) for file in files) or report.endswith(os.sep):
            raise ValueError(f"--report {report} is a folder; expected a file's name, such as report.json")
    if report.lower().endswith((*SUFFIXES, *CODECS)):  # it may be there, though no pattern selects it
        raise ValueError(f"--report {report} is an image's name; expected another, such as report.json")
    try:
        check(place)
    except OSError as error:
        raise of_file(error, report) from None


def _each(
    chain: Pipeline, arguments: argparse.Namespace, names: list[str], workers: int, threads: int, stop: Stop
) -> Iterator[Result]:
    """The results as they come, of those that were begun."""
    pool = ThreadPoolExecutor(workers, "convkit-apply")
    try:
        futures = [pool.submit(_one, chain, arguments, name, threads, stop) for name in names]
        for future in as_completed(futures):
            result = future.result()
            if result is not None:
                yield result
    finally:
        pool.shutdown(cancel_futures=True)


def _one(
    chain: Pipeline, arguments: argparse.Namespace, name: str, threads: int, stop: Stop
) -> Result | None:
    """What became of the file; None where it was not begun, as its worker decides: nothing is in between."""
    if stop.wanted:
        return None
    given, wanted = os.path.join(arguments.input, name), os.path.join(arguments.output, name)
    result = Result(given, wanted, "written")
    if arguments.skip_existing and os.path.isfile(wanted):
        result.status = "skipped"
        return result
    start = time.perf_counter()
    try:
        with options(num_threads=threads):
            image, notes, _ = filtered(chain, given, wanted, arguments.mode, arguments.stretch)
        result.note = "; ".join(notes)
        os.makedirs(os.path.dirname(wanted), exist_ok=True)
        imwrite(wanted, image)
    except FAILURES as error:
        result.status, result.error = "failed", one_line(error)
        stop.wanted = stop.wanted or arguments.on_error == "stop"
    result.seconds = round(time.perf_counter() - start, 6)
    return result


def _summary(target: str, chain: Pipeline, results: list[Result], total: int, seconds: float) -> Told:
    failed = [result for result in results if result.status == "failed"]
    for result in failed:
        where = "" if result.error.startswith(result.input) else f"{result.input}: "
        print(f"convkit: error: {where}{result.error}", file=sys.stderr)
    numbers = {**_numbers(results), "not begun": total - len(results)}
    listed = ", ".join(f"{number} {status}" for status, number in numbers.items() if number)
    notes = sorted({note for result in results if result.note for note in result.note.split("; ")})
    if len(notes) > MOST_NOTES:
        notes[MOST_NOTES:] = [f"{len(notes) - MOST_NOTES} further notes, which --report tells"]
    text = f"{target}: {count(total, 'file')}, {listed}, {chain} in {seconds:.1f} s"
    return Told("; ".join([text, *notes]), 1 if failed else 0)


def _numbers(results: list[Result]) -> dict[str, int]:
    return {status: sum(r.status == status for r in results) for status in ("written", "skipped", "failed")}


def _report(path: str, chain: Pipeline, results: list[Result], total: int, seconds: float) -> None:
    report = {
        "pipeline": str(chain),
        "seconds": round(seconds, 3),
        "total": total,
        **_numbers(results),
        "files": [asdict(result) for result in results],
    }
    text = json.dumps(report, indent=2, ensure_ascii=False)
    data = text.encode("utf-8", "backslashreplace")  # which JSON reads: names need not be text
    try:
        folder = os.path.dirname(os.path.abspath(path))
        os.makedirs(folder, exist_ok=True)  # the output's, if no file was written
        put(os.path.realpath(path), data)
    except OSError as error:
        raise of_file(error, path) from None
