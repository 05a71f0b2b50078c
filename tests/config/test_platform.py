"""What each platform takes of a stack file, each refusal with its exact words."""

from __future__ import annotations

from typing import Any

import pytest

from components.config import StackFileError, parse_stack
from components.config.platform import namespaces
from tests.support import ACCESS, MINIMAL, changed, stack

FILE = "stacks/Pulumi.test.yaml"
CLUSTER: dict[str, Any] = {**MINIMAL, "platform": "kubernetes", "kubernetes": {"context": "test"}}
OPERATED = changed(CLUSTER, kubernetes__operator="existing")
GATEWAY = {"name": "edge", "namespace": "gateways", "section_name": "https"}
FOUND = {"name": "shop", "team": "web", "port": 8080, "discovery": {"kubernetes": {"namespaces": ["shop"]}}}


def error_of(base: dict[str, Any], **changes: Any) -> str:
    with pytest.raises(StackFileError) as caught:
        parse_stack(changed(base, **changes), FILE)
    return str(caught.value)


ONE = f"{FILE}: 1 problem\n  "
CASES: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    (
        MINIMAL,
        {"platform": "kubernetes"},
        (
            "kubernetes: is required with platform: kubernetes\n"
            "      hint: `kubernetes: {context: my-cluster}`; `kubectl config get-contexts` lists them"
        ),
    ),
    (
        CLUSTER,
        {"docker": {}},
        "docker: is for platform: docker only\n      hint: the cluster is in `kubernetes:`",
    ),
    (
        CLUSTER,
        {"ports": {"grafana": 3000}},
        (
            "ports: publishes ports of a Docker host, which Kubernetes does not do\n"
            "      hint: give the UIs hosts in `kubernetes.ingress` or `kubernetes.gateway`, or use "
            "`kubectl port-forward`"
        ),
    ),
    (
        MINIMAL,
        {"kubernetes": {"context": "test"}},
        "kubernetes: is for platform: kubernetes only\n      hint: add `platform: kubernetes`",
    ),
    (CLUSTER, {"kubernetes": {"namespace": "x"}}, "kubernetes.context: is required"),
    *(
        (
            CLUSTER,
            {"kubernetes__volumes": {"jaeger": size}},
            f"kubernetes.volumes.jaeger (is '{size}'): must be from 10MB to 1024TB",
        )
        for size in ("9MB", "1KB", "1025TB")
    ),
    (
        CLUSTER,
        {"retention__size": "41GB"},
        "retention.size (is 41GB): must be at most 80 % of kubernetes.volumes.prometheus 50GB",
    ),
    (
        CLUSTER,
        {"kubernetes__ingress": {"hosts": {"prometheus": "p.example.com"}, "tls_secret": "tls"}},
        (
            "kubernetes.ingress.hosts.prometheus (is p.example.com): would be open to others without a password\n"
            "      hint: add `access:` (TLS and a password)"
        ),
    ),
    (
        CLUSTER,
        {"kubernetes__ingress": {"hosts": {}, "tls_secret": "tls"}},
        "kubernetes.ingress: needs at least one host; or leave `ingress` out and use `kubectl port-forward`",
    ),
    (
        CLUSTER,
        {"kubernetes__gateway": {"hosts": {}, **GATEWAY}},
        "kubernetes.gateway: needs at least one host; or leave `gateway` out and use `kubectl port-forward`",
    ),
    (
        CLUSTER,
        {"kubernetes__gateway": {"hosts": {"alertmanager": "a.example.com"}, **GATEWAY}},
        (
            "kubernetes.gateway.hosts.alertmanager (is a.example.com): would be open to others without a password\n"
            "      hint: add `access:` (TLS and a password)"
        ),
    ),
    (
        changed(CLUSTER, access=ACCESS),
        {"kubernetes__gateway": {"hosts": {"grafana": "g.example.com", "prometheus": "g.example.com"}, **GATEWAY}},
        (
            "kubernetes.gateway.hosts.prometheus (is g.example.com): is the host of grafana, too: "
            "each UI needs one of its own"
        ),
    ),
    *(
        (
            CLUSTER,
            {"kubernetes__gateway": {"hosts": {"grafana": host}, **GATEWAY}},
            (
                f"kubernetes.gateway.hosts.grafana (is '{host}'): must be one host name in lower case, "
                "such as grafana.example.com; no address, no wildcard"
            ),
        )
        for host in ("*.example.com", "10.0.0.1", "example", "g.example.com:443", "grafana-.com", "G.example.com")
    ),
    *(
        (
            CLUSTER,
            {"kubernetes__namespace": name},
            (
                f"kubernetes.namespace (is '{name}'): is a namespace of the cluster itself: "
                "the stack closes its own to everything, and removes it"
            ),
        )
        for name in ("default", "kube-system", "kube-flannel")
    ),
    (
        CLUSTER,
        {"kubernetes__namespace": "n" * 59},
        (
            f"kubernetes.namespace (is '{'n' * 56}...): must be at most 58 characters long: "
            "a second one has -host after it"
        ),
    ),
    *(
        (
            changed(CLUSTER, kubernetes__namespace="watching"),
            {f"kubernetes__{entrance}": {"hosts": {"grafana": "g.example.com"}, **settings}},
            (
                f"kubernetes.{entrance}.{key} (is {settings[key]}): is the stack's own namespace, in which all "
                "is closed: what leads to the UIs has to be in another one"
            ),
        )
        for entrance, key, settings in (
            ("gateway", "namespace", {**GATEWAY, "namespace": "watching"}),
            ("gateway", "controller_namespace", {**GATEWAY, "controller_namespace": "watching-host"}),
            ("ingress", "controller_namespace", {"tls_secret": "tls", "controller_namespace": "watching"}),
        )
    ),
    (
        CLUSTER,
        {"services": [changed(FOUND, discovery__kubernetes__namespaces=[])]},
        "services[0].discovery.kubernetes.namespaces: must name at least one",
    ),
    (
        CLUSTER,
        {"kubernetes__gateway": {"hosts": {"grafana": "g.example.com"}, "name": "edge", "namespace": "gateways"}},
        "kubernetes.gateway.section_name: is required",
    ),
    (
        CLUSTER,
        {
            "kubernetes__gateway": {"hosts": {"grafana": "g.example.com"}, **GATEWAY},
            "kubernetes__ingress": {"hosts": {"grafana": "g.example.com"}, "tls_secret": "tls"},
        },
        "kubernetes: has both `ingress` and `gateway`: leave out the one that your cluster does not have",
    ),
    (
        OPERATED,
        {"access": ACCESS},
        (
            "kubernetes.operator (is existing): the operator's Prometheus cannot ask for the password of `access`\n"
            "      hint: use `operator: none`; or leave `access` out: network policies close it, "
            "`kubectl port-forward` reaches it"
        ),
    ),
    (
        OPERATED,
        {"environment": "a" * 30},
        f"environment (is {'a' * 30}): must have at most 29 characters with kubernetes.operator: existing",
    ),
    (
        OPERATED,
        {"images__overrides": {"prometheus": "example.com/prometheus:latest"}},
        (
            "images.overrides.prometheus (is example.com/prometheus:latest): must have a tag with its version, "
            "such as :v3.12.0, by which the operator writes its configuration"
        ),
    ),
    (
        OPERATED,
        {"services": [{**FOUND, "labels": {"price": "$(PRICE)"}}]},
        "services[0] (is $(PRICE)): the operator would take this text for a variable of its own",
    ),
    (
        OPERATED,
        {"probes": [{"name": "x", "target": "https://example.com/$(A)"}]},
        "probes[0] (is $(A)): the operator would take this text for a variable of its own",
    ),
    (
        CLUSTER,
        {"environment": "a" * 60},
        (
            f"environment (is {'a' * 60}): is too long for a namespace observatory-<environment>-host, "
            "which has 63 characters at most\n      hint: set `kubernetes.namespace`"
        ),
    ),
    (
        CLUSTER,
        {"demo": True},
        (
            "demo: its images are made on this machine, and the cluster cannot pull them\n"
            "      hint: push them to a registry of yours and name it in `images.registry`, see docs/guide/demo.md"
        ),
    ),
    (MINIMAL, {"services": [FOUND]}, "services[0].discovery.kubernetes: needs platform: kubernetes"),
    (
        CLUSTER,
        {"services": [changed(FOUND, discovery__kubernetes__namespaces=["shop", "observatory-test"])]},
        (
            "services[0].discovery.kubernetes.namespaces (is observatory-test): is the stack's own namespace; "
            "what is in there is scraped without being asked for"
        ),
    ),
    (
        CLUSTER,
        {"services": [changed(FOUND, port=None)]},
        "services[0]: kubernetes discovery needs the service's port or a port_name, and not both",
    ),
    (
        CLUSTER,
        {"services": [changed(FOUND, discovery__kubernetes__port_name="http")]},
        "services[0]: kubernetes discovery needs the service's port or a port_name, and not both",
    ),
]


@pytest.mark.parametrize(("base", "changes", "expected"), CASES)
def test_what_a_platform_does_not_take_is_one_clear_problem(
    base: dict[str, Any], changes: dict[str, Any], expected: str
) -> None:
    assert error_of(base, **changes) == ONE + expected


def test_several_settings_of_the_other_platform_are_one_error() -> None:
    assert error_of(CLUSTER, docker={}, ports={}).startswith(f"{FILE}: 2 problems\n  docker: ")


def test_no_port_of_a_host_is_published_in_a_cluster() -> None:
    assert parse_stack(CLUSTER, FILE).ports.published() == {}
    assert stack().ports.published() != {}


def test_namespaces_follow_the_environment_or_the_stack_file() -> None:
    assert namespaces(parse_stack(CLUSTER, FILE)) == ("observatory-test", "observatory-test-host")
    named = parse_stack(changed(CLUSTER, kubernetes__namespace="watching"), FILE)
    assert namespaces(named) == ("watching", "watching-host")


def test_uis_may_have_hosts_where_a_password_is_asked_for() -> None:
    hosts = {"grafana": "g.example.com", "prometheus": "p.example.com", "alertmanager": "a.example.com"}
    found = parse_stack(
        changed(CLUSTER, kubernetes__ingress={"hosts": hosts, "tls_secret": "tls"}, access=ACCESS), FILE
    )
    assert found.kubernetes
    assert found.kubernetes.ingress
    open_grafana = changed(CLUSTER, kubernetes__ingress={"hosts": {"grafana": "g.example.com"}, "tls_secret": "tls"})
    assert parse_stack(open_grafana, FILE).kubernetes, "Grafana has a login of its own"


def test_data_that_is_no_stack_is_left_to_the_models() -> None:
    bad: list[Any] = [None, [], "x", {"platform": ["kubernetes"], "environment": "x"}]
    for data in bad:
        with pytest.raises(StackFileError):
            parse_stack(data, FILE)
