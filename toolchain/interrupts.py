"""What tells a process to end, always the same way: Ctrl-C, SIGTERM, and SIGHUP when its terminal is closed."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from types import FrameType


def on_interrupt(handler: Callable[[int, FrameType | None], None]) -> None:
    """Calls the handler for each of them, but for those ignored from the start: nohup and a script's `&` mean that."""
    terminals = [stream for stream in (1, 2) if os.isatty(stream)]

    def hang_up(number: int, frame: FrameType | None) -> None:
        # The shell sends it, then the kernel, and the terminal refuses each word. None of it may break off cleaning up.
        signal.signal(number, signal.SIG_IGN)
        nowhere = os.open(os.devnull, os.O_WRONLY)
        for stream in terminals:
            os.dup2(nowhere, stream)
        handler(number, frame)

    handlers = {signal.SIGINT: handler, signal.SIGTERM: handler}
    if hasattr(signal, "SIGHUP"):
        handlers[signal.SIGHUP] = hang_up
    for number, each in handlers.items():
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, each)
