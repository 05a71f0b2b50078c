"""Plans N services with 20 rules each and prints what that took: `python -m benchmarks.many_services N`."""

from __future__ import annotations

import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

from components.config import parse_stack
from components.context import Context
from components.images import load_catalogue
from components.plan import plan_stack
from components.rules import rendered_groups

_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


def stack_object(services: int) -> dict[str, Any]:
    """A stack that monitors that many services."""
    return {
        "environment": "benchmark",
        "services": [
            {
                "name": f"service-{index}",
                "team": f"team-{index % 20}",
                "port": 8080,
                "discovery": {
                    "static": {"targets": [f"service-{index}-a.example.com", f"service-{index}-b.example.com"]}
                },
            }
            for index in range(services)
        ],
    }


def rule_group(service: str, team: str) -> dict[str, Any]:
    """20 rules of the kind that objectives need: ratios over 7 windows, of errors and of slow answers, and 6 alerts.

    A stack file cannot ask for rules of a service yet, so the groups are made here and written as the stack's own
    rules are.
    """
    labels = {"service": service, "team": team}
    recorded = [
        {
            "record": f"objective:{kind}:ratio_rate{window}",
            "expr": f'sum(rate({metric}{{service="{service}",{matcher}}}[{window}]))'
            f' / sum(rate({metric}{{service="{service}"}}[{window}]))',
            "labels": labels,
        }
        for kind, metric, matcher in (
            ("errors", "http_requests_total", 'code=~"5.."'),
            ("slow", "http_request_duration_seconds_bucket", 'le="0.5"'),
        )
        for window in _WINDOWS
    ]
    alerts = [
        {
            "alert": f"{kind}BudgetBurns{speed}",
            "expr": f'objective:{kind.lower()}:ratio_rate{short}{{service="{service}"}} > {factor} * 0.001'
            f' and objective:{kind.lower()}:ratio_rate{long}{{service="{service}"}} > {factor} * 0.001',
            "for": "2m",
            "labels": {**labels, "severity": "critical" if speed == "Fast" else "warning"},
            "annotations": {
                "summary": f"{service} uses up its budget of {kind.lower()} answers",
                "description": f"{{{{ $value | humanizePercentage }}}} of the requests to {service} are too bad.",
            },
        }
        for kind in ("Errors", "Slow")
        for speed, short, long, factor in (
            ("Fast", "5m", "1h", 14.4),
            ("Steady", "30m", "6h", 6),
            ("Slow", "2h", "1d", 3),
        )
    ]
    return {"name": service, "rules": [*recorded, *alerts]}


def peak_mebibytes() -> float:
    """Of this process: on Linux without what its parent had before the start, which getrusage includes."""
    try:
        status = Path("/proc/self/status").read_text()
        return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))
    except (OSError, StopIteration):
        unit = 2**20 if sys.platform == "darwin" else 2**10
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def main() -> None:
    """Measure once; the stack object is there already, as Pulumi hands it over."""
    data = stack_object(int(sys.argv[1]))
    begin = time.perf_counter()
    config = parse_stack(data, "stacks/Pulumi.benchmark.yaml")
    catalogue = load_catalogue(config.images)
    plan = plan_stack(config, catalogue)
    rules = rendered_groups(
        Context(config, catalogue), [rule_group(service.name, service.team) for service in config.services], {}
    )
    seconds = time.perf_counter() - begin
    size = sum(len(file.content) for service in plan.services for file in service.files) + len(rules)
    print(json.dumps({"seconds": seconds, "mebibytes": peak_mebibytes(), "characters": size}))


if __name__ == "__main__":
    main()
