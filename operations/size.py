"""`size`: how large a stack is, what its Prometheus needs, and whether the stack file asks for it."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from components.config import StackConfig
from components.config.base import duration_text, is_duration, seconds
from components.plan import plan_stack_file
from components.rules import chosen_groups
from components.series import Circumstances, sources
from components.sizing import STAGES, Asked, Load, asked, load_of, needs, network, stage
from components.sizing_bucket import asked_bucket, bucket_growth
from components.sizing_remote import DATABASES, asked_remote, kept_elsewhere, remote_needs
from components.spec import Plan
from operations import console
from operations.errors import UsageError
from operations.units import with_unit

_COLOURS = {"enough": "green", "tight": "yellow", "too little": "red"}
_NAMES = {"memory": "memory", "cpus": "CPU cores", "iops": "disk operations/s", "disk": "disk, for the retention"}
_REMOTE = {**_NAMES, "disk": "disk", "bucket": "bucket, for the retention"}


@dataclass(frozen=True, slots=True)
class Question:
    """What to size for, where it is not what the stack file says."""

    circumstances: Circumstances = field(default_factory=Circumstances)
    queries: float = 1.0
    retention: str | None = None
    interval: str | None = None


def sized(config: StackConfig, plan: Plan, question: Question) -> dict[str, Any]:
    """The answer as data: bytes, cores, seconds, and per second. Keys are only ever added."""
    config = _varied(config, question)
    products = [service.group for service in (*plan.services, *plan.withheld)]
    found = sources(config, products, chosen_groups(config, products), question.circumstances)
    load = load_of(found, seconds(config.retention_time), question.queries)
    prometheus, *_ = plan.replicas("prometheus")
    limits = prometheus.resources
    replicas = len(plan.replicas("prometheus"))
    growth = bucket_growth(load, config.storage, replicas) if config.storage.thanos else None
    every = {service.name: service.resources for service in (*plan.services, *plan.withheld)}
    rows = [
        *asked(config, load, limits.memory * 2**20, limits.cpus),
        *asked_remote(config, load, every, replicas),
        *(asked_bucket(config, growth) if growth else ()),
    ]
    # A stack with remote storage has reasons of its own for it, however small it is.
    place = max(stage(load.series), 0 if config.storage.backend == "local" else 1)
    return {
        "environment": config.environment,
        "platform": config.platform,
        "assumed": {**asdict(question.circumstances), "queries": question.queries},
        "retention": load.retention,
        "interval": seconds(config.scrape.interval),
        "sources": [{**asdict(source), "rate": source.rate} for source in found],
        "series": load.series,
        "rate": load.rate,
        "needs": [asdict(need) for need in needs(load)],
        "network": network(load),
        "replicas": replicas,
        "remote": _remote(config, load, replicas),
        "bucket": growth and {**asdict(growth), "ends": [{**asdict(end), "total": end.total} for end in growth.ends]},
        "asked": [{**asdict(row), "verdict": row.verdict, "advice": row.advice} for row in rows],
        "architecture": {
            "now": _with_own_storage(STAGES[place][1], config) if place == 1 else STAGES[place][1],
            "up_to": STAGES[place][0] if place + 1 < len(STAGES) else None,
            "next": STAGES[place + 1][1] if place + 1 < len(STAGES) else None,
        },
        "verdict": _worst(rows),
    }


def _with_own_storage(architecture: str, config: StackConfig) -> str:
    """The same, with the remote storage that the stack has already."""
    backend = config.storage.backend
    return architecture if backend == "local" else architecture.replace("storage: thanos", f"storage: {backend}")


def _remote(config: StackConfig, load: Load, replicas: int) -> dict[str, Any] | None:
    """Of the database that Prometheus sends its samples to: what it needs, at least and to plan with."""
    needed = remote_needs(config, load, replicas)
    if not needed:
        return None
    bands = {resource: {"floor": low, "plan": high} for resource, (low, high) in needed.items()}
    _, title = DATABASES[config.storage.backend]
    title += ", all vmstorage together," if config.storage.victoria_cluster else ""
    return {"product": title, "retention": kept_elsewhere(config), "needs": bands}


def _varied(config: StackConfig, question: Question) -> StackConfig:
    """The stack with the retention and interval that were asked for."""
    scrape, retention = config.scrape, config.retention
    if question.interval is not None:
        if not is_duration(question.interval) or not 1 <= seconds(question.interval) <= 150:
            raise UsageError(f"--interval {question.interval}: must be a duration from 1s to 2m30s")
        scrape = scrape.model_copy(update={"interval": question.interval})
    if question.retention is not None:
        if not is_duration(question.retention) or seconds(question.retention) < 7200:
            raise UsageError(f"--retention {question.retention}: must be a duration from 2h to 100y, such as 30d")
        retention = retention.model_copy(update={"time": question.retention})
    return config.model_copy(update={"scrape": scrape, "retention": retention})


def _worst(rows: list[Asked]) -> str:
    return max((row.verdict for row in rows), key=list(_COLOURS).index, default="enough")


def lines(answer: dict[str, Any]) -> list[str]:
    """The same for people."""
    kept = duration_text(answer["retention"])
    head = f"{answer['environment']} on {answer['platform']}: about {answer['series']:,} active series, "
    found = [f"{head}{answer['rate']:,.0f} samples/s, kept for {kept}", ""]
    rows = [
        [
            each["name"],
            str(each["targets"] or "-"),
            f"{each['series']:,}",
            f"{each['rate']:,.1f}",
            duration_text(each["interval"]),
            each["basis"],
        ]
        for each in sorted(answer["sources"], key=lambda each: -each["series"])
    ]
    found += _headed(rows, ["SERIES OF", "TARGETS", "SERIES", "SAMPLES/S", "EVERY", "BASIS"])
    rows = [
        [
            _NAMES[need["resource"]],
            *(_amount(need["resource"], need[key]) for key in ("rule_of_thumb", "floor", "plan")),
        ]
        for need in answer["needs"]
    ]
    found += ["", *_headed(rows, ["PROMETHEUS NEEDS", "RULE OF THUMB", "MODEL: AT LEAST", "MODEL: TO PLAN WITH *"])]
    found += ["* judges; docs/guide/sizing.md has both formulas, their sources and measurements"]
    if answer["replicas"] > 1:
        found.append(f"Each of the {answer['replicas']} replicas needs all of it.")
    if remote := answer["remote"]:
        titles = [f"{remote['product'].upper()} NEEDS", "AT LEAST", "TO PLAN WITH"]
        bands = remote["needs"].items()
        rows = [[_REMOTE[name], *(_amount(name, each[key]) for key in ("floor", "plan"))] for name, each in bands]
        found += ["", *_headed(rows, titles), f"It keeps samples for {duration_text(remote['retention'])}.", ""]
    found += [f"Scrapes take {_size(answer['network']['scraping'])}/s of the network, compressed.", ""]
    found += _judged(answer["asked"])
    if answer["bucket"]:
        found += ["", *_bucket(answer["bucket"])]
    return [*found, "", *_architecture(answer), *_assumptions(answer)]


_RESOLUTIONS = {"raw": "raw", "five_minutes": "5 minutes", "one_hour": "1 hour"}


def _bucket(bucket: dict[str, Any]) -> list[str]:
    """The bucket over the time, each amount as `at least ... to plan with`."""
    rows = [["growth in a month", "-", *[""] * len(_RESOLUTIONS), _band(bucket["month"])]]
    rows += [
        [
            f"end of {_RESOLUTIONS[end['name']]}",
            duration_text(end["age"]),
            *(_band(end["size"][name]) for name in _RESOLUTIONS),
            _band(end["total"]),
        ]
        for end in bucket["ends"]
    ]
    head = ["BUCKET", "AFTER", *(name.upper() for name in _RESOLUTIONS.values()), "TOTAL"]
    found = _headed(rows, head)
    if bucket["forever"]:
        found.append("Something is kept for ever: the bucket grows without end.")
    if bucket["noncurrent"][1]:
        found.append(f"Replaced and deleted objects, kept for a while: {_band(bucket['noncurrent'])} more.")
    found.append(f"Upload: {_band(bucket['upload'])} a second on average, every two hours at once.")
    return [*found, f"The compactor's disk: {_band(bucket['compactor_disk'])}."]


def _band(band: tuple[float, float]) -> str:
    low, high = map(_size, band)
    return f"{low} to {high}"


def _judged(rows: list[dict[str, Any]]) -> list[str]:
    table = _headed(
        [
            [
                row["key"],
                _value(row, row["value"]) + (" (default)" if row["default"] else ""),
                _value(row, row["plan"]),
                "" if row["verdict"] == "enough" else row["advice"],
                row["verdict"],
            ]
            for row in rows
        ],
        ["STACK FILE", "ASKS FOR", "TO PLAN WITH", "WRITE", "VERDICT"],
    )
    # Painted after the columns are aligned: codes of colours would count as characters.
    body = [
        line.removesuffix(row["verdict"]) + console.paint(row["verdict"], _COLOURS[row["verdict"]])
        for line, row in zip(table[1:], rows, strict=True)
    ]
    remarks = [f"{row['key']}: {row['remark']}." for row in rows if row["verdict"] == "too little" and row["remark"]]
    return [table[0], *body, *remarks]


def _architecture(answer: dict[str, Any]) -> list[str]:
    place = answer["architecture"]
    if place["next"] is None:
        return [f"This size asks for {place['now']}."]
    return [
        f"For this size it is enough to have {place['now']}.",
        f"From {place['up_to']:,.0f} series on (this is {answer['series'] / place['up_to']:.1%}): {place['next']}.",
    ]


def _assumptions(answer: dict[str, Any]) -> list[str]:
    given = answer["assumed"]
    text = f"{given['nodes']} node{'s' * (given['nodes'] != 1)} with {given['containers']} containers each and "
    queries = "1 query" if given["queries"] == 1 else f"{given['queries']:g} queries"
    text += f"{queries} a second are assumed (--nodes, --containers, --queries)."
    unknown = [each["name"] for each in answer["sources"] if each["basis"] == "undeclared"]
    return [text, *([f"{', '.join(unknown)}: declare what it exposes for a better figure."] if unknown else [])]


def _headed(rows: list[list[str]], head: list[str]) -> list[str]:
    first, *rest = console.table(rows, head)
    return [console.paint(first, "bold"), *rest]


def _amount(resource: str, value: float | None) -> str:
    if value is None:
        return "-"
    if resource in ("memory", "disk", "bucket"):
        return _size(value)
    return f"{value:.2f}" if resource == "cpus" else f"{value:,.0f}"


def _value(row: dict[str, Any], value: float) -> str:
    if row["unit"] == "number":
        return f"{value:,.0f}"
    return f"{value:g}" if row["unit"] == "cores" else _size(value)


def _size(value: float) -> str:
    """As stack files write sizes, whose units are powers of 1024."""
    return with_unit(value, "bytes").replace("iB", "B").replace(" ", "")


def size_command(stack: str, question: Question, check: bool, json: bool) -> int:
    """Print the answer; with `check`, 1 where the stack file asks for too little."""
    answer = sized(*plan_stack_file(stack), question)
    if json:
        console.print_json(answer)
    else:
        console.say("\n".join(lines(answer)))
    return 1 if check and answer["verdict"] == "too little" else 0
