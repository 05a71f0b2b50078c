"""What a report reads from the state of a stack in a cluster: the objects of a plan, as Pulumi keeps them."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from components.config import load_stack_file, parse_stack
from components.platforms.kubernetes import _secret_place
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_monitors import job_of_monitor
from components.platforms.kubernetes_objects import Stack
from components.spec import SECRET_TOKEN
from operations.errors import CommandError
from operations.pulumi_cli import Pulumi
from operations.report.change import Change
from operations.report.command import reported
from operations.report.compare import compared
from operations.report.deployed import IN_CLUSTER, comparable_cluster
from operations.report.deployed_cluster import snapshot_of_plan, snapshot_of_state
from operations.report.snapshot import of_plan
from tests.operations.report.test_deployed import _ENCRYPTED
from tests.support import GENERATED, changed, config_of, data, planned, service, stack_object

_EMPTY: tuple[Any, ...] = (None, False, 0, {}, [])
CLUSTERS = [*(each for each in GENERATED if GENERATED[each].get("platform") == "kubernetes"), "k8s-dev", "k8s-prod"]


def normalised(value: Any) -> Any:
    """As the API's types would write it back: without what is empty, where that means the same."""
    if isinstance(value, dict):
        return {key: normalised(each) for key, each in value.items() if each not in _EMPTY or key == "data"}
    return [normalised(each) for each in value] if isinstance(value, list) else value


def state(config: Any) -> list[dict[str, Any]]:
    """The resources of a deployed stack, as a state holds those that are read; marks of secrets are made."""
    found: list[dict[str, Any]] = [{"type": "pulumi:providers:kubernetes", "urn": "x::cluster", "inputs": {}}]
    for manifest in manifests(Stack(config, planned(config))):
        inputs = copy.deepcopy(manifest)
        if place := _secret_place(manifest):
            inputs[place] = _ENCRYPTED
        marked = SECRET_TOKEN.sub("0123456789ab", json.dumps(normalised(inputs)))
        kept = config.data.keep and manifest["kind"] == "PersistentVolumeClaim"
        api = manifest["apiVersion"] if "/" in manifest["apiVersion"] else f"core/{manifest['apiVersion']}"
        kind = f"kubernetes:{api}:{manifest['kind']}"
        found.append({"type": kind, "urn": "u", "inputs": json.loads(marked), **({"protect": True} if kept else {})})
    return found


def differences(before: Any, after: Any) -> list[Change]:
    """What a report tells of a deployed stack whose file has changed."""
    found = snapshot_of_state(state(before))
    plan = planned(after)
    return compared(found, comparable_cluster(of_plan(after, plan), snapshot_of_plan(after, plan), found))


@pytest.mark.parametrize("name", CLUSTERS)
def test_what_is_deployed_as_it_is_planned_does_not_differ(name: str) -> None:
    config = config_of(name)
    found = snapshot_of_state(state(config))
    assert {*found.programs} == {service.name for service in planned(config).services}
    files = {path for service in planned(config).services for path in (f.path for f in service.files if not f.secrets)}
    assert {path for program in found.programs.values() for path in program.files} == files
    assert differences(config, config) == []


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"retention__time": "1d"}, ("samples on disk", "kept for less", "7d", "1d", "data-loss")),
        (
            {"kubernetes__volumes__prometheus": "60GB"},
            ("volume prometheus-data", "shrinks", "80 GiB", "60 GiB", "data-loss"),
        ),
        ({"data__keep": False}, ("all volumes", "no longer protected", "", "", "data-loss")),
        ({"resources__prometheus": {"memory": "9GB"}}, ("prometheus", "more memory", "", "", "")),
        (
            {"kubernetes__node_selector": {"disk": "ssd"}},
            ("jaeger", "because of pod", "", "nodeSelector.disk=ssd", "restart"),
        ),
        ({"alerts__TargetDown": {"for": "20m"}}, ("TargetDown", "for loosened", "5m", "20m", "looser-alerts")),
        ({"images__overrides": {"jaeger": "example.com/jaeger:9"}}, ("jaeger", "image", "", "", "")),
    ],
)
def test_a_change_of_the_stack_file(after: dict[str, Any], expected: tuple[str, ...]) -> None:
    base = {**changed(stack_object("k8s-dev"), kubernetes__volumes__prometheus="80GB")}
    before, now = (
        parse_stack(copy.deepcopy(each), "stacks/Pulumi.k8s-dev.yaml") for each in (base, changed(base, **after))
    )
    found = differences(before, now)
    name, what, old, new, danger = expected
    assert any(
        name in change.name
        and what in change.what
        and old in change.before
        and new in change.after
        and change.danger == danger
        for change in found
    ), found


def test_a_host_that_people_reach_it_by_is_an_open_port() -> None:
    data = stack_object("k8s-prod")
    without = {key: value for key, value in data["kubernetes"].items() if key not in ("ingress", "gateway")}
    closed = parse_stack(changed(data, kubernetes=without), "stacks/Pulumi.k8s-prod.yaml")
    told = {(change.name, change.what, change.danger) for change in differences(closed, config_of("k8s-prod"))}
    assert ("port grafana https", "opened", "open-port") in told, told


@pytest.mark.parametrize(
    ("after", "expected"),
    [
        ({"retention__time": "1d"}, ("samples on disk", "kept for less", "15d", "1d", "data-loss")),
        ({"alerts__TargetDown": {"for": "20m"}}, ("TargetDown", "for loosened", "5m", "20m", "looser-alerts")),
        ({"resources__prometheus": {"memory": "9GB"}}, ("prometheus", "more memory", "", "9216 MiB", "")),
        (
            {"external_urls__prometheus": "https://m.test/p"},
            ("prometheus", "because of pod", "", "m.test/p", "restart"),
        ),
        ({"scrape__interval": "25s"}, ("all jobs", "scrape_interval", "", "25s", "")),
    ],
)
def test_of_the_operators_prometheus_too(after: dict[str, Any], expected: tuple[str, ...]) -> None:
    name, what, old, new, danger = expected
    found = differences(config_of("operated"), parse_stack(changed(GENERATED["operated"], **after), "x.yaml"))
    assert any(
        name in change.name
        and what in change.what
        and old in change.before
        and new in change.after
        and change.danger == danger
        for change in found
    ), found


def test_a_monitor_that_takes_less_or_goes() -> None:
    data = GENERATED["operated"]
    index, shop = next((i, each) for i, each in enumerate(data["services"]) if "kubernetes" in each["discovery"])
    others = [each for i, each in enumerate(data["services"]) if i != index]
    for services, what in (([*others, {**shop, "sample_limit": 7}], "sample_limit"), (others, "removed")):
        found = differences(config_of("operated"), parse_stack(changed(data, services=services), "x.yaml"))
        told = {(change.name, change.what, change.danger) for change in found}
        assert (shop["name"], what, "fewer-targets") in told, told


def test_a_monitor_tells_the_job_that_it_was_made_from() -> None:
    config = config_of("operated")
    plan = planned(config)
    rendered = data(service(plan, "prometheus"), "prometheus.yml")["scrape_configs"]
    jobs = {job["job_name"]: job for job in rendered}
    kinds = ("ServiceMonitor", "PodMonitor")
    found = [job_of_monitor(each) for each in manifests(Stack(config, plan)) if each["kind"] in kinds]
    assert found
    for job in found:
        logins = {"basicAuth", "authorization", "oauth2", "tlsConfig"}
        of_both = {key: value for key, value in job.items() if key not in logins}
        ours = {"basic_auth", "authorization", "oauth2", "tls_config"}
        assert of_both == {key: value for key, value in jobs[job["job_name"]].items() if key not in ours}


def test_the_command_reads_the_state_of_the_cluster(monkeypatch: pytest.MonkeyPatch) -> None:
    """And refuses to compare a cluster with a Docker engine: an update would begin anew there."""
    resources = state(load_stack_file("k8s-dev"))
    answer = type("State", (), {"resources": lambda _: resources})()
    monkeypatch.setattr(Pulumi, "of", classmethod(lambda cls, name: answer))
    (report,) = reported(["k8s-dev"], "deployed").stacks
    assert [change for change in report.changes if change.section != "policy"] == []
    assert IN_CLUSTER in report.notes
    with pytest.raises(CommandError, match="dev is deployed on Kubernetes, and planned for Docker"):
        reported(["dev"], "deployed")
    answer = type("State", (), {"resources": lambda _: state(config_of("operated"))})()
    monkeypatch.setattr(Pulumi, "of", classmethod(lambda cls, name: answer))
    with pytest.raises(CommandError, match="k8s-dev is deployed by the Prometheus operator, and planned the other way"):
        reported(["k8s-dev"], "deployed")


def test_what_comes_to_stand_in_a_pod_leaves_the_rest_of_it_as_it_was() -> None:
    """Containers, and what runs before them, are told by their names: another place in a row is no change."""
    config = config_of("copied-cluster")
    without = config.model_copy(update={"backup": None})
    before, after = (snapshot_of_plan(each, planned(each)) for each in (without, config))
    told = {each.name: each for each in compared(before, after) if each.section == "effect"}
    for owner in ("prometheus", "prometheus-2", "grafana"):
        assert told[owner].what == "new container, because of files, pod"
        assert told[owner].before == ""
        assert all(
            f"backup-{owner}" in word for word in told[owner].after.split() if "=" in word and "Containers." in word
        )
    assert told["thanos-sidecar"].what.endswith("what stands beside it: prometheus, backup-prometheus")
