"""Alert and recording rules of what is planned, with the links that people follow from an alert."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import dashboards
from components.context import Context
from components.spec import File
from components.yaml_text import dump, load

FOLDER = Path(__file__).resolve().parents[1] / "rules"


@cache
def _load(product: str) -> tuple[dict[str, Any], ...]:
    path = FOLDER / f"{product}.yaml"
    if not path.is_file():
        return ()
    return tuple(load(path.read_text())["groups"])


def rule_files(context: Context, products: Sequence[str]) -> tuple[File, ...]:
    """One file per planned product that has rules; the file name is the product's."""
    links = _dashboard_urls(context, set(products))
    return tuple(
        File(f"rules/{product}.yaml", rendered_groups(context, groups, links))
        for product in products
        if (groups := _load(product))
    )


def rendered_groups(context: Context, groups: Iterable[dict[str, Any]], links: dict[str, str]) -> str:
    """The text of one rule file; `links` are the addresses of dashboards by uid."""
    return dump({"groups": [_group(context, group, links) for group in groups]})


def _dashboard_urls(context: Context, planned: set[str]) -> dict[str, str]:
    """The address of each dashboard that Grafana has, by uid; none without Grafana."""
    if "grafana" not in planned:
        return {}
    shown = [dashboards.load(name) for name in context.config.dashboards]
    return {board.UID: f"{grafana_url(context)}/d/{board.UID}" for board in shown if planned >= board.NEEDS}


def _group(context: Context, group: dict[str, Any], links: dict[str, str]) -> dict[str, Any]:
    return group | {"rules": [_linked(context, rule, links) if "alert" in rule else rule for rule in group["rules"]]}


def _linked(context: Context, rule: dict[str, Any], links: dict[str, str]) -> dict[str, Any]:
    """The alert with `runbook_url` and `dashboard_url`; the rule file names the dashboard by its uid only."""
    annotations = dict(rule.get("annotations", {}))
    uid = annotations.pop("dashboard", None)
    base = context.config.alerting.runbooks_url
    if base:
        annotations["runbook_url"] = f"{base.rstrip('/')}/{rule['alert']}.md"
    else:
        annotations["runbook"] = f"runbooks/{rule['alert']}.md"
    if uid in links:
        annotations["dashboard_url"] = links[uid]
    return rule | {"annotations": annotations}


def grafana_url(context: Context) -> str:
    """Where people reach Grafana, without a slash at the end."""
    url = context.config.grafana.root_url or context.external_url("grafana", 3000, "grafana", context.access.scheme)
    return url.rstrip("/")
