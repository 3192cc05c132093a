"""Videos by OpenCV: frames as RGB images, sizes that may not change, and nothing half-written left behind."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from types import TracebackType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from convkit import _atomic
from convkit._checks import Array, as_array, image_hint, positive
from convkit._opencv import opencv, quiet
from convkit.errors import CorruptImage, ImageFileError, UnsupportedFormat, of_file
from convkit.io.formats import sniff
from convkit.layout.colour import rgb_to_bgr, swap_red_blue

CODECS = {".mp4": "mp4v", ".mov": "mp4v", ".m4v": "mp4v", ".mkv": "mp4v", ".avi": "MJPG", ".webm": "VP80"}

STREAMS = (".mjpg", ".mjpeg")
"""Videos that begin as an image does."""


class Video:
    """The frames of a video file, to be gone through again and again.

    Parameters
    ----------
    path : str or path-like
        Whatever OpenCV's FFmpeg reads.

    Attributes
    ----------
    fps : float
    size : pair of ints
        Height and width.
    frames : int
        As the file says, which for some containers is an estimate; 0 where it does not say. Where more than
        one, and more than one in a hundred, are missing at the end, iteration raises `CorruptImage`; who must
        know of fewer counts them.

    Raises
    ------
    ImageNotFound, ImageIsDirectory, ImagePermission
        As opening the file does.
    UnsupportedFormat
        The file is no video that can be read.

    Examples
    --------
    >>> import tempfile, os, numpy as np, convkit as ck
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = os.path.join(folder, "ramp.avi")
    ...     with ck.VideoWriter(path, fps=25) as writer:
    ...         for value in range(5):
    ...             writer.write(np.full((48, 64, 3), 50 * value, np.uint8))
    ...     with ck.Video(path) as video:
    ...         video.fps, video.size, [frame.shape for frame in video][:2]
    (25.0, (48, 64), [(48, 64, 3), (48, 64, 3)])
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = os.fsdecode(path)
        capture = self._open()
        cv2 = opencv()
        self.fps = float(capture.get(cv2.CAP_PROP_FPS))
        self.size = (
            int(capture.get(cv2.CAP_PROP_FRAME_HEIGHT)),
            int(capture.get(cv2.CAP_PROP_FRAME_WIDTH)),
        )
        self.frames = max(int(capture.get(cv2.CAP_PROP_FRAME_COUNT)), 0)
        capture.release()

    def __repr__(self) -> str:
        return f"<Video {self.path}: {self.size[1]}×{self.size[0]}, {self.fps:g} fps, {self.frames} frames>"

    def __iter__(self) -> Iterator[Array]:
        """Frames from the first on, HWC uint8, RGB; `CorruptImage` where promised ones are missing."""
        capture, count = self._open(), 0
        try:
            while True:
                found, frame = capture.read()
                if not found:
                    break
                count += 1
                yield swap_red_blue(frame, frame)
        finally:
            capture.release()
        if self.frames - count > max(1, self.frames // 100):  # containers round their lengths
            raise CorruptImage(f"{self.path} promises {self.frames} frames, and {count} can be decoded")

    def __enter__(self) -> Video:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is left open: each pass over the frames opens the file and closes it."""

    def _open(self) -> Any:
        cv2 = opencv()
        try:
            with open(self.path, "rb") as file:
                image = sniff(file.read(16))
        except OSError as error:
            raise of_file(error, self.path) from None
        if image is not None and not self.path.lower().endswith(STREAMS):
            raise UnsupportedFormat(f"{self.path} is a {image.name} image and no video; pass it to ck.imread")
        with quiet:
            capture = cv2.VideoCapture(os.path.abspath(self.path), cv2.CAP_FFMPEG)  # a colon ends a protocol
        if not capture.isOpened():
            raise UnsupportedFormat(f"{self.path} is no video that OpenCV's FFmpeg can read")
        return capture


def _packets(path: str) -> int:
    """Frames that are in the file, decoded or not."""
    cv2 = opencv()
    with quiet:
        capture = cv2.VideoCapture(os.path.abspath(path), cv2.CAP_FFMPEG)
        capture.set(cv2.CAP_PROP_FORMAT, -1)  # as they are stored
        count = 0
        while capture.grab():
            count += 1
        capture.release()
    return count


class VideoWriter:
    """Write RGB frames to a video file, which appears when the writer is closed.

    A file that is there is replaced and keeps its permissions.

    Parameters
    ----------
    path : str or path-like
        Ends in .mp4, .mov, .m4v, .mkv, .avi or .webm.
    fps : number
        Frames a second.
    codec : str, optional
        Four letters; where it is not given, MPEG-4 (.avi: Motion JPEG, .webm: VP8).

    Raises
    ------
    UnsupportedFormat
        The name ends in none of these, or this OpenCV cannot write this codec.
    ImageFileError
        The file could not be written.

    Examples
    --------
    See `Video`.
    """

    def __init__(self, path: str | os.PathLike[str], fps: float, *, codec: str | None = None) -> None:
        self.path = os.fsdecode(path)
        self.fps = positive(fps, "fps")
        suffix = os.path.splitext(self.path)[1].lower()
        if suffix not in CODECS:
            raise UnsupportedFormat(
                f"{self.path} ends in {suffix or 'no suffix'!r}; expected one of {', '.join(CODECS)}"
            )
        self._codec = CODECS[suffix] if codec is None else codec
        if len(self._codec) != 4:
            raise ValueError(f"codec is {codec!r}; expected four letters, such as 'mp4v'")
        self.size: tuple[int, int] | None = None
        self._place = os.path.realpath(self.path)
        folder = os.path.dirname(self._place)
        self._beside = os.path.join(folder, f".convkit-{os.urandom(8).hex()}{suffix}")
        self._count = 0
        self._closed = False
        self._writer: Any = None
        try:
            _atomic.check(self._place)
            os.stat(os.path.join(folder, ""))
        except OSError as error:
            raise of_file(error, self.path) from None

    def write(self, frame: ArrayLike) -> None:
        """Append a frame, HW or HWC uint8 in RGB order; the first one decides the size.

        Raises
        ------
        ValueError
            Another size than the first frame's; an odd height or width, which codecs cut off; another number
            of channels; the writer is closed.
        TypeError
            Another dtype.
        """
        image = as_array(frame, "frame")
        if image.dtype != np.uint8:
            raise TypeError(
                f"frame has dtype {image.dtype}; expected uint8: pass ck.to_uint8(frame, range=...)"
            )
        if image.ndim == 2:
            image = np.repeat(image[..., None], 3, axis=2)
        if image.ndim != 3 or image.shape[2] != 3:
            hint = _frame_hint(image.shape)
            raise ValueError(f"frame has shape {image.shape}; expected HW, or HWC with 3 channels{hint}")
        if self._closed:
            raise ValueError(f"the writer of {self.path} is closed")
        height, width = image.shape[:2]
        if self.size is None:
            self._start(height, width)
        if self.size != (height, width):
            raise ValueError(
                f"frame has {height} rows of {width} pixels, and the first one had {self.size}; expected one "
                "size: pass ck.resize(frame, writer.size)"
            )
        self._writer.write(rgb_to_bgr(image))
        self._count += 1

    def close(self) -> None:
        """Finish the file and put it in its place; once more does nothing.

        Raises
        ------
        ValueError
            No frame was written, so there is no file.
        ImageFileError
            Not all frames are in the file.
        """
        if self._closed:
            return
        self._closed = True
        if self._writer is None:
            raise ValueError(f"no frame was written to {self.path}; expected at least one: pass one to write")
        self._writer.release()
        self._writer = None
        try:
            self._check()
            _atomic.replace(self._beside, self._place)
        except ImageFileError:
            raise
        except OSError as error:
            raise of_file(error, self.path) from None
        finally:
            self._discard()

    def _check(self) -> None:
        """Refuse a file that is not what was written: FFmpeg says nothing of a full disk."""
        with open(self._beside, "rb") as file:
            os.fsync(file.fileno())
        found = _packets(self._beside)
        if found != self._count:
            raise ImageFileError(
                f"{self.path} could not be written: {found} of {self._count} frames are in it; is there "
                f"room, and does its codec {self._codec!r} hold {_rate(self.fps, *(self.size or (0, 0)))}?"
            )

    def _discard(self) -> None:
        """Leave no file."""
        self._closed = True
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.release()
        with contextlib.suppress(OSError):
            os.unlink(self._beside)

    def __del__(self) -> None:
        if getattr(self, "_writer", None) is not None:
            self._discard()

    def __enter__(self) -> VideoWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Finish the file; after an exception, leave none."""
        if kind is None:
            self.close()
        else:
            self._discard()

    def _start(self, height: int, width: int) -> None:
        if height % 2 or width % 2:
            raise ValueError(
                f"frame has {height} rows of {width} pixels; expected even numbers, as codecs cut off the "
                f"last one: pass frame[:{height - height % 2}, :{width - width % 2}]"
            )
        cv2 = opencv()
        try:
            with open(self._beside, "xb"):  # which tells why a file cannot be made
                pass
        except OSError as error:
            raise of_file(error, self.path) from None
        with quiet:
            code = cv2.VideoWriter_fourcc(*self._codec)
            writer = cv2.VideoWriter(self._beside, cv2.CAP_FFMPEG, code, self.fps, (width, height))
        if not writer.isOpened():
            with contextlib.suppress(OSError):
                os.unlink(self._beside)
            raise UnsupportedFormat(
                f"{self.path}: this OpenCV cannot write the codec {self._codec!r}, or not with "
                f"{_rate(self.fps, height, width)}"
            )
        self._writer = writer
        self.size = height, width


def _rate(fps: float, height: int, width: int) -> str:
    return f"{fps:g} frames a second of {width}×{height} pixels"


def _frame_hint(shape: tuple[int, ...]) -> str:
    """The call that makes a frame of what came."""
    if len(shape) == 3 and shape[2] in (1, 4):
        return f": pass frame[..., {0 if shape[2] == 1 else ':3'}]"
    return image_hint(shape, "frame")
