"""What `verify` and `destroy` do in a cluster, with a kubectl that writes down what it is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from operations import cluster, remove
from operations.cluster import Cluster, forwarded
from operations.errors import CommandError
from tests.support import config_of, plan_of, stack

KUBECTL = """#!/bin/sh
echo "$@" >> "$ASKED"
case "$*" in
  *port-forward*:9090) echo "Forwarding from 127.0.0.1:41234 -> 9090"; exec sleep 60;;
  *port-forward*:3000) echo "error: pod is not running"; exit 1;;
  *port-forward*:9093) exec sleep 60;;
  *"get persistentvolumeclaims"*) printf 'claim/%s\\n' prometheus-data grafana-data;;
  *"delete namespace"*) [ ! -e "$ASKED.refuse" ] || { echo "forbidden" >&2; exit 1; };;
esac
"""


@pytest.fixture
def asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The file with what kubectl was asked."""
    program = tmp_path / "kubectl"
    program.write_text(KUBECTL)
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("ASKED", str(tmp_path / "asked"))
    return tmp_path / "asked"


def test_the_cluster_of_the_stack_file_is_asked_and_no_other(asked: Path) -> None:
    assert Cluster(config_of("cluster")).names() == ["grafana-data", "prometheus-data"]
    assert asked.read_text() == (
        "--kubeconfig=/home/somebody/.kube/config --context=test get persistentvolumeclaims --namespace=watching "
        "--output=name\n"
    )


def test_the_home_folder_is_known_in_the_path_of_the_kubeconfig(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/of-the-test")
    cluster = {"context": "test", "kubeconfig": "~/.kube/config"}
    Cluster(stack(platform="kubernetes", kubernetes=cluster)).names()
    assert asked.read_text().startswith("--kubeconfig=/home/of-the-test/.kube/config --context=test ")


def test_ports_are_reached_through_the_cluster_as_long_as_it_is_needed(asked: Path) -> None:
    plan = plan_of("cluster")
    with forwarded(config_of("cluster"), plan, {("prometheus", "http")}) as reached:
        prometheus = reached.service("prometheus")
        assert prometheus
        assert (prometheus.port("http").address, prometheus.port("http").published) == ("127.0.0.1", 41234)
        others = [port for service in reached.services if service.name != "prometheus" for port in service.ports]
        assert all(port.published is None for port in others)
    assert asked.read_text().endswith(
        "port-forward --address=127.0.0.1 --namespace=watching service/prometheus :9090\n"
    )


def test_a_way_that_cannot_be_had_is_told_in_kubectls_words(asked: Path) -> None:
    wanted = {("grafana", "http")}
    with (
        pytest.raises(CommandError, match="no way to grafana in the cluster: error: pod is not running"),
        forwarded(config_of("cluster"), plan_of("cluster"), wanted),
    ):
        pass


def test_a_silent_cluster_is_not_waited_for_for_ever(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cluster, "PATIENCE", 0.3)
    with (
        pytest.raises(CommandError, match="no way to alertmanager in the cluster: no answer within 0 s"),
        forwarded(config_of("cluster"), plan_of("cluster"), {("alertmanager", "http")}),
    ):
        pass


def test_a_stack_on_docker_needs_no_cluster() -> None:
    plan = plan_of("dev")
    with forwarded(config_of("dev"), plan, {("prometheus", "http")}) as reached:
        assert reached is plan


def test_data_goes_with_its_namespaces(asked: Path) -> None:
    found = Cluster(config_of("cluster"))
    assert found.remove() == ["grafana-data", "prometheus-data"]
    assert asked.read_text().endswith("delete namespace --ignore-not-found watching watching-host\n")
    Path(f"{asked}.refuse").touch()
    with pytest.raises(CommandError, match="kubectl delete: forbidden"):
        found.remove()


def test_destroy_refuses_while_the_cluster_has_data(asked: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Pulumi:
        @classmethod
        def of(cls, _stack: str) -> Pulumi:
            return cls()

        @property
        def variables(self) -> dict[str, str]:
            return {}

        def resources(self) -> list[dict[str, str]]:
            return []

    monkeypatch.setattr(remove, "Pulumi", Pulumi)
    with pytest.raises(CommandError, match=r"k8s-prod has data(.|\n)*prometheus-data"):
        remove.destroy_command("k8s-prod", delete_data=False, yes=False)


def test_without_kubectl_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("operations.programs.find", lambda _name: None)
    with pytest.raises(CommandError, match="kubectl is not on this machine"):
        Cluster(config_of("cluster"))
