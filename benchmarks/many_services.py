"""Plans N services with two objectives each and prints what that took: `python -m benchmarks.many_services N`."""

from __future__ import annotations

import json
import sys
import time
from typing import Any

from benchmarks.peak import peak_mebibytes
from components.config import parse_stack
from components.images import load_catalogue
from components.plan import plan_stack


def stack_object(services: int) -> dict[str, Any]:
    """A stack that monitors that many services with an objective for failures and one for latency each."""
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
                "exposes": ["http"],
                "objectives": {
                    "availability": {"target": "99.9%"},
                    "latency": {"target": "99%", "threshold": "500ms"},
                },
            }
            for index in range(services)
        ],
    }


def main() -> None:
    """Measure once; the stack object is there already, as Pulumi hands it over."""
    data = stack_object(int(sys.argv[1]))
    begin = time.perf_counter()
    config = parse_stack(data, "stacks/Pulumi.benchmark.yaml")
    catalogue = load_catalogue(config.images)
    plan = plan_stack(config, catalogue)
    seconds = time.perf_counter() - begin
    size = sum(len(file.content) for service in plan.services for file in service.files)
    print(json.dumps({"seconds": seconds, "mebibytes": peak_mebibytes(), "characters": size}))


if __name__ == "__main__":
    main()
