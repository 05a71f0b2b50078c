"""The demo: example services beside the stack, and the services that they are for Prometheus."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

from components.catalogue import declared_metrics
from components.config import StackConfig
from components.config.base import seconds
from components.config.services import MonitoredService
from components.config.stack import DEMO
from components.context import Context
from components.images import ImageCatalogue
from components.services import jaeger
from components.spec import Call, Probe, Service

SHOP, GATEWAY, EXPORTER, TRAFFIC = DEMO
PORTS = {SHOP: 8000, GATEWAY: 8001, EXPORTER: 8002, TRAFFIC: 8003}
_USER = "65532:65532"
_SOLD = (
    "business_active_users",
    "business_user_signups_total",
    "business_transaction_amount_dollars",
    "business_order_processing_seconds",
    "business_revenue_by_product_cents_total",
    "business_api_usage_by_client_total",
)
"""What the shop itself knows of the business; the exporter tells the rest, for the company's other channels."""
_OBJECTIVES = {
    "availability": {"target": "99.5%"},
    "latency": {"target": "95%", "threshold": "500ms"},
}


def demo(context: Context) -> tuple[Service, ...]:
    """Plan the programs of the demo: no volumes, no secrets, and no port published unless the stack file does."""
    return tuple(make(context) for make in (_shop, _exporter, _gateway, _traffic))


def with_demo(config: StackConfig, images: ImageCatalogue) -> StackConfig:
    """The stack with the demo's services among the monitored ones, where asked for. Doing it twice changes nothing.

    From here on nothing tells them from the user's own: their scrape jobs, alerts and objectives come by themselves.
    """
    if not config.demo:
        return config
    known = {service.name for service in config.services}
    program = {"demo-shop": SHOP, "demo-gateway": GATEWAY, "demo-traffic": TRAFFIC}
    kept = seconds(config.retention.time or "30d")
    window = next((one for one in ("30d", "28d", "14d") if seconds(one) <= kept), "7d")
    added = [
        service
        for service in monitored(window)
        if service.name not in known and images.reference(program.get(service.name, EXPORTER))
    ]
    return config.model_copy(update={"services": (*config.services, *added)})


@cache
def monitored(window: str = "30d") -> tuple[MonitoredService, ...]:
    """As a user would write them into the stack file; `window` is that of their objectives.

    The exporter plays many systems, so it is many services.
    """
    objectives = {name: {**promise, "window": window} for name, promise in _OBJECTIVES.items()}
    business = declared_metrics("business")
    gateway = declared_metrics("dependencies")["external_api_duration_seconds"]
    return (
        _service(
            "demo-shop",
            "payments",
            SHOP,
            exposes=("http", "database", "cache", "dependencies", "rate-limit"),
            metrics={name: business[name] for name in _SOLD},
            objectives=objectives,
        ),
        _service(
            "demo-gateway",
            "discovery",
            GATEWAY,
            exposes=("http", "cache"),
            metrics={"external_api_duration_seconds": gateway},
            objectives=objectives,
        ),
        _service(
            "demo-traffic",
            "platform",
            TRAFFIC,
            metrics={
                "demo_requests_total": {"type": "counter", "labels": {"outcome": ["success", "refused", "failure"]}},
                "demo_fault_active": {"type": "gauge", "labels": {"fault": 25}},
            },
        ),
        _played("business", "payments"),
        _played("concierge", "discovery"),
        _played("neo4j-aura", "discovery", interval="30s"),  # as often as Aura has new values
        _played("janusgraph", "discovery"),
        _played("cassandra", "platform"),
        _played("security", "security", "compliance"),
        _played("backup", "platform"),
    )


def _played(subject: str, team: str, *others: str, **more: Any) -> MonitoredService:
    """One of the systems that the exporter plays."""
    subjects = (subject, *others)
    return _service(f"demo-{subject}", team, EXPORTER, exposes=subjects, params={"subject": subjects}, **more)


def _service(name: str, team: str, program: str, **more: Any) -> MonitoredService:
    discovery = {"static": {"targets": [f"{program}:{PORTS[program]}"]}}
    return MonitoredService.model_validate({"name": name, "team": team, "discovery": discovery, **more})


def _shop(context: Context) -> Service:
    return _python(context, SHOP, "examples.shop", {"payments": TRAFFIC}, memory=128, cpus=0.5)


def _exporter(context: Context) -> Service:
    return _python(context, EXPORTER, "examples.exporter", {}, memory=96, cpus=0.25)


def _traffic(context: Context) -> Service:
    others = {"gateway": GATEWAY, "shop": SHOP, "exporter": EXPORTER}
    return _python(context, TRAFFIC, "examples.traffic", others, memory=96, cpus=0.25)


def _gateway(context: Context) -> Service:
    port = PORTS[GATEWAY]
    return Service(
        name=GATEWAY,
        product="Demo",
        image=context.image(GATEWAY),
        user=_USER,
        resources=context.resources(GATEWAY, memory=192, cpus=0.5),
        env=(("PORT", str(port)), ("SHOP_URL", _url(SHOP)), *_tracing(context)),
        calls=(Call(SHOP, PORTS[SHOP]), *_trace_calls(context)),
        ports=(context.port("http", port),),
        probe=Probe(("node", "healthy.js", f"http://127.0.0.1:{port}/health")),
        stop_grace=10,
    )


def _python(context: Context, name: str, module: str, others: Mapping[str, str], memory: int, cpus: float) -> Service:
    """A Python program; `others` are the options that name another program, to that one's name."""
    port = PORTS[name]
    options = [f"--{option}={_url(program)}" for option, program in others.items()]
    return Service(
        name=name,
        product="Demo",
        image=context.image(name),
        user=_USER,
        resources=context.resources(name, memory, cpus),
        args=(module, f"--port={port}", *options),
        env=_tracing(context) if name == SHOP else (),
        calls=(
            *(Call(program, PORTS[program]) for program in others.values()),
            *(_trace_calls(context) if name == SHOP else ()),
        ),
        ports=(context.port("http", port, "demo" if name == TRAFFIC else ""),),
        probe=Probe(("python", "-m", "examples.healthy", f"http://127.0.0.1:{port}/health")),
        stop_grace=10,
    )


def _url(program: str) -> str:
    return f"http://{program}:{PORTS[program]}"


def _trace_calls(context: Context) -> tuple[Call, ...]:
    return (Call(jaeger.NAME, jaeger.OTLP_HTTP),) if _tracing(context) else ()


def _tracing(context: Context) -> tuple[tuple[str, str], ...]:
    """Where spans go, if the stack has a place for them."""
    if context.config.tracing.backend != "jaeger" or not context.image(jaeger.NAME):
        return ()
    return (("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{jaeger.NAME}:{jaeger.OTLP_HTTP}"),)
