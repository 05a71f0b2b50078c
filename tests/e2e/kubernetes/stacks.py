"""Stacks on Kubernetes made up from every choice that a stack file has; the same for the same number."""

from __future__ import annotations

import random
from typing import Any

from components.config import parse_stack
from components.platforms.kubernetes_objects import Stack
from tests.platforms.clusters import stack_on_cluster
from tests.support import ACCESS, CLUSTER

USERS = ("shop", "cart", "search", "batch")
"""Namespaces of the user's services."""
SERVICES: list[dict[str, Any]] = [
    *CLUSTER["services"],
    {
        "name": "indexer",
        "team": "discovery",
        "port": 9102,
        "discovery": {"kubernetes": {"namespaces": ["search", "batch"], "role": "pod", "labels": {"app": "indexer"}}},
        "exposes": ["http", "cache"],
        "series_budget": 100_000,
        "objectives": {"availability": {"target": "99.9%"}},
    },
]


def made_up(number: int) -> Stack:
    """The stack of a number."""
    chance = random.Random(number)

    def some(values: list[Any]) -> list[Any]:
        return chance.sample(values, chance.randint(0, len(values)))

    def maybe(value: Any) -> Any:
        return value if chance.random() < 0.5 else None

    access = maybe(ACCESS)
    hosts = {"grafana": "grafana.example.com"}
    if access:
        hosts |= {name: f"{name}.example.com" for name in some(["prometheus", "alertmanager"])}
    cluster = {
        "context": "test",
        "namespace": maybe(f"watching-{number}"),
        "storage_class": maybe("fast"),
        "volumes": {name: f"{chance.randint(6, 60)}GB" for name in some(["prometheus", "grafana", "jaeger"])},
        "trace_namespaces": some(list(USERS)),
        **chance.choice(
            [
                {},
                {"ingress": {"hosts": hosts, "tls_secret": "tls", "class_name": maybe("nginx")}},
                {"gateway": {"hosts": hosts, "name": "edge", "namespace": "gateways", "section_name": "https"}},
            ]
        ),
        "operator": "none" if access else chance.choice(["none", "existing"]),
        "image_pull_secrets": some(["registry", "mirror"]),
        "priority_class": maybe("monitoring"),
        "node_selector": maybe({"pool": "monitoring"}) or {},
        "monitor": {
            name: chance.random() < 0.5 for name in ("kubelet", "verify_kubelets", "api_server", "dns", "workloads")
        },
    }
    stack = {
        "environment": f"made-up-{number}",
        "platform": "kubernetes",
        "kubernetes": cluster,
        "access": access,
        "services": some(SERVICES),
        "exporters": {"node": chance.random() < 0.7, "blackbox": True, "cadvisor": chance.random() < 0.5},
        "probes": some(CLUSTER["probes"]),
        "tracing": chance.choice(
            [{"backend": "none"}, {"storage": "memory"}, {"storage": "badger", "retention": "7d"}]
        ),
        "grafana": {"enabled": chance.random() < 0.8, "plugins": some(["grafana-clock-panel@2.1.3"])},
        "alerting": maybe(CLUSTER["alerting"]) or {},
        "resources": maybe({"prometheus": {"memory": "4GB", "cpus": 2.5}}) or {},
        "data": {"keep": chance.random() < 0.5},
        "high_availability": maybe({"alertmanager": chance.choice([3, 5]), "one_host": chance.random() < 0.5}) or {},
    }
    return stack_on_cluster(parse_stack(stack, f"made-up-{number}"))
