"""Which faults are on, wherever they take effect: here, in the shop, in the exporter."""

from __future__ import annotations

import json
import threading
import urllib.request
from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Gauge

from examples.faults import UnknownFault

OWN = ("payments-down", "rate-limit", "few-customers")
_SECONDS = 3.0


class Switch:
    """One switch for all programs.

    `programs` are name to URL. Each is told again every few seconds which of its faults are wanted, so that one that
    was restarted breaks down again as it should.
    """

    def __init__(self, registry: CollectorRegistry, programs: Mapping[str, str]) -> None:
        self._programs, self._lock = programs, threading.Lock()
        self._known: dict[str, tuple[str, ...]] = {"": OWN}
        self._wanted: set[str] = set()
        self._gauge = Gauge("demo_fault_active", "1 while a fault of the demo is on.", ["fault"], registry=registry)
        for name in OWN:
            self._gauge.labels(name).set(0)

    def __contains__(self, name: object) -> bool:
        return name in self._wanted

    def state(self) -> dict[str, bool]:
        """Every fault that is known so far, and whether it is on."""
        with self._lock:
            return {name: name in self._wanted for names in self._known.values() for name in names}

    def turn(self, name: str, on: bool) -> None:
        """Switch one; `UnknownFault` if no program knows it."""
        known = self.state()
        if name not in known:
            raise UnknownFault(f"no fault is called {name!r}; faults: {', '.join(known)}")
        self.want(name, on)
        self.tell()

    def want(self, name: str, on: bool = True) -> None:
        """The same without a look whether it is known yet: for the start, when the others may not answer."""
        with self._lock:
            (self._wanted.add if on else self._wanted.discard)(name)
        self._gauge.labels(name).set(on)

    def tell(self) -> None:
        """Tell every program what is wanted of it; those that do not answer are told the next time."""
        for program, url in self._programs.items():
            try:
                known = self._ask(url)
                self._ask(url, json.dumps([name for name in known if name in self._wanted]).encode())
            except (OSError, ValueError):
                continue
            with self._lock:
                self._known[program] = tuple(known)
            for name in known:
                self._gauge.labels(name).set(name in self._wanted)

    @staticmethod
    def _ask(url: str, wanted: bytes | None = None) -> dict[str, bool]:
        request = urllib.request.Request(f"{url}/faults", wanted, method="GET" if wanted is None else "PUT")
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            found: dict[str, bool] = json.load(answer)
            return found
