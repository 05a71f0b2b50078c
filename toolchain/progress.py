"""Tells what is being done: a line when a step starts and ends, and the time passed while it runs."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TextIO

from toolchain.children import Interrupted

_PLAIN_INTERVAL_SECONDS = 30.0
_LIVE_INTERVAL_SECONDS = 0.5


@dataclass
class Step:
    """One thing that is being made ready; `doing` and `done` may change while it runs."""

    name: str
    doing: str
    done: str
    started: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds since it started."""
        return time.monotonic() - self.started

    @property
    def short(self) -> str:
        """What it does, without what is said once."""
        return self.doing.split(" (")[0]


class Progress:
    """Writes to standard error, so that a command's own output stays clean; safe to use from threads.

    `passing` shows what runs and nothing else: the line on a terminal goes with its step, and elsewhere only long steps
    are told. That is for commands which mostly are quick and whose output is an answer.
    """

    def __init__(self, stream: TextIO | None = None, *, passing: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._passing = passing
        self._terminal = self._stream.isatty()
        self._colour = self._terminal and "NO_COLOR" not in os.environ and os.environ.get("TERM") != "dumb"
        self._lock = threading.Lock()
        self._running: list[Step] = []
        self._live_shown = False
        self._ticker: threading.Thread | None = None
        self.finished: list[dict[str, object]] = []
        self.notes: list[str] = []

    @contextlib.contextmanager
    def step(self, name: str, doing: str, done: str) -> Iterator[Step]:
        """Shows a step from its start to its end; an exception shows it as failed and passes on."""
        step = Step(name, doing, done)
        with self._lock:
            self._running.append(step)
            if not self._passing:
                self._write(f"{name}: {doing}")
            if self._ticker is None:
                self._ticker = threading.Thread(target=self._tick, daemon=True)
                self._ticker.start()
        outcome = "failed"
        try:
            yield step
            outcome = step.done
        except Interrupted:
            outcome = "stopped"
            raise
        finally:
            with self._lock:
                self._running.remove(step)
                self.finished.append({"name": name, "outcome": outcome, "seconds": round(step.seconds, 1)})
                colour = {"failed": "31", "stopped": "33", "cannot": "33"}.get(outcome.split()[0], "32")
                if self._passing:
                    self._clear_live()
                else:
                    self._write(f"{name}: {outcome} ({step.seconds:.1f} s)", colour)

    def note(self, text: str) -> None:
        """One line that a user should know."""
        with self._lock:
            self.notes.append(text)
            self._write(text, "33")

    def error(self, text: str) -> None:
        """One line that says what went wrong and what to do."""
        with self._lock:
            self._write(f"error: {text}", "31")

    def close(self) -> None:
        """Takes the live line away."""
        with self._lock:
            self._clear_live()

    def _write(self, text: str, colour: str = "") -> None:
        self._clear_live()
        if colour and self._colour:
            text = f"\x1b[{colour}m{text}\x1b[0m"
        print(text, file=self._stream, flush=True)

    def _clear_live(self) -> None:
        if self._live_shown:
            self._stream.write("\r\x1b[K")
            self._stream.flush()
            self._live_shown = False

    def _tick(self) -> None:
        interval = _LIVE_INTERVAL_SECONDS if self._terminal else _PLAIN_INTERVAL_SECONDS
        while True:
            time.sleep(interval)
            with self._lock:
                if not self._running:
                    continue
                text = ", ".join(f"{step.name} {step.short} {step.seconds:.0f} s" for step in self._running)
                if self._terminal:
                    self._clear_live()
                    width = os.get_terminal_size(self._stream.fileno()).columns or 80
                    self._stream.write(f"... {text}"[: max(width - 1, 20)])
                    self._stream.flush()
                    self._live_shown = True
                else:
                    self._write(f"still: {text}")
