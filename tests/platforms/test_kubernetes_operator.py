"""A Prometheus that the cluster's operator runs: nothing of the plan is lost, and what cannot be done is refused."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from components.platforms.kubernetes_manifests import service_manifests
from components.platforms.kubernetes_monitors import ADDITIONAL, monitor
from components.platforms.kubernetes_objects import Manifest, Stack
from components.platforms.kubernetes_operator import object_name
from components.spec import Call, File, Metrics, PlatformApi, Port, Service, Volume
from components.yaml_text import dump, load
from tests.platforms.clusters import of_kind, on_cluster, one, stack_on_cluster
from tests.support import CLUSTER, OPERATED, changed, content, service
from tests.support import config_of as configured

STACK = on_cluster("operated")
PROMETHEUS = service(STACK.plan, "prometheus")
FOUND = service_manifests(STACK, PROMETHEUS)
SPEC: dict[str, Any] = one(FOUND, "Prometheus", "observatory-operated")["spec"]
CONFIG: dict[str, Any] = load(content(PROMETHEUS, "prometheus.yml"))
ADDED: dict[str, str] = one(FOUND, "Secret", ADDITIONAL)["stringData"]
INSIDE = ("basket", "crawler", "basket-inside", "crawler-inside")


def endpoint_of(name: str) -> dict[str, Any]:
    kind = "ServiceMonitor" if "basket" in name else "PodMonitor"
    spec = one(FOUND, kind, name)["spec"]
    (endpoint,) = spec["endpoints" if kind == "ServiceMonitor" else "podMetricsEndpoints"]
    return dict(endpoint)


def job_of(name: str) -> dict[str, Any]:
    return next(dict(job) for job in CONFIG["scrape_configs"] if job["job_name"] == name)


def test_every_job_is_there_once_as_a_monitor_or_word_by_word() -> None:
    monitors = [each["metadata"]["name"] for each in of_kind(FOUND, "ServiceMonitor", "PodMonitor")]
    assert tuple(monitors) == INSIDE
    assert load(ADDED["scrape.yaml"]) == [job for job in CONFIG["scrape_configs"] if job["job_name"] not in INSIDE]
    assert load(ADDED["alertmanagers.yaml"]) == CONFIG["alerting"]["alertmanagers"]
    assert SPEC["additionalScrapeConfigs"] == {"name": ADDITIONAL, "key": "scrape.yaml"}
    assert SPEC["additionalAlertManagerConfigs"] == {"name": ADDITIONAL, "key": "alertmanagers.yaml"}


def test_every_rule_file_is_an_object_with_its_groups() -> None:
    files = {file.path: load(file.content) for file in PROMETHEUS.files if file.path.startswith("rules/")}
    found = {f"rules/{each['metadata']['name']}.yaml": each["spec"] for each in of_kind(FOUND, "PrometheusRule")}
    assert found == files
    assert "rules/prometheus.yaml" in found


@pytest.mark.parametrize("name", INSIDE)
def test_a_monitor_ends_with_the_relabelling_of_its_job(name: str) -> None:
    job, relabelings = job_of(name), endpoint_of(name)["relabelings"]
    assert relabelings[:2] == [
        {"targetLabel": "job", "replacement": name},
        {"action": "labeldrop", "regex": "container"},
    ]
    names = {"sourceLabels": "source_labels", "targetLabel": "target_label"}
    assert [{names.get(key, key): value for key, value in rule.items()} for rule in relabelings[2:]] == (
        job["relabel_configs"]
    )
    assert all(rule.get("regex") != "" for rule in relabelings), "the operator takes it for none, which keeps all"


def test_a_monitor_has_the_settings_and_logins_of_its_job() -> None:
    found = endpoint_of("basket-inside")
    secret = "prometheus-secrets"
    assert {key: found[key] for key in ("interval", "scrapeTimeout", "path", "params", "scheme")} == {
        "interval": "5s",
        "scrapeTimeout": "5s",
        "path": "/internal/metrics",
        "params": {"module": ["a", "b"]},
        "scheme": "https",
    }
    assert found["metricRelabelings"][0] == {"sourceLabels": ["__name__"], "regex": "http_.*|up", "action": "keep"}
    assert found["basicAuth"] == {
        "username": {"name": ADDITIONAL, "key": "basket-inside-username"},
        "password": {"name": secret, "key": "secrets__services__basket-inside-password"},
    }
    assert found["tlsConfig"] == {
        "ca": {"secret": {"name": secret, "key": "secrets__services__basket-inside-ca"}},
        "cert": {"secret": {"name": secret, "key": "secrets__services__basket-inside-certificate"}},
        "keySecret": {"name": secret, "key": "secrets__services__basket-inside-key"},
        "serverName": "basket.example.com",
    }
    spec = one(FOUND, "ServiceMonitor", "basket-inside")["spec"]
    assert (spec["sampleLimit"], spec["labelLimit"], spec["targetLimit"]) == (20000, 64, 10)
    assert spec["fallbackScrapeProtocol"] == "PrometheusText0.0.4"
    assert spec["namespaceSelector"] == {"matchNames": ["shop", "cart"]}
    assert spec["selector"] == {"matchLabels": {"app": "basket"}}, "`tier` may be missing, which a selector cannot say"
    assert endpoint_of("crawler")["authorization"] == {
        "credentials": {"name": secret, "key": "secrets__services__crawler-token"}
    }
    assert endpoint_of("crawler-inside")["oauth2"] == {
        "clientId": {"secret": {"name": ADDITIONAL, "key": "crawler-inside-client-id"}},
        "clientSecret": {"name": secret, "key": "secrets__services__crawler-inside-client-secret"},
        "tokenUrl": "https://login.example.com/token",
        "scopes": ["metrics"],
    }


def test_every_secret_that_is_referred_to_is_there() -> None:
    stored = {each["metadata"]["name"]: each["stringData"] for each in of_kind(FOUND, "Secret")}

    def references(value: Any) -> list[tuple[str, str]]:
        if isinstance(value, dict):
            own = [(value["name"], value["key"])] if {*value} == {"name", "key"} else []
            return own + [found for each in value.values() for found in references(each)]
        return [found for each in value for found in references(each)] if isinstance(value, list) else []

    named = [
        found for each in of_kind(FOUND, "ServiceMonitor", "PodMonitor", "Prometheus") for found in references(each)
    ]
    assert len(named) > 9
    for name, key in named:
        if name in stored:
            assert key in stored[name]
        else:
            assert (name, key) == ("prometheus-data", "")


def test_it_keeps_the_claim_in_the_place_of_the_operators() -> None:
    assert SPEC["containers"] == [
        {"name": "prometheus", "volumeMounts": [{"name": "prometheus-data", "mountPath": "/prometheus"}]}
    ]
    assert {"name": "prometheus-data", "persistentVolumeClaim": {"claimName": "prometheus-data"}} in SPEC["volumes"]
    assert "storage" not in SPEC
    ours = service_manifests(on_cluster("cluster"), service(on_cluster("cluster").plan, "prometheus"))
    claims = [of_kind(each, "PersistentVolumeClaim")[0]["metadata"]["name"] for each in (FOUND, ours)]
    assert claims == ["prometheus-data"] * 2, "who switches keeps the data"


def test_it_selects_its_own_objects_only_and_its_pods_are_those_of_service_and_policy() -> None:
    own = {"matchLabels": STACK.selector(PROMETHEUS)}
    assert [SPEC[f"{kind}Selector"] for kind in ("serviceMonitor", "podMonitor", "rule")] == [own] * 3
    assert not any("NamespaceSelector" in key for key in SPEC), "none is the stack's own namespace"
    for each in of_kind(FOUND, "ServiceMonitor", "PodMonitor", "PrometheusRule"):
        assert own["matchLabels"].items() <= each["metadata"]["labels"].items()
        assert each["metadata"]["namespace"] == STACK.namespace
    # The operator writes the object's name into this label of the pods.
    assert object_name(STACK) == own["matchLabels"]["app.kubernetes.io/instance"]
    assert SPEC["podMetadata"]["labels"] == STACK.labels(PROMETHEUS)
    assert SPEC["reloadStrategy"] == "ProcessSignal"
    assert SPEC["automountServiceAccountToken"] is False


def test_the_pod_has_the_files_of_jobs_that_are_passed_on_and_no_others() -> None:
    (files,) = (each["projected"]["sources"] for each in SPEC["volumes"] if each["name"] == "configuration")
    paths = {item["path"] for source in files for (part,) in [source.values()] for item in part["items"]}
    assert "targets/batch.yaml" in paths
    assert "secrets/services/batch-password" in paths
    assert not any("inside" in path or "crawler" in path for path in paths)
    for path in paths:
        assert f"{PROMETHEUS.mounted_config}/{path}" in ADDED["scrape.yaml"] + ADDED["alertmanagers.yaml"]


def test_only_prometheus_is_another() -> None:
    """Everything else of the stack is what it is without an operator."""
    alone = stack_on_cluster(configured("operated").model_copy(update={"kubernetes": _without_operator()}))
    for each in STACK.plan.services:
        if each.name != "prometheus":
            assert service_manifests(STACK, each) == service_manifests(alone, each)


def _without_operator() -> Any:
    cluster = configured("operated").kubernetes
    assert cluster is not None
    return cluster.model_copy(update={"operator": "none"})


# Nothing is dropped


def with_config(**changes: Any) -> Service:
    text = dump(changed(CONFIG, **changes))
    others = tuple(file for file in PROMETHEUS.files if file.path != "prometheus.yml")
    return replace(PROMETHEUS, files=(File("prometheus.yml", text), *others))


OTHERS: dict[str, Any] = {
    "image": "quay.io/prometheus/prometheus:v3.99.0",
    "user": "1000:1000",
    "resources": replace(PROMETHEUS.resources, memory=99),
    "args": (*PROMETHEUS.args, "--query.timeout=1m"),
    "env": (("TZ", "UTC"),),
    "files": (*PROMETHEUS.files, File("rules/new.yaml", "groups: []\n")),
    "volumes": (Volume("other-data", "/prometheus"),),
    "stop_grace": 7,
    "read_only": False,
    "scratch": ("/tmp",),
    "calls": (Call("jaeger", 1),),
    "api": PlatformApi(("shop",)),
    "ports": (Port("http", 9091),),
    "metrics": (Metrics("prometheus", 9095),),
    "capabilities": ("NET_ADMIN",),
    "host_pid": True,
    "config_folder": "/etc/elsewhere",
    "entrypoint": ("sh",),
    "shares": (Volume("other-data", "/other"),),
    "prepares": ("take",),
}
REFUSED = {
    "read_only": "read-only file system",
    "ports": "port 9090 only",
    "capabilities": "NET_ADMIN",
    "entrypoint": "cannot take command",
    "shares": "shares volumes that its pod has not",
    "host_pid": "pod: the operator cannot take hostPID",
    "prepares": "pod: the operator cannot take initContainers",
}
NOT_ITS_BUSINESS = {
    "product": "names the component in Pulumi's tree",
    "host_mounts": "refused for what is not in the host's namespace, or moves it there",
    "per_node": "refused, as it has volumes",
    "replica_of": "replicas of Prometheus need a bucket, which is refused with an operator",
    "group_name": "the same",
    "beside": "what runs beside it needs a bucket, too",
    "entry_name": "names replicas, which need a bucket",
    "meets_services": "says on Docker which networks to join",
    "probe": "the operator has its own, which ask the same",
    "reload": "the operator's own",
}


@pytest.mark.parametrize("name", [field.name for field in fields(Service) if field.name != "name"])
def test_no_field_of_the_service_is_dropped(name: str) -> None:
    if name in NOT_ITS_BUSINESS:
        return
    changed_service = replace(PROMETHEUS, **{name: OTHERS[name]})
    if name in REFUSED:
        with pytest.raises(ValueError, match=REFUSED[name]):
            service_manifests(STACK, changed_service)
    else:
        assert service_manifests(STACK, changed_service) != FOUND


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"remote_write": [{"url": "http://x"}]}, "prometheus.yml: the operator cannot take remote_write"),
        ({"global__query_log_file": "x"}, "prometheus.yml: global: the operator cannot take query_log_file"),
        (
            {"storage__tsdb__out_of_order_time_window": "1h"},
            "storage: the operator cannot take out_of_order_time_window",
        ),
        ({"alerting__other": []}, "prometheus.yml: alerting: the operator cannot take other"),
    ],
)
def test_a_setting_that_the_operator_has_not_is_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        service_manifests(STACK, with_config(**changes))


@pytest.mark.parametrize(
    ("changes", "key", "value"),
    [
        ({"storage__tsdb__retention__size": "4GB"}, "retentionSize", "4GB"),
        ({"global__external_labels__replica": "a"}, "externalLabels", {"environment": "operated", "replica": "a"}),
        ({"global__evaluation_interval": "30s"}, "evaluationInterval", "30s"),
        (
            {"alerting__alert_relabel_configs": [{"regex": "replica", "action": "labeldrop"}]},
            "additionalAlertRelabelConfigs",
            {"name": ADDITIONAL, "key": "alert-relabel-configs.yaml"},
        ),
    ],
)
def test_a_setting_that_it_has_is_passed_on(changes: dict[str, Any], key: str, value: Any) -> None:
    found = service_manifests(STACK, with_config(**changes))
    assert one(found, "Prometheus", "observatory-operated")["spec"][key] == value


def test_arguments_are_settings_or_passed_on() -> None:
    args = (*PROMETHEUS.args, "--web.route-prefix=/", "--query.timeout=1m", "--web.enable-admin-api")
    found = one(service_manifests(STACK, replace(PROMETHEUS, args=args)), "Prometheus", "observatory-operated")["spec"]
    assert (found["externalUrl"], found["routePrefix"]) == ("http://prometheus:9090", "/")
    assert found["additionalArgs"] == [
        {"name": "storage.remote.flush-deadline", "value": "10s"},
        {"name": "query.timeout", "value": "1m"},
        {"name": "web.enable-admin-api"},
    ]
    with pytest.raises(ValueError, match="cannot ask for a password"):
        service_manifests(STACK, replace(PROMETHEUS, args=(*PROMETHEUS.args, "--web.config.file=x")))


def test_a_setting_of_a_job_that_no_monitor_has_is_refused() -> None:
    discovery = next(each.discovery.kubernetes for each in STACK.config.services if each.name == "basket")
    assert discovery is not None
    with pytest.raises(ValueError, match="scrape job basket: the operator cannot take proxy_url"):
        monitor(STACK, PROMETHEUS, discovery, {**job_of("basket"), "proxy_url": "http://x"})


def test_without_an_operator_there_is_none_of_its_kinds() -> None:
    found: list[Manifest] = [
        each for s in on_cluster("cluster").plan.services for each in _of(on_cluster("cluster"), s)
    ]
    assert not [each for each in found if "monitoring.coreos.com" in each["apiVersion"]]
    assert changed(CLUSTER)["kubernetes"].get("operator") is None
    assert OPERATED["kubernetes"]["operator"] == "existing"


def _of(stack: Stack, planned: Service) -> list[Manifest]:
    return service_manifests(stack, planned)
