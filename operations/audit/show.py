"""An audit, as data and for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from components.config import StackConfig
from components.yaml_text import dump
from operations import console
from operations.audit.counted import Counted
from operations.audit.suggest import Suggestion, saved
from operations.audit.used import Used
from operations.units import with_unit

TOP = 10


def described(
    config: StackConfig, against: str, found: Counted, used: Used, recorded: Sequence[str], made: Sequence[Suggestion]
) -> dict[str, Any]:
    """All of it as data. Keys are only ever added."""
    totals: dict[str, dict[str, int]] = {}
    for (job, metric), series in found.series.items():
        totals.setdefault(metric, {})[job] = series
    drops = {service.name: service.drop for service in config.services}
    unused: dict[str, int] = {}
    for each in made:
        unused[each.job.name] = each.series
    metrics = [
        {
            "name": name,
            "series": sum(jobs.values()),
            "jobs": jobs,
            "recorded": name in recorded,
            "used": name in used,
        }
        for name, jobs in totals.items()
    ]
    jobs = [
        {
            **asdict(job),
            "pools": list(job.pools),
            "series": sum(series for (name, _), series in found.series.items() if name == job.name),
            "droppable": unused.get(job.name, 0),
        }
        for job in found.jobs.values()
    ]
    return {
        "environment": config.environment,
        "against": against,
        "series": {
            "head": found.head,
            "active": found.active,
            "created_in_the_last_hour": found.created,
            "label_pairs": found.label_pairs,
        },
        "jobs": sorted(jobs, key=lambda job: (-job["series"], job["name"])),
        "metrics": sorted(metrics, key=lambda metric: (-metric["series"], metric["name"])),
        "labels": found.labels,
        "label_pairs": found.pairs,
        "wide": found.wide,
        "suggestions": [each.data(drops.get(each.service or "", ())) for each in made],
        "saves": saved(made),
        "notes": found.notes,
    }


def lines(answer: dict[str, Any]) -> list[str]:
    """The same for people."""
    series = answer["series"]
    head = f"{answer['environment']}: {series['active']:,} series with a sample now, {series['head']:,} in memory"
    if series["created_in_the_last_hour"] is not None:
        head += f", {series['created_in_the_last_hour']:,.0f} new in the last hour"
    found = [f"{head} ({answer['against']})", ""]
    rows = [
        [
            job["name"],
            f"{job['targets']:,}",
            f"{job['series']:,}",
            f"{job['series'] / job['interval']:,.1f}" if job["interval"] else "-",
            f"{job['added']:,.0f}",
            f"{job['left_out']:,}",
            f"{job['droppable']:,}",
        ]
        for job in answer["jobs"]
    ]
    found += _headed(rows, ["JOB", "TARGETS", "SERIES", "SAMPLES/S", "NEW IN AN HOUR", "LEFT OUT NOW", "UNUSED"])
    rows = [
        [metric["name"], f"{metric['series']:,}", ", ".join(sorted(metric["jobs"])), _use(metric)]
        for metric in answer["metrics"][:TOP]
    ]
    found += ["", *_headed(rows, ["LARGEST METRICS", "SERIES", "JOBS", "USED"])]
    rows = [
        [label["name"], f"{label['values']:,}", with_unit(label["bytes"], "bytes") if label["bytes"] else "-"]
        for label in answer["labels"][:TOP]
    ]
    found += ["", *_headed(rows, ["LABELS", "VALUES", "MEMORY OF THE VALUES"])]
    rows = [[pair["pair"], f"{pair['series']:,}"] for pair in answer["label_pairs"][:TOP]]
    found += ["", *_headed(rows, ["LABEL PAIRS", "SERIES"])]
    found += _wide(answer["wide"])
    return [*found, "", *_suggested(answer), *(f"Note: {note}." for note in answer["notes"])]


def _use(metric: dict[str, Any]) -> str:
    if metric["used"]:
        return "yes"
    return console.paint("recorded, by nothing", "yellow") if metric["recorded"] else console.paint("no", "yellow")


def _wide(metrics: Sequence[dict[str, Any]]) -> list[str]:
    """The label that makes each of the largest metrics large."""
    rows = []
    for metric in metrics:
        if metric["labels"]:
            worst = metric["labels"][0]
            rows.append([metric["metric"], worst["name"], f"{worst['values']:,}", f"{worst['series_without']:,}"])
    return ["", *_headed(rows, ["OF THESE", "WIDEST LABEL", "VALUES", "SERIES WITHOUT IT"])] if rows else []


def _suggested(answer: dict[str, Any]) -> list[str]:
    made, saves = answer["suggestions"], answer["saves"]
    if not made:
        return ["Every metric of a scrape job is used by a rule or a dashboard."]
    share = saves["series"] / max(1, answer["series"]["active"])
    head = f"No rule and no dashboard uses {saves['series']:,} series ({share:.0%}): "
    head += f"{saves['samples_per_second']:,.1f} samples/s, {with_unit(saves['memory_bytes'], 'bytes')} of memory, "
    found = [f"{head}{with_unit(saves['disk_bytes'], 'bytes')} of disk over the retention."]
    for each in made:
        what = f"{each['series']:,} series, {each['samples_per_second']:,.1f} samples/s"
        if each["stack_file"]:
            found += ["", f"# {each['job']} ({what}). In the stack file, below `services:`"]
            found.append(dump([each["stack_file"]]).rstrip())
        else:
            remark = f"The stack file has no key for it; in a Prometheus of yours, scrape job {_pools(each)}:"
            found += ["", f"# {each['job']} ({what}). {remark}"]
            found.append(dump({"metric_relabel_configs": each["metric_relabel_configs"]}).rstrip())
    return found


def _pools(each: dict[str, Any]) -> str:
    return ", ".join(each["scrape_jobs"])


def _headed(rows: Sequence[Sequence[str]], head: list[str]) -> list[str]:
    first, *rest = console.table(rows, head)
    return [console.paint(first, "bold"), *rest]
