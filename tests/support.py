"""What the tests share: stacks to plan, and plans that do not depend on this machine."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from components.config import StackConfig, load_stack_file, parse_stack
from components.config.load import FOLDER
from components.images import ImageCatalogue, load_catalogue
from components.plan import plan_stack
from components.services.demo import with_demo
from components.spec import Plan, Service
from components.yaml_text import load

STACKS = ("dev", "staging", "prod", "k8s-dev", "k8s-prod")
NO_SUBSTITUTES = Path(__file__).with_name("no-such-file.yaml")
"""In place of what this machine has instead of pinned images: tests see the pins."""

ACCESS: dict[str, Any] = {
    "password": {"secret": "accessPassword"},
    "tls": {"ca": {"secret": "tlsCa"}, "certificate": {"secret": "tlsCertificate"}, "key": {"secret": "tlsKey"}},
}
TARGET_FILES = {"targets/batch.yaml": "- targets: [batch-1:9000]\n  labels: {zone: a}\n"}

COPIED: dict[str, Any] = {"to": {"folder": "/srv/backup"}, "password": {"secret": "backupPassword"}}
COPIED_AWAY: dict[str, Any] = {
    "to": {
        "bucket": {
            "name": "copies",
            "region": "us-east-1",
            "endpoint": "http://s3.example.com:8333",
            "path_style": True,
            "prefix": "metrics/copied",
            "credentials": {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}},
        }
    },
    "password": {"secret": "backupPassword"},
    "schedule": "6h",
    "include": ["prometheus", "alertmanager"],
}

_DATABASE_CA = {"ca": {"secret": "databaseCa"}}

MINIMAL: dict[str, Any] = {"environment": "test"}

EVERYTHING: dict[str, Any] = {
    "environment": "everything",
    "access": ACCESS,
    "docker": {"host": "tcp://engine.example.com:2375", "subnet": "172.30.0.0/24"},
    "ports": {
        "bind_address": "0.0.0.0",
        "prometheus": 19090,
        "alertmanager": "[::1]:19093",
        "grafana": "10.0.0.5:13000",
        "jaeger": "127.0.0.1:16686",
        "otlp_grpc": "127.0.0.1:4317",
        "otlp_http": "127.0.0.1:4318",
        "zipkin": "127.0.0.1:9411",
    },
    "services": [
        {"name": "shop", "team": "web", "port": 8080, "discovery": {"static": {"targets": ["shop-1", "shop-2:81"]}}},
        {
            "name": "batch",
            "team": "data",
            "discovery": {"file": {"file": "targets/batch.yaml"}},
            "labels": {"price": "5$", "tier": "gold"},
            "interval": "5s",
            "authentication": {"basic": {"username": "scraper", "password": {"secret": "batchPassword"}}},
        },
        {
            "name": "cart",
            "team": "web",
            "port": 9000,
            "discovery": {"docker": {"host": "tcp://docker-proxy:2375", "label": "com.example/job"}},
            "authentication": {"bearer": {"token": {"secret": "cartToken"}}},
        },
        {
            "name": "ledger",
            "team": "payments",
            "port": 443,
            "scheme": "https",
            "discovery": {"dns": {"names": ["ledger.example.com"], "type": "AAAA"}},
            "params": {"module": ["a", "b"]},
            "fallback_protocol": "PrometheusText0.0.4",
            "authentication": {
                "oauth2": {
                    "client_id": "prometheus",
                    "client_secret": {"secret": "ledgerClient"},
                    "token_url": "https://login.example.com/token",
                    "scopes": ["metrics"],
                }
            },
        },
        {
            "name": "vault",
            "team": "security",
            "scheme": "https",
            "discovery": {"dns": {"names": ["_metrics._tcp.vault.example.com"], "type": "SRV"}},
            "tls": {
                "ca": {"secret": "vaultCa"},
                "certificate": {"secret": "vaultCertificate"},
                "key": {"secret": "vaultKey"},
                "server_name": "vault.internal",
            },
        },
    ],
    "probes": [
        {"name": "home", "target": "https://example.com/?price=$1", "interval": "5s"},
        {"name": "gateway", "target": "192.0.2.1", "module": "icmp", "team": "network"},
    ],
    "tracing": {"retention": "7d"},
    "alerting": {
        "channels": {
            "team-chat": {"type": "slack", "url": {"secret": "slackUrl"}, "channel": "#alerts"},
            "on-call": {"type": "webhook", "url": {"secret": "onCallUrl"}, "bearer_token": {"secret": "onCallToken"}},
            "log": {"type": "webhook", "url": "http://log.example.com/alerts", "send_resolved": False},
        },
        "default_channels": ["team-chat"],
        "routes": [
            {
                "match": {"severity": "critical", "zone": ["b", "a|b"]},
                "channels": ["on-call", "team-chat"],
                "group_wait": "10s",
            },
            {"match": {"team": 'say "hi"'}, "channels": ["team-chat"], "continue": True},
        ],
        "dead_mans_switch": {"channel": "log", "repeat_interval": "2m"},
        "runbooks_url": "https://runbooks.example.com/pages/",
    },
    "grafana": {"root_url": "https://grafana.example.com/", "plugins": ["grafana-clock-panel@2.1.3"]},
    "resources": {"prometheus": {"memory": "4GB", "cpus": 2}, "jaeger": {"cpus": 0.25}},
}

CHANNELS: dict[str, Any] = {
    "hook": {"type": "webhook", "url": "http://hook.example.com/alerts"},
    "secret-hook": {"type": "webhook", "url": {"secret": "hookUrl"}, "bearer_token": {"secret": "hookToken"}},
    "slack": {"type": "slack", "url": {"secret": "slackUrl"}, "channel": "#alerts"},
    "slack-app": {
        "type": "slack",
        "token": {"secret": "slackToken"},
        "channel": "@sre",
        "api_url": "https://slack-gov.com/api/chat.postMessage",
    },
    "pagerduty": {"type": "pagerduty", "routing_key": {"secret": "pagerdutyKey"}},
    "pagerduty-eu": {
        "type": "pagerduty",
        "routing_key": {"secret": "pagerdutyEuKey"},
        "api_url": "https://events.eu.pagerduty.com/v2/enqueue",
        "send_resolved": False,
    },
    "mail": {
        "type": "email",
        "from": "alerts@example.com",
        "to": ["sre@example.com", "team@example.com"],
        "smarthost": "smtp.example.com:587",
        "username": "alerts",
        "password": {"secret": "smtpPassword"},
        "ca": {"secret": "smtpCa"},
    },
    "mail-plain": {
        "type": "email",
        "from": "alerts@example.com",
        "to": ["sre@example.com"],
        "smarthost": "[::1]:25",
        "require_tls": False,
    },
    "opsgenie": {
        "type": "opsgenie",
        "api_key": {"secret": "opsgenieKey"},
        "api_url": "https://api.eu.opsgenie.com",
        "responders": [
            {"type": "team", "name": "SRE"},
            {"type": "user", "username": "sre@example.com"},
            {"type": "schedule", "id": "4513b7ea"},
        ],
    },
}
"""Channels of every type, with and without what is optional."""

ROUTED: dict[str, Any] = {
    "environment": "routed",
    "services": [
        {
            "name": "shop",
            "team": "web",
            "discovery": {"static": {"targets": ["shop:80"]}},
            "channels": ["slack", "secret-hook"],
        }
    ],
    "alerting": {
        "channels": CHANNELS,
        "default_channels": ["slack"],
        "routes": [
            {"match": {"severity": ["critical", "emergency"]}, "channels": ["pagerduty", "opsgenie"], "continue": True},
            {"not_match": {"team": ["web", "a|b"]}, "channels": ["hook", "slack-app"], "group_by": ["team"]},
            {"match": {"category": "compliance"}, "not_match": {"team": "x"}, "channels": ["mail"], "digest": "daily"},
            {"match": {"team": "web"}, "channels": ["mail-plain"], "mute": ["holidays"], "active": ["awake", "june"]},
            {"match": {"team": "data"}, "channels": ["pagerduty-eu"], "group_interval": "1m", "repeat_interval": "5d"},
        ],
        "time_intervals": {
            "holidays": [
                {"months": ["december"], "days_of_month": ["24:-1"], "location": "Europe/Berlin"},
                {"months": [1], "days_of_month": [1], "years": ["2027:2029", 2031]},
            ],
            "awake": [{"times": [{"start_time": "08:00", "end_time": "24:00"}], "weekdays": ["monday:friday"]}],
            "june": [{"months": ["june:august", "2:3"], "days_of_month": ["-3:-1", "1:7"]}],
        },
        "dead_mans_switch": {"channel": "hook"},
    },
}
"""Every kind of channel, route and time interval."""

CLUSTER: dict[str, Any] = {
    **{key: value for key, value in EVERYTHING.items() if key not in ("docker", "ports")},
    "environment": "cluster",
    "platform": "kubernetes",
    "kubernetes": {
        "context": "test",
        "kubeconfig": "/home/somebody/.kube/config",
        "namespace": "watching",
        "storage_class": "fast",
        "volumes": {"prometheus": "30GB", "grafana": "512MB"},
        "monitor": {"verify_kubelets": True},
        "trace_namespaces": ["shop", "cart"],
        "sample_namespaces": ["regions"],
        "ingress": {
            "hosts": {"grafana": "grafana.example.com", "prometheus": "prometheus.example.com"},
            "tls_secret": "observatory-tls",
            "class_name": "nginx",
            "annotations": {"nginx.ingress.kubernetes.io/backend-protocol": "HTTPS"},
        },
        "image_pull_secrets": ["registry"],
        "priority_class": "monitoring",
        "node_selector": {"pool": "monitoring"},
    },
    "services": [
        *EVERYTHING["services"],
        {
            "name": "basket",
            "team": "web",
            "port": 8080,
            "discovery": {"kubernetes": {"namespaces": ["shop", "cart"], "labels": {"app": "basket", "tier": ""}}},
        },
        {
            "name": "crawler",
            "team": "web",
            "discovery": {
                "kubernetes": {
                    "namespaces": ["shop"],
                    "role": "pod",
                    "port_name": "metrics",
                    "annotations": {"example.com/job": "crawler"},
                }
            },
            "authentication": {"bearer": {"token": {"secret": "cartToken"}}},
        },
    ],
}
"""As EVERYTHING, on a cluster."""

_LOGINS: dict[str, dict[str, Any]] = {
    "basic": {"basic": {"username": "scraper", "password": {"secret": "basketPassword"}}},
    "oauth2": {
        "oauth2": {
            "client_id": "prometheus",
            "client_secret": {"secret": "crawlerClient"},
            "token_url": "https://login.example.com/token",
            "scopes": ["metrics"],
        }
    },
}
OPERATED: dict[str, Any] = {
    **CLUSTER,
    "environment": "operated",
    "access": None,
    "kubernetes": {
        **{key: value for key, value in CLUSTER["kubernetes"].items() if key != "ingress"},
        "namespace": "operated",
        "operator": "existing",
        "gateway": {
            "hosts": {"grafana": "grafana.example.com"},
            "name": "edge",
            "namespace": "gateways",
            "section_name": "https",
        },
    },
    "services": [
        *CLUSTER["services"],
        {
            **CLUSTER["services"][-2],
            "name": "basket-inside",
            "scheme": "https",
            "path": "/internal/metrics",
            "params": {"module": ["a", "b"]},
            "interval": "5s",
            "labels": {"price": "5$", "tier": "gold"},
            "target_limit": 10,
            "keep": ["http_.*", "up"],
            "drop": ["http_debug_.*"],
            "fallback_protocol": "PrometheusText0.0.4",
            "authentication": _LOGINS["basic"],
            "tls": {
                "ca": {"secret": "basketCa"},
                "certificate": {"secret": "basketCertificate"},
                "key": {"secret": "basketKey"},
                "server_name": "basket.example.com",
            },
        },
        {**CLUSTER["services"][-1], "name": "crawler-inside", "authentication": _LOGINS["oauth2"]},
    ],
}
"""As CLUSTER, with a Prometheus that an operator runs, and services in the cluster with everything they can have."""

BEHIND_GATEWAY: dict[str, Any] = {
    **CLUSTER,
    "environment": "gateway",
    "kubernetes": {
        **{key: value for key, value in CLUSTER["kubernetes"].items() if key != "ingress"},
        "namespace": "behind",
        "gateway": {
            "hosts": {name: f"{name}.example.com" for name in ("grafana", "prometheus", "alertmanager")},
            "name": "edge",
            "namespace": "gateways",
            "section_name": "https",
            "controller_namespace": "envoy",
        },
    },
}
"""As CLUSTER, behind a Gateway, with TLS between it and the stack."""

_PROMISING: dict[str, Any] = {
    "name": "promising",
    "team": "web",
    "discovery": {"static": {"targets": ["promising:80"]}},
    "exposes": ["http"],
    "objectives": {"availability": {"target": "99.9%"}},
}

THANOS: dict[str, Any] = {
    "backend": "thanos",
    "bucket": {
        "name": "acme-metrics",
        "region": "eu-central-1",
        "endpoint": "https://s3.example.com",
        "path_style": True,
        "prefix": "metrics/everything",
        "credentials": {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}},
        "encryption": {"kms_key": "arn:aws:kms:eu-central-1:123456789012:key/1"},
    },
    "retention": {"raw": "30d", "five_minutes": "180d", "one_hour": "forever"},
    "tls": ACCESS["tls"],
    "ruler": ["slo", "http"],
    "receive": {"clients": {"secret": "receiveClients"}},
}
"""Samples in a bucket, with all that can be said about it."""

FEDERATED: dict[str, Any] = {
    "environment": "world",
    "services": [
        {
            "name": "shop",
            "team": "web",
            "discovery": {"static": {"targets": ["shop:80"]}},
            "exposes": ["http"],
            "objectives": {"availability": {"target": "99.9%"}},
        }
    ],
    "federation": [
        {
            "name": "eu",
            "url": "https://eu.example.com/prometheus/",
            "interval": "5s",
            "authentication": {"basic": {"username": "world", "password": {"secret": "euPassword"}}},
            "tls": {"ca": {"secret": "euCa"}},
        },
        {"name": "us-west", "url": "http://us.example.com:9090", "match": ['{__name__=~"service:.+", team="web"}']},
    ],
}
"""A global server over two regions."""

_STORE_LOGIN: dict[str, Any] = {"username": "jaeger", "password": {"secret": "storePassword"}}
_STORE_TLS: dict[str, Any] = {"ca": {"secret": "storeCa"}}
_SHARED: dict[str, Any] = {
    "high_availability": {"grafana": 2, "jaeger": 2, "one_host": True},
    "grafana": {
        "database": {
            "host": "db.example.com",
            "password": {"secret": "databasePassword"},
            "ca": {"secret": "databaseCa"},
        }
    },
    "tracing": {
        "storage": "cassandra",
        "cassandra": {"servers": ["one.example.com"], "datacenter": "dc1", "login": _STORE_LOGIN, "tls": _STORE_TLS},
    },
}

GENERATED: dict[str, dict[str, Any]] = {
    "federated": FEDERATED,
    "routed": ROUTED,
    "minimal": MINIMAL,
    "everything": EVERYTHING,
    "open": {**EVERYTHING, "access": None, "ports": {}},
    "small": {
        "environment": "small",
        "exporters": {"node": False, "blackbox": False, "cadvisor": False},
        "tracing": {"backend": "none"},
        "grafana": {"enabled": False},
        "ports": {"prometheus": None, "alertmanager": None, "otlp_grpc": None, "otlp_http": None, "jaeger": None},
    },
    "cluster": CLUSTER,
    "operated": OPERATED,
    "gateway": BEHIND_GATEWAY,
    "small-cluster": {
        "environment": "small-cluster",
        "platform": "kubernetes",
        "kubernetes": {
            "context": "test",
            "monitor": {"kubelet": False, "api_server": False, "dns": False, "workloads": False},
        },
        "exporters": {"node": False, "blackbox": False, "cadvisor": False},
        "tracing": {"backend": "none"},
        "grafana": {"enabled": False},
    },
    "available": {
        "environment": "available",
        "access": ACCESS,
        "high_availability": {"alertmanager": 3, "one_host": True},
    },
    "available-cluster": {
        "environment": "available-cluster",
        "platform": "kubernetes",
        "kubernetes": {"context": "test"},
        "access": ACCESS,
        "high_availability": {"alertmanager": 3},
    },
    "shared": {"environment": "shared", "access": ACCESS, **_SHARED},
    "shared-cluster": {
        **_SHARED,
        "environment": "shared-cluster",
        "platform": "kubernetes",
        "kubernetes": {
            "context": "test",
            "trace_namespaces": ["shop"],
            "ingress": {"hosts": {"grafana": "grafana.example.com"}, "tls_secret": "observatory-tls"},
        },
        "high_availability": {"grafana": 2, "jaeger": 2},
        "tracing": {
            "storage": "opensearch",
            "opensearch": {"urls": ["https://search.example.com"], "login": _STORE_LOGIN, "tls": _STORE_TLS},
        },
    },
    "memory": {"environment": "memory", "tracing": {"storage": "memory"}, "dashboards": ["node"]},
    "demo": {"environment": "demo", "demo": True, "ports": {"demo": 8003}},
    "copied": {"environment": "copied", "backup": COPIED},
    "copied-database": {
        "environment": "copied-database",
        "grafana": {"database": {"host": "db.example.com", "password": {"secret": "databasePassword"}, **_DATABASE_CA}},
        "high_availability": {"grafana": 2, "one_host": True},
        "backup": {**COPIED, "include": ["grafana"]},
    },
    "replicas-copied": {
        "environment": "replicas-copied",
        "grafana": {"database": {"host": "db.example.com", "password": {"secret": "databasePassword"}}},
        "high_availability": {"prometheus": 2, "alertmanager": 3, "grafana": 2, "one_host": True},
        "storage": {**THANOS, "ruler": [], "receive": {}},
        "backup": COPIED,
    },
    "copied-cluster": {
        "environment": "copied-cluster",
        "platform": "kubernetes",
        "kubernetes": {"context": "test"},
        "access": ACCESS,
        "high_availability": {"prometheus": 2, "alertmanager": 3},
        "storage": {key: THANOS[key] for key in ("backend", "bucket", "tls")},
        "backup": {**COPIED_AWAY, "include": ["prometheus", "alertmanager", "grafana"]},
    },
    "copied-away": {
        "environment": "copied-away",
        "access": ACCESS,
        "backup": COPIED_AWAY,
    },
    "thanos": {
        "environment": "thanos",
        "storage": {"backend": "s3", "bucket": {"name": "metrics", "region": "eu-central-1"}},
    },
    "thanos-everything": {
        **EVERYTHING,
        "environment": "thanos-everything",
        "services": [*EVERYTHING["services"], _PROMISING],
        "storage": THANOS,
        "high_availability": {"prometheus": 2, "one_host": True},
    },
    "thanos-cluster": {
        **CLUSTER,
        "environment": "thanos-cluster",
        "services": [*CLUSTER["services"], _PROMISING],
        "kubernetes": {**CLUSTER["kubernetes"], "namespace": "thanos-watching"},
        "storage": {**THANOS, "query_frontend": False},
        "high_availability": {"prometheus": 2},
    },
    "victoria": {
        "environment": "victoria",
        "storage": {"backend": "victoria"},
    },
    "victoria-everything": {
        **EVERYTHING,
        "environment": "victoria-everything",
        "storage": {
            "backend": "victoria",
            "victoria": {"retention": "5y"},
            "remote_write": {"max_shards": 100, "max_samples_per_send": 5000, "capacity": 20000},
        },
        "high_availability": {"prometheus": 2, "one_host": True},
    },
    "victoria-cluster": {
        **CLUSTER,
        "environment": "victoria-cluster",
        "kubernetes": {**CLUSTER["kubernetes"], "namespace": "victoria-watching"},
        "storage": {"backend": "victoria"},
        "high_availability": {"prometheus": 2},
    },
    "victoria-nodes": {
        "environment": "victoria-nodes",
        "storage": {"backend": "victoria", "victoria": {"cluster": {"vminsert": 1, "vmselect": 1}}},
        "high_availability": {"one_host": True},
    },
    "victoria-nodes-everything": {
        **EVERYTHING,
        "environment": "victoria-nodes-everything",
        "storage": {
            "backend": "victoria",
            "victoria": {"retention": "5y", "cluster": {"vmstorage": 5, "replication_factor": 3}},
        },
        "high_availability": {"prometheus": 2, "one_host": True},
    },
    "victoria-nodes-cluster": {
        **CLUSTER,
        "environment": "victoria-nodes-cluster",
        "kubernetes": {**CLUSTER["kubernetes"], "namespace": "victoria-nodes-watching"},
        "storage": {"backend": "victoria", "victoria": {"cluster": {}}},
        "high_availability": {"prometheus": 2},
    },
    "cortex": {
        "environment": "cortex",
        "storage": {"backend": "cortex"},
    },
    "cortex-bucket": {
        "environment": "cortex-bucket",
        "storage": {
            "backend": "cortex",
            "bucket": {
                "name": "blocks",
                "region": "us-east-1",
                "endpoint": "http://s3.example.com:9000",
                "path_style": True,
                "credentials": {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}},
                "encryption": "none",
            },
            "cortex": {"tenant": "shop", "retention": "90d", "max_series": 50000, "max_samples_per_second": 20000},
            "remote_write": {"max_shards": 20},
        },
    },
    "cortex-cluster": {
        "environment": "cortex-cluster",
        "platform": "kubernetes",
        "kubernetes": {"context": "test"},
        "storage": {"backend": "cortex"},
    },
    "mirrored": {
        "environment": "mirrored",
        "images": {"registry": "mirror.example.com:5000/hub", "overrides": {"jaeger": "example.com/jaeger:2.99.0"}},
    },
}
"""Stacks beyond the stack files that the contract tests plan as well."""


def changed(original: Mapping[str, Any], /, **changes: Any) -> dict[str, Any]:
    """A deep copy of a stack with other values; `a__b=1` sets `b` in `a`."""
    result = copy.deepcopy(dict(original))
    for path, value in changes.items():
        *folders, last = path.split("__")
        place = result
        for folder in folders:
            place = place.setdefault(folder, {})
        place[last] = value
    return result


def stack(**changes: Any) -> StackConfig:
    """The smallest stack, with changes."""
    return parse_stack(changed(MINIMAL, **changes), "stacks/Pulumi.test.yaml")


def stack_object(name: str) -> dict[str, Any]:
    """The stack object of a stack file, as it stands there."""
    found: dict[str, Any] = load((FOLDER / f"Pulumi.{name}.yaml").read_text())["config"]["observatory:stack"]
    return found


def images(config: StackConfig, without: Collection[str] = ()) -> ImageCatalogue:
    """The pinned images; products in `without` cannot be had."""
    found = load_catalogue(config.images, NO_SUBSTITUTES)
    return ImageCatalogue({product: None if product in without else ref for product, ref in found.references.items()})


def planned(config: StackConfig, without: Collection[str] = ()) -> Plan:
    """The plan of a stack with pinned images and this module's target files."""
    return plan_stack(config, images(config, without), TARGET_FILES)


def config_of(name: str) -> StackConfig:
    """A stack file, or a generated stack, as it is planned."""
    if name in STACKS:
        config = load_stack_file(name)
    else:
        config = parse_stack(copy.deepcopy(GENERATED[name]), f"stacks/Pulumi.{name}.yaml")
    return with_demo(config, images(config))


def plan_of(name: str) -> Plan:
    """The plan of a stack file or of a generated stack."""
    return planned(config_of(name))


def service(plan: Plan, name: str) -> Service:
    """The planned service of that name; an AssertionError where there is none."""
    found = plan.service(name)
    assert found is not None, f"{name} is not planned"
    return found


def content(planned_service: Service, path: str) -> str:
    """The text of a planned file."""
    found = {file.path: file.content for file in planned_service.files}
    assert path in found, f"{planned_service.name} has no {path}, only {', '.join(found)}"
    return found[path]


def data(planned_service: Service, path: str) -> Any:
    """The data of a planned YAML file."""
    return load(content(planned_service, path))
