"""Whether no further file is to be begun: after a failure, or after Ctrl-C."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Stop:
    """Shared by all workers. Within ``with``, the first Ctrl-C asks for it, and the second ends the process.

    What is under way is finished. Where the signal is ignored, as in the background, it stays so.
    """

    def __init__(self) -> None:
        self.wanted = False
        self.interrupted = False
        self._before: Any = None

    def _interrupt(self, number: int, frame: FrameType | None) -> None:
        self.wanted = self.interrupted = True
        signal.signal(signal.SIGINT, signal.SIG_DFL)  # an exception would leave the threads running

    def __enter__(self) -> Stop:
        alone_may_ask = threading.current_thread() is threading.main_thread()
        if alone_may_ask and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            self._before = signal.signal(signal.SIGINT, self._interrupt)
        return self

    def __exit__(self, *_: object) -> None:
        if self._before is not None:
            signal.signal(signal.SIGINT, self._before)
