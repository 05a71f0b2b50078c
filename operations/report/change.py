"""One difference between two states of a stack, and the dangers that a gate can ask for by name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from itertools import groupby

DANGERS = {
    "data-loss": "a volume or bucket goes, moves, shrinks or is no longer protected, or something is kept shorter",
    "fewer-backups": "data is no longer copied, or more rarely, or copies are kept shorter",
    "open-port": "something is published that was not, on an address that others than this host reach",
    "no-login": "endpoints lose TLS and password",
    "fewer-alerts": "an alert goes",
    "looser-alerts": "an alert fires later, or is less severe",
    "changed-alerts": "an alert asks something else, and whether that is more or less nobody can tell from numbers",
    "lost-receivers": "an alert no longer reaches a channel that it reached, or the channel leads elsewhere",
    "more-silence": "alerts may be silenced or muted that were not",
    "fewer-targets": "something is no longer scraped or stored, or may no longer be, by a lower limit",
    "restart": "a container of a running program is replaced",
    "new-secret": "a secret is needed that the stack did not need",
    "policy": "a rule of stacks/policy.yaml is broken, and no exception covers it",
}
"""What `--fail-on` knows, and what each means."""

SECTIONS = {
    "alerts": "Alerts",
    "recorded": "Recording rules",
    "routes": "Who is told",
    "silence": "Silencing",
    "scraping": "Scrape jobs",
    "size": "Size",
    "dashboards": "Dashboards",
    "programs": "Programs",
    "open": "Ports and access",
    "data": "Data",
    "effect": "How it takes effect",
    "secrets": "Secrets",
    "notes": "Notes on the stack file",
    "policy": "Policy",
}
"""Every section of a report in its order, and its heading."""


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a report. `before` and `after` are values as people read them; empty where there is none."""

    section: str
    name: str
    what: str
    before: str = ""
    after: str = ""
    danger: str = ""
    """A key of DANGERS, or nothing."""
    alike: str = ""
    """What all changes of one cause have in common, as it is said of many; people are told these as one."""


def joined(changes: Iterable[Change], most: int = 4) -> list[Change]:
    """Neighbours that differ by name only as one: replicas change alike, and one line says so."""
    found = []
    for rest, group in groupby(changes, key=lambda change: replace(change, name="")):
        names = list(dict.fromkeys(change.name for change in group))
        shown = ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
        found.append(replace(rest, name=shown))
    return found


def listed(names: Iterable[str], most: int = 6) -> str:
    """Names in a row; of many the first ones and how many more there are."""
    every = list(names)
    return ", ".join(every[:most]) + (f" and {len(every) - most} more" if len(every) > most else "")
