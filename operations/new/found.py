"""What discovery finds: a service to scrape and why, or why not; and what metrics an address answers with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

import httpx

from components.catalogue import required_series
from components.config.metrics import Subject
from components.config.services import MonitoredService
from components.config.stack import OWN_JOBS

PATIENCE = 2.0
"""Seconds for an address to answer."""
MOST_BYTES = 8_000_000
"""Of an answer that is read; larger ones are no exposition that anybody wants scraped."""
_SAMPLE = re.compile(r"^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{.*\})? +[-+0-9.eEinfNa]+", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Found:
    """Something that runs. Without a `service`, `why` says what is in the way of scraping it."""

    origin: str
    """Its container, or its namespace and name."""
    why: str
    service: Mapping[str, Any] | None = None
    networks: tuple[str, ...] = ()
    """Docker networks that Prometheus has to join to reach it."""
    advice: str = ""


@dataclass(frozen=True, slots=True)
class Exposition:
    """The metrics of one answer: names of its series' metrics, and how many series it has."""

    names: frozenset[str]
    series: int = 0
    subjects: tuple[str, ...] = field(default=())
    """Known sets of which everything is there that has to be."""


def ask(url: str) -> Exposition | None:
    """What is exposed there; None where nothing is, or nothing answers. A single GET, which changes nothing."""
    try:
        with httpx.stream("GET", url, timeout=PATIENCE, trust_env=False, headers={"Accept": "text/plain"}) as answer:
            if not answer.is_success or "html" in answer.headers.get("Content-Type", ""):
                return None
            body = bytearray()
            for part in answer.iter_bytes():
                body += part
                if len(body) > MOST_BYTES:
                    return None
    except (httpx.HTTPError, httpx.InvalidURL):
        return None
    return read(body.decode(errors="replace"))


def read(text: str) -> Exposition | None:
    """The metrics of a text in Prometheus' format; None where it is something else."""
    found = _SAMPLE.findall(text)
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    if not found or len(found) < len(lines):
        return None
    names = frozenset(found)
    subjects = tuple(each for each in get_args(Subject) if (needed := required_series(each)) and needed <= names)
    return Exposition(names, len(found), subjects)


def service(name: str, team: str, given: Mapping[str, Any], exposition: Exposition | None) -> dict[str, Any]:
    """A service as the stack file has it, with what its metrics tell."""
    found: dict[str, Any] = {"name": name, "team": team, **given}
    if exposition and exposition.subjects:
        found["exposes"] = list(exposition.subjects)
    if exposition and exposition.series > MonitoredService.model_fields["sample_limit"].default:
        found["sample_limit"] = 2 * exposition.series
    return found


def named(text: str, project: str = "") -> str:
    """A name that a service can have: some name of a container is none, or is that of a job of the stack itself."""
    name = re.sub("[^a-z0-9]+", "-", text.lower()).strip("-")[:50].strip("-")
    if not re.match("[a-z]", name):
        name = f"service-{name}".strip("-")
    if name in OWN_JOBS or name.startswith(("probe-", "federate-", "demo-")):
        name = f"{named(project) if project else 'own'}-{name}"
    return name


def merged(found: Iterable[Found]) -> list[Found]:
    """Instances of one service become one, which has all of their targets."""
    services: dict[str, Found] = {}
    others = []
    for each in found:
        if each.service is None:
            others.append(each)
            continue
        name = str(each.service["name"])
        first = services.get(name)
        if first is None or first.service is None:
            services[name] = each
            continue
        one, two = (dict(part["discovery"].get("static") or {}) for part in (first.service, each.service))
        if not one or not two:
            continue
        targets = list(dict.fromkeys([*one["targets"], *two["targets"]]))
        services[name] = Found(
            f"{first.origin}, {each.origin}",
            first.why,
            {**first.service, "discovery": {"static": {"targets": targets}}},
            tuple(dict.fromkeys([*first.networks, *each.networks])),
        )
    return [*services.values(), *others]
