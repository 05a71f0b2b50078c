"""Node exporter, blackbox exporter and cAdvisor: what they see and what they may."""

from __future__ import annotations

from typing import Any

import pytest

from components.spec import Service
from tests.support import ACCESS, data, planned, service, stack


def one(name: str, **changes: Any) -> Service:
    return service(planned(stack(**changes)), name)


def test_the_node_exporter_sees_the_host_and_reports_nothing_of_its_own_network() -> None:
    found = one("node-exporter")
    assert found.image == "quay.io/prometheus/node-exporter:v1.12.1"
    assert [(mount.source, mount.path) for mount in found.host_mounts] == [("/", "/host")]
    assert found.host_pid
    assert {"--path.rootfs=/host", "--path.procfs=/host/proc", "--path.sysfs=/host/sys"} <= set(found.args)
    for collector in ("netdev", "netstat", "sockstat", "conntrack"):
        assert f"--no-collector.{collector}" in found.args


def test_the_blackbox_exporter_offers_every_module_that_a_stack_file_may_name() -> None:
    from components.config.services import BlackboxProbe

    modules = data(one("blackbox-exporter"), "blackbox.yml")["modules"]
    named = BlackboxProbe.model_json_schema()["properties"]["module"]["enum"]
    assert set(modules) == set(named)


def test_raw_sockets_are_there_only_for_a_probe_that_needs_them() -> None:
    ping = {"name": "gateway", "target": "192.0.2.1", "module": "icmp"}
    assert one("blackbox-exporter").capabilities == ()
    assert (
        one("blackbox-exporter", probes=[ping | {"module": "tcp_connect", "target": "192.0.2.1:22"}]).capabilities == ()
    )
    assert one("blackbox-exporter", probes=[ping]).capabilities == ("NET_RAW",)


def test_cadvisor_is_root_without_privileges_and_changes_nothing() -> None:
    found = one("cadvisor")
    assert found.user == "0:0"
    assert found.files == ()
    assert "-store_container_labels=false" in found.args
    assert "-docker_only=true" in found.args


@pytest.mark.parametrize("name", ["node-exporter", "blackbox-exporter"])
def test_access_control_is_followed(name: str) -> None:
    protected = one(name, access=ACCESS)
    assert f"--web.config.file=/etc/{name}/current/web.yml" in protected.args
    assert {"web.yml", "tls.crt", "tls.key"} <= {file.path for file in protected.files}
    assert not any("web.config" in argument for argument in one(name).args)


@pytest.mark.parametrize("name", ["node-exporter", "blackbox-exporter", "cadvisor"])
def test_no_exporter_is_published_and_each_can_be_left_out(name: str) -> None:
    assert not [port for port in one(name).ports if port.published]
    assert planned(stack(exporters={name.removesuffix("-exporter"): False})).service(name) is None


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({"memory": "256MB", "cpus": 1.5}, (256, 1.5)), ({"memory": "1GB"}, (1024, 0.25)), ({"cpus": 2}, (64, 2))],
)
def test_limits_are_the_stack_files_and_else_the_products_own(
    limits: dict[str, Any], expected: tuple[int, float]
) -> None:
    resources = one("node-exporter", resources={"node-exporter": limits}).resources
    assert (resources.memory, resources.cpus) == expected
