"""`keep-list`: which metrics of each service this stack's rules and dashboards use, to store no others."""

from __future__ import annotations

import re
from typing import Any

from components.config import StackConfig
from components.onboarding import declared_series
from components.plan import plan_stack_file
from components.spec import Plan
from components.yaml_text import dump
from operations import console
from operations.errors import UsageError
from operations.stored import used_metrics


def keep_lists(config: StackConfig, plan: Plan) -> dict[str, list[str]]:
    """Service to the metrics of it that are used: of those it declares, else of all that any query asks for.

    What the stack records, and what Prometheus adds to each scrape, is no matter of a scrape job.
    """
    used = used_metrics(plan)
    from_outside = {name for name in used if ":" not in name and not re.fullmatch(r"up|ALERTS.*|scrape_.*", name)}
    return {
        service.name: sorted(from_outside & declared_series(service) if _declares(service) else from_outside)
        for service in config.services
    }


def _declares(service: Any) -> bool:
    return bool(service.exposes or service.metrics)


def keep_list_command(stack: str, only: str | None, json: bool) -> int:
    """Print the lists: as `keep:` of a service in the stack file, and as Prometheus' own relabelling."""
    config, plan = plan_stack_file(stack)
    lists = keep_lists(config, plan)
    if only is not None:
        if only not in lists:
            raise UsageError(f"{stack} has no service {only}; there are {', '.join(lists) or 'none'}")
        lists = {only: lists[only]}
    if json:
        console.print_json({"environment": plan.environment, "services": lists})
        return 0
    if not lists:
        console.note(f"{stack} monitors no service")
    for name, metrics in lists.items():
        if not metrics:
            console.note(f"{name}: no rule and no dashboard uses any of its metrics")
            continue
        console.say(f"# {name}: {len(metrics)} metrics are used. In the stack file:")
        console.say(dump([{"name": name, "keep": metrics}]).rstrip())
        console.say("# or in a Prometheus of your own, in its scrape job:")
        step = {"source_labels": ["__name__"], "regex": "|".join(metrics), "action": "keep"}
        console.say(dump({"metric_relabel_configs": [step]}))
    return 0
