"""Reads alarms and metrics of an AWS account, or of a file that `aws cloudwatch describe-alarms` wrote."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from components.yaml_text import dump
from operations.errors import CommandError
from operations.migrate import names
from operations.migrate.cloudwatch.alarms import Alarms
from operations.migrate.cloudwatch.history import Range, fetch, kept_period, openmetrics, promtool, write_blocks
from operations.migrate.cloudwatch.naming import Metric, exporter_config
from operations.migrate.output import Bundle
from operations.migrate.report import Node
from operations.migrate.sources import mapping, read_json

EXPORTER = "cloudwatch-exporter/config.yml"


@dataclass(frozen=True, slots=True)
class Account:
    """What to read, and how to reach it; credentials come from where boto3 looks for them."""

    source: Path | None = None
    region: str | None = None
    profile: str | None = None
    endpoint: str | None = None
    when: Range | None = None
    namespaces: tuple[str, ...] = ()
    statistic: str = "Average"


def migrate_cloudwatch(bundle: Bundle, account: Account, team: str) -> None:
    """Alarms, the exporter's configuration for their metrics, and where asked for the history."""
    if account.when:
        promtool()  # AWS charges for what would be asked without it
    alarms = Alarms(bundle, team)
    needs_api = account.source is None or account.when is not None
    client = _asking(lambda: _client(account)) if needs_api else None
    region = client.meta.region_name if client else account.region or "us-east-1"
    if account.source:
        alarms.add(mapping(read_json(account.source), "answer of describe-alarms"))
    else:
        alarms.add(Node(f"CloudWatch {region}", (), _asking(lambda: _described(client))))
    metrics = list(dict.fromkeys(alarms.metrics))
    if metrics:
        _exporter(bundle, metrics, region, team)
    if account.when and client:
        more = _asking(lambda: _listed(client, account))
        _history(bundle, client, list(dict.fromkeys([*metrics, *more])), account.when, region)


def _client(account: Account) -> Any:
    import boto3

    session = boto3.Session(profile_name=account.profile, region_name=account.region)
    return session.client("cloudwatch", endpoint_url=account.endpoint)


def _asking(work: Callable[[], Any]) -> Any:
    """Run something that asks AWS; what goes wrong there is one line with what to do."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return work()
    except (BotoCoreError, ClientError) as error:
        hint = "give --region and --profile, or set them as for the `aws` command; it needs cloudwatch:DescribeAlarms"
        raise CommandError(f"CloudWatch cannot be asked: {error}", f"{hint}, ListMetrics and GetMetricData") from None


def _described(client: Any) -> dict[str, Any]:
    found: dict[str, Any] = {"MetricAlarms": [], "CompositeAlarms": []}
    pages = client.get_paginator("describe_alarms").paginate(AlarmTypes=["MetricAlarm", "CompositeAlarm"])
    for page in pages:
        for key in found:
            found[key] += page.get(key, [])
    return found


def _listed(client: Any, account: Account) -> list[Metric]:
    lister = client.get_paginator("list_metrics")
    pages = [page for namespace in account.namespaces for page in lister.paginate(Namespace=namespace)]
    return [Metric.of(each, account.statistic, 300) for page in pages for each in page["Metrics"]]


def _exporter(bundle: Bundle, metrics: Sequence[Metric], region: str, team: str) -> None:
    """The rules ask for what YACE exposes, so its configuration and its scrape job belong to the migration."""
    bundle.extra[EXPORTER] = dump(exporter_config(metrics, region))
    bundle.stack.setdefault("services", []).append(
        {
            "name": "cloudwatch",
            "team": names.slug(team, "team"),
            "interval": "1m",
            "discovery": {"static": {"targets": ["yet-another-cloudwatch-exporter:5000"]}},
        }
    )
    bundle.notes.append(
        f"Run yet-another-cloudwatch-exporter with `{EXPORTER}`, and correct its address in `services`: rules ask for "
        "the metrics that it exposes. `prometheus/cloudwatch_exporter` names them otherwise."
    )


def _history(bundle: Bundle, client: Any, metrics: Sequence[Metric], when: Range, region: str) -> None:
    wanted = [kept_period(metric, when.start) for metric in metrics]
    samples = _asking(lambda: fetch(client, wanted, when))
    for number, (metric, found) in enumerate(samples.items()):
        node = Node(f"CloudWatch {region}", ("Metrics", number), metric.name)
        name = f"{metric.series} {', '.join(value for _, value in metric.dimensions)}".strip()
        if found:
            how = f"{len(found)} values, one in {metric.period} s"
            bundle.report.carried(node, "history", name, how)
        else:
            bundle.report.impossible(node, "history", name, "CloudWatch has no value of it in that time")
    if not any(samples.values()):
        return
    bundle.folders["blocks"] = lambda folder: write_blocks(openmetrics(samples, {"region": region}), folder, when)
    days = (datetime.now(UTC) - when.start).days + 1
    bundle.stack["retention"] = {"time": f"{max(15, days)}d"}
    bundle.notes.append(
        "`blocks/` holds the history. With Prometheus stopped, copy what is in it into its data folder (the volume "
        f"prometheus-data), owned like the others. `retention.time` is {max(15, days)}d, or they would be removed."
    )
