"""`convkit apply`: a chain of filters over a file, a video or a folder."""

from __future__ import annotations

import argparse
import os
import time
from contextlib import AbstractContextManager, nullcontext

from convkit._options import options
from convkit.cli import folder
from convkit.cli.fit import fitted
from convkit.cli.one import check, filtered
from convkit.cli.progress import progress
from convkit.cli.told import Told, count
from convkit.filters import pipeline
from convkit.filters.pipeline import Pipeline
from convkit.io import Video, VideoWriter, imwrite
from convkit.io.folder import SUFFIXES
from convkit.io.formats import Format
from convkit.io.video import CODECS

FOLDERS_ONLY = ("pattern", "workers", "on_error", "skip_existing", "report")
FRAME = Format("a video", (), (), ("uint8",), (1, 3))


def run(arguments: argparse.Namespace) -> Told:
    """Parse the chain, then see what the input is."""
    chain = pipeline.parse(arguments.pipeline)
    check(chain)
    if os.path.isdir(arguments.input):
        return folder.run(chain, arguments)
    for name in FOLDERS_ONLY:
        if getattr(arguments, name) not in (None, False):
            raise ValueError(f"--{name.replace('_', '-')} is for a folder, and {arguments.input} is none")
    if any(sign in arguments.input for sign in "*?") and not os.path.exists(arguments.input):
        where, what = os.path.split(arguments.input)
        raise ValueError(
            f"{arguments.input} is no file; pass folder and pattern: {where or '.'} --pattern '{what}'"
        )
    os.stat(arguments.input)  # where there is none, that is what is wrong first
    if os.path.isdir(arguments.output) or arguments.output.endswith(os.sep):
        inside = os.path.join(arguments.output, os.path.basename(arguments.input))
        raise ValueError(f"{arguments.output} is a folder, and {arguments.input} a file; pass -o {inside}")
    if os.path.realpath(arguments.output) == os.path.realpath(arguments.input):
        raise ValueError(f"{arguments.output} is the input; expected another place to write to")
    threads: AbstractContextManager[None] = nullcontext()
    if arguments.threads is not None:
        threads = options(num_threads=arguments.threads)
    with threads:
        if arguments.output.lower().endswith(tuple(CODECS)):
            return _video(chain, arguments)
        return _file(chain, arguments)


def _file(chain: Pipeline, arguments: argparse.Namespace) -> Told:
    if arguments.input.lower().endswith(tuple(CODECS)):
        raise ValueError(
            f"{arguments.input} is a video and {arguments.output} none; expected two of a kind, as -o out.mp4"
        )
    image, notes, seconds = filtered(
        chain, arguments.input, arguments.output, arguments.mode, arguments.stretch
    )
    imwrite(arguments.output, image)
    size = f"{image.shape[1]}×{image.shape[0]}"
    done = f"{arguments.output}: {size} {image.dtype}, {chain} of {arguments.input} in {seconds * 1e3:.1f} ms"
    return Told("; ".join([done, *notes]))


def _video(chain: Pipeline, arguments: argparse.Namespace) -> Told:
    if arguments.input.lower().endswith(SUFFIXES):
        raise ValueError(
            f"{arguments.input} is an image and {arguments.output} a video; expected two of a kind"
        )
    if arguments.stretch:
        raise ValueError("--stretch maps each frame by itself, which flickers; leave it out for a video")
    if arguments.mode != "unchanged":
        raise ValueError("--mode is for images; frames of a video are in colour")
    start, frames = time.perf_counter(), 0
    with Video(arguments.input) as video, VideoWriter(arguments.output, video.fps) as writer:
        for frame in progress(video, video.frames, "frame"):
            result, notes = fitted(chain(frame), FRAME, frame.dtype, stretch=False)
            writer.write(result)
            frames += 1
    height, width = result.shape[:2]
    done = (
        f"{arguments.output}: {count(frames, 'frame')} of {width}×{height}, {chain} of "
        f"{arguments.input} in {time.perf_counter() - start:.1f} s"
    )
    if frames < video.frames:  # by so little that it may be an estimate, or `Video` would have raised
        notes.append(f"{frames} of the {video.frames} frames that its header promises")
    return Told("; ".join([done, *notes]))
