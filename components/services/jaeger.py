"""Jaeger 2: receives traces, keeps and shows them, and derives metrics from their spans."""

from __future__ import annotations

from typing import Any

from components.config.base import go_duration
from components.context import Context
from components.replicas import any_of, as_replica
from components.services import prometheus
from components.services.jaeger_stores import shared_store, store_files
from components.services.probes import port_probe
from components.spec import Call, File, Metrics, Service, Volume
from components.yaml_text import dump

NAME, UI, OTLP_GRPC, OTLP_HTTP, ZIPKIN = "jaeger", 16686, 4317, 4318, 9411
OWN_METRICS, SPAN_METRICS, HEALTH = 8888, 8889, 13133
_FOLDER = "/etc/jaeger"


def jaegers(context: Context) -> tuple[Service, ...]:
    """Plan all replicas of Jaeger, which share their traces."""
    first = _jaeger(context)
    return tuple(as_replica(first, number) for number in context.replicas(NAME))


def _jaeger(context: Context) -> Service:
    """Jaeger. Its configuration is read at the start only, so a change of it replaces the container."""
    tracing = context.config.tracing
    return Service(
        name=NAME,
        product="Jaeger",
        image=context.image(NAME),
        user="10001:10001",
        resources=context.resources(NAME, memory=512, cpus=0.5),
        args=(f"--config=file:{_FOLDER}/current/jaeger.yaml",),
        env=(("GOMEMLIMIT", f"{context.resources(NAME, 512, 0.5).memory * 8 // 10}MiB"),),
        config_folder=_FOLDER,
        files=(File("jaeger.yaml", dump(_config(context)), live=False), *store_files(tracing)),
        entry_name=any_of(NAME) if len(context.replicas(NAME)) > 1 else "",
        meets_services=True,
        calls=(
            *(() if context.config.access else (Call(prometheus.NAME, prometheus.PORT),)),
            *((Call(),) if tracing.shared else ()),
        ),
        ports=(
            context.port("ui", UI, "jaeger"),
            context.port("otlp-grpc", OTLP_GRPC, "otlp_grpc", intake="traces"),
            context.port("otlp-http", OTLP_HTTP, "otlp_http", intake="traces"),
            context.port("zipkin", ZIPKIN, "zipkin", intake="traces"),
        ),
        volumes=(Volume("jaeger-data", "/badger"),) if tracing.storage == "badger" else (),
        scratch=("/tmp",),
        probe=port_probe(HEALTH),
        metrics=(
            Metrics(NAME, OWN_METRICS),
            Metrics(f"{NAME}-spans", SPAN_METRICS, honor_labels=True),
        ),
    )


def _config(context: Context) -> dict[str, Any]:
    pull = {"pull": {"exporter": {"prometheus": {"host": "0.0.0.0", "port": OWN_METRICS}}}}
    return {
        "service": {
            "extensions": ["jaeger_storage", "jaeger_query", "healthcheckv2"],
            "pipelines": {
                "traces": {
                    "receivers": ["otlp", "zipkin"],
                    "processors": ["batch"],
                    "exporters": ["jaeger_storage_exporter", "spanmetrics"],
                },
                "metrics/spanmetrics": {"receivers": ["spanmetrics"], "exporters": ["prometheus"]},
            },
            "telemetry": {
                "resource": {"service.name": NAME},
                "metrics": {"level": "normal", "readers": [pull]},
                "logs": {"level": "info"},
            },
        },
        "extensions": {
            "healthcheckv2": {"use_v2": True, "http": {"endpoint": f"0.0.0.0:{HEALTH}"}},
            "jaeger_query": {
                "storage": {"traces": "traces", **_span_metrics_reader(context)},
                "http": {"endpoint": f"0.0.0.0:{UI}"},
                "grpc": {"endpoint": "0.0.0.0:16685"},
            },
            "jaeger_storage": {"backends": {"traces": _trace_storage(context)}, **_metric_storage(context)},
        },
        "connectors": {"spanmetrics": {"metrics_flush_interval": "15s", "aggregation_cardinality_limit": 2000}},
        "receivers": {
            "otlp": {
                "protocols": {
                    "grpc": {"endpoint": f"0.0.0.0:{OTLP_GRPC}"},
                    "http": {"endpoint": f"0.0.0.0:{OTLP_HTTP}"},
                }
            },
            "zipkin": {"endpoint": f"0.0.0.0:{ZIPKIN}"},
        },
        "processors": {"batch": {"timeout": "200ms"}},
        "exporters": {
            "jaeger_storage_exporter": {"trace_storage": "traces"},
            "prometheus": {
                "endpoint": f"0.0.0.0:{SPAN_METRICS}",
                "resource_to_telemetry_conversion": {"enabled": False},
            },
        },
    }


def _trace_storage(context: Context) -> dict[str, Any]:
    tracing = context.config.tracing
    if tracing.shared:
        return shared_store(tracing)
    if tracing.storage == "memory":
        return {"memory": {"max_traces": tracing.max_traces}}
    return {
        "badger": {
            "directories": {"keys": "/badger/keys", "values": "/badger/values"},
            "ephemeral": False,
            "ttl": {"spans": go_duration(tracing.retention)},
        }
    }


def _span_metrics_reader(context: Context) -> dict[str, str]:
    # Jaeger cannot log in to a protected Prometheus, so its Monitor page is there only without access control.
    return {} if context.config.access else {"metrics": "span_metrics"}


def _metric_storage(context: Context) -> dict[str, Any]:
    if context.config.access:
        return {}
    endpoint = f"http://{prometheus.NAME}:{prometheus.PORT}"
    reader = {"prometheus": {"endpoint": endpoint, "normalize_calls": True, "normalize_duration": True}}
    return {"metric_backends": {"span_metrics": reader}}
