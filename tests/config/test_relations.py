"""What must hold between the values of a stack file, each with the exact words of its error."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import StackConfig, StackFileError, parse_stack
from tests.support import ACCESS, MINIMAL, changed, stack

FILE = "stacks/Pulumi.test.yaml"
SERVICE: dict[str, Any] = {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["shop:8080"]}}}
PROBE = {"name": "home", "target": "https://example.com"}
SLACK = {"type": "slack", "url": {"secret": "slackUrl"}}
SIZED = (
    "prometheus, alertmanager, grafana, jaeger, node-exporter, blackbox-exporter, cadvisor, kube-state-metrics, backup"
)
SIZED += ", grafana-dump"
_DATABASES = "victoria-metrics, vmstorage, vminsert, vmselect, cortex"
PRODUCTS = f"{SIZED}, thanos, {_DATABASES}"
SIZED += f", {_DATABASES}"
SIZED += ", thanos-sidecar, thanos-store, thanos-query, thanos-query-frontend, thanos-compact"
SIZED += ", thanos-rule, thanos-receive"


def error_of(**changes: Any) -> str:
    with pytest.raises(StackFileError) as caught:
        parse_stack(changed(MINIMAL, **changes), FILE)
    return str(caught.value)


def service(**changes: Any) -> dict[str, Any]:
    return changed(SERVICE, **changes)


ONE = f"{FILE}: 1 problem\n  "
CASES: list[tuple[dict[str, Any], str]] = [
    ({"scrape__timeout": "20s"}, "scrape.timeout (is 20s): must not be longer than scrape.interval 15s"),
    (
        {"scrape__interval": "151s"},
        (
            "scrape.interval (is 151s): must be between 1s and 2m30s: "
            "above that, series drop out of queries between two scrapes"
        ),
    ),
    ({"retention__time": "119m"}, "retention.time (is 119m): must be at least 2h, the length of a block"),
    (
        {"services": [service(timeout="16s")]},
        "services[0].timeout (is 16s): must not be longer than its interval 15s",
    ),
    (
        {"services": [service(timeout="9s", interval="5s")]},
        "services[0]: timeout 9s must not be longer than interval 5s",
    ),
    ({"services": [service(interval="1ms")]}, "services[0].interval (is 1ms): must be between 1s and 2m30s"),
    ({"services": [service(interval="3m")]}, "services[0].interval (is 3m): must be between 1s and 2m30s"),
    (
        {"services": [service(name="grafana")]},
        "services[0].name (is grafana): is the name of a scrape job of the stack itself",
    ),
    (
        {"services": [service(name="jaeger-spans")]},
        "services[0].name (is jaeger-spans): is the name of a scrape job of the stack itself",
    ),
    (
        {"services": [service(name="probe-home")]},
        "services[0].name (is probe-home): is the name of a scrape job of the stack itself",
    ),
    ({"services": [SERVICE, SERVICE]}, "services[1].name (is shop): is there twice; each name is one scrape job"),
    ({"services": [service(tls={"server_name": "x"})]}, "services[0]: tls needs scheme: https"),
    (
        {"services": [service(scheme="https", tls={"certificate": {"secret": "c"}})]},
        "services[0].tls: certificate and key go together: give both or neither",
    ),
    (
        {"services": [service(discovery={"static": {"targets": ["a:1", "[::1]"]}})]},
        "services[0]: target [::1] has no port; write [::1]:8080 or give the service a port",
    ),
    (
        {"services": [service(discovery={"dns": {"names": ["a.example.com"]}})]},
        "services[0]: port is required: only DNS records of type SRV carry one",
    ),
    (
        {"services": [service(labels={"team": "x", "job": "y", "zone": "z"})]},
        "services[0]: labels job, team are set by the stack itself",
    ),
    (
        {"services": [service(discovery={"static": {"targets": ["a:1"]}, "dns": {"names": ["a"], "type": "SRV"}})]},
        "services[0].discovery: needs exactly one of static, file, docker, dns, kubernetes; has static, dns",
    ),
    (
        {"services": [service(discovery={})]},
        "services[0].discovery: needs exactly one of static, file, docker, dns, kubernetes; has none",
    ),
    (
        {"services": [service(authentication={})]},
        "services[0].authentication: needs exactly one of basic, bearer, oauth2; has none",
    ),
    ({"probes": [PROBE, PROBE]}, "probes[1].name (is home): is there twice"),
    ({"probes": [{**PROBE, "interval": "5m"}]}, "probes[0].interval (is 5m): must be between 1s and 2m30s"),
    (
        {"probes": [{**PROBE, "target": "a.example.com"}]},
        (
            "probes[0].target (is a.example.com): must be a URL such as https://shop.example.com/health, "
            "without a login in it, for module http_2xx"
        ),
    ),
    (
        {"probes": [{**PROBE, "module": "tcp_connect"}]},
        (
            "probes[0].target (is https://example.com): must be host:port, such as mail.example.com:25, "
            "without http://, for module tcp_connect"
        ),
    ),
    ({"probes": [PROBE], "exporters": {"blackbox": False}}, "probes: need exporters.blackbox: true"),
    (
        {"ports__grafana": 9090},
        "ports.grafana (is 9090): prometheus is published there, too\n      hint: give one another port",
    ),
    (
        {"ports__prometheus": "0.0.0.0:9090"},
        (
            "ports.prometheus (is 0.0.0.0:9090): would be open to others without a password\n"
            "      hint: add `access:` (TLS and a password), or bind it to 127.0.0.1"
        ),
    ),
    (
        {"ports__jaeger": "10.0.0.5:16686", "access": ACCESS},
        (
            "ports.jaeger (is 10.0.0.5:16686): would be open to others, but Jaeger has no authentication of its own\n"
            "      hint: write `jaeger: 127.0.0.1:16686` and put a proxy with a login before it"
        ),
    ),
    (
        {"alerting__default_channels": ["chat"]},
        "alerting.default_channels (is chat): no channel is called that; channels: none is defined",
    ),
    (
        {
            "alerting__channels": {"chat": SLACK},
            "alerting__default_channels": ["chat"],
            "alerting__routes": [
                {"match": {"team": "a"}, "channels": ["chat"]},
                {"match": {"a": "b"}, "channels": ["cat"]},
            ],
        },
        "alerting.routes[1].channels (is cat): no channel is called that; channels: chat",
    ),
    (
        {"alerting__dead_mans_switch": {"channel": "snitch"}},
        "alerting.dead_mans_switch.channel (is snitch): no channel is called that; channels: none is defined",
    ),
    (
        {"alerting__channels": {"chat": SLACK}, "alerting__default_channels": ["chat", "chat"]},
        "alerting.default_channels (is chat): is there twice; it would get each alert twice",
    ),
    (
        {"alerting__channels": {"chat": SLACK}},
        (
            "alerting.channels.chat: gets no alert\n"
            "      hint: name it in default_channels, a route, a service or dead_mans_switch"
        ),
    ),
    (
        {"alerting__channels": {"nobody": SLACK}, "alerting__default_channels": ["nobody"]},
        "alerting.channels.nobody: is the name of a receiver of the stack itself",
    ),
    (
        {"resources": {"promtheus": {"cpus": 1}}},
        f"resources.promtheus: is no product; products: {SIZED}\n      hint: did you mean prometheus?",
    ),
    (
        {"images__overrides": {"loki": "docker.io/grafana/loki:3.0.0"}},
        f"images.overrides.loki: is no product; products: {PRODUCTS}",
    ),
    ({"resources": {"grafana": {"memory": "15MB"}}}, "resources.grafana: memory 15MB must be at least 16MB"),
]


@pytest.mark.parametrize(
    ("changes", "words"), CASES, ids=[f"{i}-{words.split(':')[0]}" for i, (_, words) in enumerate(CASES)]
)
def test_a_relation_that_does_not_hold_is_one_clear_problem(changes: dict[str, Any], words: str) -> None:
    assert error_of(**changes) == ONE + words


@pytest.mark.parametrize(
    "changes",
    [
        {"scrape": {"interval": "2m30s", "timeout": "2m30s"}},
        {"scrape": {"interval": "1s", "timeout": "1s"}},
        {"retention__time": "2h"},
        {"services": [service(interval="5s", timeout="5s")]},
        {"services": [service(interval="5s")]},
        {"services": [service(discovery={"static": {"targets": ["a", "[::1]"]}}, port=80)]},
        {"services": [service(discovery={"dns": {"names": ["a"], "type": "SRV"}})]},
        {"ports": {"bind_address": "127.0.0.9"}},
        {"ports": {"prometheus": "0.0.0.0:9090"}, "access": ACCESS},
        {"exporters": {"blackbox": False}},
        {"resources": {"grafana": {"memory": "16MB"}}},
    ],
)
def test_the_edges_of_what_is_allowed_are_allowed(changes: dict[str, Any]) -> None:
    assert isinstance(stack(**changes), StackConfig)


def test_every_relation_that_does_not_hold_is_told_at_once() -> None:
    text = error_of(scrape__timeout="1m", retention__time="1h", ports__grafana=9090, services=[service(name="jaeger")])
    assert text.startswith(f"{FILE}: 4 problems\n")
    assert [line.split(" (")[0].strip() for line in text.splitlines()[1:] if "hint:" not in line] == [
        "scrape.timeout",
        "retention.time",
        "services[0].name",
        "ports.grafana",
    ]


def test_an_open_bind_address_opens_every_port_and_each_is_named() -> None:
    text = error_of(ports__bind_address="0.0.0.0")
    for port in ("prometheus", "alertmanager", "grafana", "jaeger", "otlp_grpc", "otlp_http"):
        assert f"\n  ports.{port} (is 0.0.0.0:" in text


def test_the_stacks_own_probe_keeps_its_name() -> None:
    probe = {"name": "stack-certificate", "target": "https://shop.example.com"}
    with pytest.raises(StackFileError, match=r"probes\[0\].name .*the stack's own probe"):
        parse_stack({"environment": "dev", "probes": [probe]}, "stacks/Pulumi.x.yaml")


def test_text_that_would_be_replaced_by_a_secret_is_refused() -> None:
    data = {"environment": "dev", "grafana": {"admin_user": "x<secret:slackUrl>"}}
    with pytest.raises(StackFileError, match=r"grafana.admin_user .*must not hold a placeholder"):
        parse_stack(data, "stacks/Pulumi.x.yaml")


@pytest.mark.parametrize(
    ("module", "good", "bad"),
    [
        ("http_2xx", ["http://a", "https://[::1]:8443/x?y=@", "https://a?x"], ["a:80", "ftp://a", "https://u:p@a/"]),
        ("http_post_2xx", ["https://a.example.com/x"], ["a.example.com/x"]),
        ("tcp_connect", ["a:25", "[::1]:25", "192.0.2.1:65535"], ["a", "tcp://a:25", "a:0", "a:25/x"]),
        ("tls_connect", ["a.example.com:993"], ["https://a.example.com", "a.example.com"]),
        ("dns", ["192.0.2.53", "[::1]:53", "ns.example.com:53"], ["dns://a", "a/b"]),
        ("icmp", ["192.0.2.1", "a.example.com", "2001:db8::1"], ["http://a", "a:80", "a/b"]),
    ],
)
def test_a_probe_asks_what_its_module_can_ask(module: str, good: list[str], bad: list[str]) -> None:
    for target in good:
        assert stack(probes=[{"name": "one", "target": target, "module": module}]).probes[0].target == target
    for target in bad:
        assert f"probes[0].target (is {target}): must be " in error_of(
            probes=[{"name": "one", "target": target, "module": module}]
        )
