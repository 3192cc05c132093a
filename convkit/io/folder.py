"""Many image files as one sequence, read ahead in threads."""

from __future__ import annotations

import fnmatch
import glob
import os
import stat
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, overload

from convkit import _checks, _threads
from convkit._checks import Array
from convkit.errors import ImageNotFound, of_file
from convkit.io.formats import FORMATS
from convkit.io.read import Mode, imread

if TYPE_CHECKING:
    from concurrent.futures import Future

SUFFIXES = tuple(suffix for known in FORMATS for suffix in known.suffixes)
AHEAD = 2
"""Images that each thread may be ahead of its reader."""

ABSENT = FileNotFoundError, NotADirectoryError

SETTINGS: dict[str, Callable[[Any], object]] = {
    "orientation": lambda value: _checks.choice(value, "orientation", ("exif", "ignore")),
    "max_pixels": lambda value: _checks.integer(value, "max_pixels", 1),
    "max_bytes": lambda value: _checks.integer(value, "max_bytes", 1),
    "dtype": lambda value: value is None or _checks.image_dtype(value),
}
"""What goes on to `imread`, which checks it in each image's turn, and how it is checked before."""


class Images(Sequence[Array]):
    """What `images` returns: arrays by their place, read when they are asked for, and the `paths` of them."""

    def __init__(self, paths: Sequence[str], mode: Mode, num_threads: int | None, settings: dict[str, Any]):
        self.paths = tuple(paths)
        self._mode = mode
        self._threads = num_threads
        self._settings = settings

    def __len__(self) -> int:
        return len(self.paths)

    def __repr__(self) -> str:
        return f"<{len(self)} images, from {self.paths[0]} on>" if self.paths else "<0 images>"

    @overload
    def __getitem__(self, index: int) -> Array: ...
    @overload
    def __getitem__(self, index: slice) -> Images: ...
    def __getitem__(self, index: int | slice) -> Array | Images:
        if isinstance(index, slice):
            return Images(self.paths[index], self._mode, self._threads, self._settings)
        return self._read(self.paths[index])

    def __iter__(self) -> Iterator[Array]:
        """Read in order, some images ahead; an error is raised in its image's turn."""
        threads = self._threads or _threads.default_threads()
        from concurrent.futures import ThreadPoolExecutor  # a quarter of the time of importing convkit

        waiting: deque[Future[Array]] = deque()
        with ThreadPoolExecutor(threads, "convkit-images") as pool:
            try:
                for path in self.paths:
                    waiting.append(pool.submit(self._read, path))
                    if len(waiting) > AHEAD * threads:
                        yield waiting.popleft().result()
                while waiting:
                    yield waiting.popleft().result()
            finally:
                pool.shutdown(wait=False, cancel_futures=True)

    def _read(self, path: str) -> Array:
        return imread(path, self._mode, **self._settings)


def images(
    source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]],
    mode: Mode = "unchanged",
    *,
    num_threads: int | None = None,
    **settings: Any,
) -> Images:
    """The images of a folder, of a pattern, or of a list of names: lazy, sized, to be gone through often.

    Parameters
    ----------
    source : str, path-like, or a list of them
        A folder: all files below it whose names end as an image format's. A pattern such as ``in/**/*.png``,
        where ``**`` stands for any folders: all files that it matches. Both are sorted by name. A list: as
        it is.
    mode
        See `imread`, which the further keyword arguments go to as well.
    num_threads : int, optional
        Threads that read ahead; see `options`.

    Returns
    -------
    Images
        ``len``, indexing and iteration give arrays; ``paths`` are the names. A file that cannot be read
        raises `imread`'s exception in its turn; reading others goes on by indexing.

    Raises
    ------
    ImageNotFound
        There is no such folder, or nothing matches.
    ImagePermission
        A folder that `source` is, or that lies below it or in the way of its pattern, cannot be listed.
    TypeError, ValueError
        An argument that `imread` refuses.

    Examples
    --------
    >>> import tempfile, os, numpy as np, convkit as ck
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for i in range(3):
    ...         ck.imwrite(os.path.join(folder, f"{i}.png"), np.full((2, 2), i, np.uint8))
    ...     photos = ck.images(os.path.join(folder, "*.png"))
    ...     len(photos), [int(photo.max()) for photo in photos], int(photos[-1].max())
    (3, [0, 1, 2], 2)
    """
    _checks.choice(mode, "mode", ("unchanged", "color", "gray"))
    if num_threads is not None:
        _checks.thread_count(num_threads)
    for name in settings.keys() - SETTINGS.keys():
        raise TypeError(f"images has no argument {name!r}; expected one of {', '.join(sorted(SETTINGS))}")
    for name, value in settings.items():
        SETTINGS[name](value)
    return Images(_names(source), mode, num_threads, settings)


def below(folder: str, pattern: str | None, errors: list[OSError]) -> list[str]:
    """The files below `folder` that match `pattern`, else those named as an image format's, sorted."""
    return sorted(
        name
        for name in matching(pattern or "**/*", errors, folder)
        if (pattern or name.lower().endswith(SUFFIXES)) and _is_file(os.path.join(folder, name))
    )


def matching(pattern: str, errors: list[OSError], folder: str = "") -> set[str]:
    """The names that match in `folder`, by the rules of `glob`, which goes in circles where links lead back.

    What cannot be looked into, and is in the way of the pattern, is added to `errors`: `glob` passes over it.
    """
    drive, tail = os.path.splitdrive(pattern.replace(os.altsep or os.sep, os.sep))
    parts = [part for part in tail.split(os.sep) if part]
    if parts[-1:] == ["**"]:
        parts.append("*")
    root = drive + (os.sep if tail.startswith(os.sep) else "")
    found = _matching(root or folder, parts, errors) if parts else ()
    return {root + name for name in found}


def _matching(top: str, parts: list[str], errors: list[OSError]) -> Iterator[str]:
    """The names below `top` whose folders and last part match `parts`."""
    first, rest = parts[0], parts[1:]
    if first == "**":
        while rest[0] == "**":
            rest = rest[1:]
        found: Iterable[str] = _folders(top, errors)
    elif glob.has_magic(first):
        names = fnmatch.filter(_listed(top, errors), first)
        found = [name for name in names if name[0] != "." or first[0] == "."]
    else:
        found = [first] if _exists(os.path.join(top, first), errors) else []
    for name in found:
        if rest:
            inner = _matching(os.path.join(top, name) if name else top, rest, errors)
            yield from (os.path.join(name, last) for last in inner)
        else:
            yield name


def _listed(folder: str, errors: list[OSError]) -> list[str]:
    """The names in `folder`, none where it is no folder."""
    try:
        with os.scandir(folder or os.curdir) as entries:
            return [entry.name for entry in entries]
    except ABSENT:
        pass
    except OSError as error:
        errors.append(error)
    return []


def _exists(name: str, errors: list[OSError]) -> bool:
    """Whether there is such a name, be it of a link to nothing."""
    try:
        os.lstat(name)
    except ABSENT:
        return False
    except OSError as error:
        errors.append(error)
        return False
    return True


def _folders(top: str, errors: list[OSError]) -> Iterator[str]:
    """Those in `top`, "" itself first, but for hidden ones; links are followed, unless they lead back."""
    waiting: list[tuple[str, frozenset[tuple[int, int]]]] = [("", frozenset())]
    while waiting:
        inner, above = waiting.pop()
        folder = os.path.join(top, inner) if inner else top or os.curdir
        try:
            status = os.stat(folder)
            place = status.st_dev, status.st_ino
            if place in above:
                continue
            with os.scandir(folder) as entries:
                names = [entry.name for entry in entries if entry.name[0] != "." and _is_folder(entry)]
        except ABSENT:
            continue
        except OSError as error:
            errors.append(error)
            continue
        yield inner
        waiting += [(os.path.join(inner, name), above | {place}) for name in names]


def _is_folder(entry: os.DirEntry[str]) -> bool:
    return entry.is_dir(follow_symlinks=False) or (entry.is_symlink() and os.path.isdir(entry.path))


def _is_file(name: str) -> bool:
    """Whether it is a file, or such that it cannot be known, as a link to nothing: reading that tells so."""
    try:
        return stat.S_ISREG(os.stat(name).st_mode)
    except OSError:
        return True


def _names(source: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[str]:
    errors: list[OSError] = []
    if _checks.is_sequence(source):
        names = [os.fsdecode(name) for name in source]
        where = "the list"
    elif not isinstance(source, (str, os.PathLike)):
        raise TypeError(
            f"source is {type(source).__name__}; expected a folder, a pattern or a list of files' names"
        )
    elif os.path.isdir(source):
        where = os.fsdecode(source)
        names = [os.path.join(where, name) for name in below(where, None, errors)]
    else:
        where = os.fsdecode(source)
        names = [where]
        if not os.path.isfile(where):  # whose name may have brackets
            names = sorted(filter(_is_file, matching(where, errors)))
    for error in errors:
        raise of_file(error, os.fsdecode(error.filename))
    if not names:
        raise ImageNotFound(f"{where} has no images; expected a folder, or a pattern such as in/**/*.png")
    return names
