"""The command's own memory: what images free is kept for the next ones."""

from __future__ import annotations

import sys

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8
LARGEST = (1 << 31) - 1
OLD_LARGEST = 1 << 25
"""What older versions take at most."""


def keep_freed() -> None:
    """Ask glibc, where it is the C library, to give no memory back and to share all of it among threads.

    It would hand large blocks back to the system and clear their pages anew for every image, and with several
    threads it does so in some runs and not in others: half as much time again. For a process that ends with
    its files; a library does not decide that.
    """
    if not sys.platform.startswith("linux"):
        return
    import ctypes

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return
    mallopt(M_ARENA_MAX, 1)
    mallopt(M_TRIM_THRESHOLD, LARGEST)
    if not mallopt(M_MMAP_THRESHOLD, LARGEST):
        mallopt(M_MMAP_THRESHOLD, OLD_LARGEST)
