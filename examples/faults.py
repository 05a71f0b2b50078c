"""Faults that can be switched on while a program runs; what each does is up to the code that asks for it."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable


class UnknownFault(ValueError):
    """There is no such fault; the text says which there are."""


class Faults:
    """The faults of one program: which it knows, and which are on."""

    def __init__(self, known: Collection[str]) -> None:
        self.known = tuple(known)
        self._on: frozenset[str] = frozenset()

    def __contains__(self, name: str) -> bool:
        if name not in self.known:
            raise UnknownFault(f"no fault is called {name!r}; faults: {', '.join(self.known)}")
        return name in self._on

    def replace(self, names: Iterable[str]) -> None:
        """Switch exactly these on; `UnknownFault` changes nothing."""
        wanted = frozenset(names)
        for name in sorted(wanted):
            _ = name in self  # raises for a name that nobody knows
        self._on = wanted

    def replace_from(self, body: bytes) -> None:
        """The same from a JSON list of names."""
        try:
            names = json.loads(body)
        except ValueError as error:
            raise UnknownFault(f"not JSON: {error}") from None
        if not (isinstance(names, list) and all(isinstance(name, str) for name in names)):
            raise UnknownFault('send a list of names, for example ["errors"]')
        self.replace(names)

    def state(self) -> dict[str, bool]:
        """Every fault, and whether it is on."""
        return {name: name in self._on for name in self.known}
