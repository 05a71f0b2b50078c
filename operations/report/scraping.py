"""Scrape jobs before and after: which, of what, and how."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from operations.report.change import Change, listed
from operations.report.flat import differing, file_of
from operations.report.snapshot import Snapshot


def job_changes(before: Snapshot, after: Snapshot) -> Iterator[Change]:
    """Scrape jobs by name, their targets, and every value of theirs."""
    old, new = (file_of(each, "prometheus", "prometheus.yml") for each in (before, after))
    jobs = [{job["job_name"]: job for job in config.get("scrape_configs") or ()} for config in (old, new)]
    for name in [name for name in jobs[0] if name not in jobs[1]]:
        yield Change("scraping", name, "removed", _targets_text(jobs[0][name]), "", "fewer-targets")
    for name, job in jobs[1].items():
        if name not in jobs[0]:
            yield Change("scraping", name, "added", "", _targets_text(job))
        else:
            yield from _job(name, jobs[0][name], job)
    for path, mine, other in differing(old.get("global"), new.get("global")) if old and new else ():
        yield Change("scraping", "all jobs", path, mine, other)


def _job(name: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    mine, others = _targets(old), _targets(new)
    if mine != others:
        gone = [target for target in mine if target not in others]
        danger = "fewer-targets" if gone else ""
        yield Change("scraping", name, "targets", listed(mine), listed(others), danger)
    for path, before, after in differing(_without_targets(old), _without_targets(new)):
        yield Change("scraping", name, path, before, after)


def _targets(job: Mapping[str, Any]) -> list[str]:
    return [target for group in job.get("static_configs") or () for target in group.get("targets") or ()]


def _without_targets(job: Mapping[str, Any]) -> dict[str, Any]:
    groups = [
        {key: value for key, value in group.items() if key != "targets"} for group in job.get("static_configs") or ()
    ]
    return {**job, "static_configs": groups}


def _targets_text(job: Mapping[str, Any]) -> str:
    found = sorted(key.removesuffix("_sd_configs") for key in job if key.endswith("_sd_configs"))
    return listed(_targets(job)) or f"found by {', '.join(found)}"
