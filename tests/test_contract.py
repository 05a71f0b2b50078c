"""What holds for every service of every stack; a new product is guarded without a line here."""

from __future__ import annotations

import ast
import fnmatch
import json
import re
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from components.catalogue import CLUSTER, DERIVED, EXPOSED, FEDERATION, SENDING, VICTORIA_NODES
from components.config.base import NAME_PATTERN
from components.config.stack import DEMO, PRODUCTS, SIZED, THANOS
from components.spec import SECRET_TOKEN, File, Plan, Service
from components.yaml_text import load
from tests.support import GENERATED, STACKS, data, plan_of, service

ROOT = {"cadvisor", "backup"}
"""Products that have to run as root, because they read what only root may, or write what others own."""

ALL = (*STACKS, *GENERATED)
plan = cache(plan_of)
SERVICES = [pytest.param(s, id=f"{name}-{s.name}") for name in ALL for s in plan(name).services]
PLANS = [pytest.param(plan(name), id=name) for name in ALL]

every_service = pytest.mark.parametrize("one", SERVICES)
every_plan = pytest.mark.parametrize("whole", PLANS)


def spoken(one: Service) -> list[str]:
    """Everything that is visible from outside: arguments, environment, commands, names."""
    commands = one.reload.commands if one.reload else ()
    probe = one.probe.command if one.probe else ()
    return [*one.args, *(f"{k}={v}" for k, v in one.env), *probe, *(word for command in commands for word in command)]


def documents(one: Service) -> Iterator[tuple[File, Any]]:
    """The files of a service that are YAML or JSON, with their data."""
    for file in one.files:
        if file.path.endswith((".yml", ".yaml", ".json")):
            yield file, load(file.content) if not file.path.endswith(".json") else json.loads(file.content)


def values(data: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every scalar below some data with the key it stands under."""
    if isinstance(data, dict):
        for name, value in data.items():
            yield from values(value, str(name))
    elif isinstance(data, list):
        for value in data:
            yield from values(value, key)
    else:
        yield key, data


# One service


@every_service
def test_its_image_is_pinned(one: Service) -> None:
    name, _, digest = one.image.partition("@")
    tag = name.rpartition("/")[2].partition(":")[2]
    assert tag, f"{one.image} has no tag"
    assert tag != "latest"
    assert not digest or re.fullmatch("sha256:[0-9a-f]{64}", digest)


@every_service
def test_it_runs_as_a_numbered_user_that_is_not_root(one: Service) -> None:
    uid, _, gid = one.user.partition(":")
    assert uid.isascii()
    assert uid.isdigit()
    assert gid.isascii()
    assert gid.isdigit()
    assert (uid == "0") == (one.name in ROOT)


@every_service
def test_it_cannot_change_its_own_file_system_and_has_limits(one: Service) -> None:
    assert one.read_only
    assert 16 <= one.resources.memory <= 2**20
    assert 0.05 < one.resources.cpus <= 64
    assert one.stop_grace >= 10


@every_service
def test_its_health_check_needs_no_shell_and_ends_before_the_next(one: Service) -> None:
    assert one.probe is not None
    assert 0 < one.probe.timeout < one.probe.interval
    assert one.probe.retries >= 1
    if one.probe.port:
        assert not one.probe.command
        assert one.probe.port in {port.number for port in one.ports}
        return
    program = PurePosixPath(one.probe.command[0]).name
    assert program not in {"sh", "bash", "ash", "dash", "env", "CMD", "CMD-SHELL", "NONE"}
    assert not any(re.search(r"[|;&<>`]|\$\(", word) for word in one.probe.command if not word.startswith("--url"))


@every_service
def test_its_files_have_unique_relative_paths_and_some_content(one: Service) -> None:
    paths = [file.path for file in one.files]
    assert not [path for path, count in Counter(paths).items() if count > 1]
    for path in paths:
        assert re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*(/[A-Za-z0-9][A-Za-z0-9 ._-]*)*", path), path
    folders = {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    assert not folders & set(paths), "a file and a folder cannot have the same name"
    assert all(file.content for file in one.files)
    assert bool(one.files) <= bool(one.config_folder)


@every_service
def test_every_configuration_path_it_is_told_is_a_planned_file(one: Service) -> None:
    paths = {file.path for file in one.files}
    known = paths | {str(parent) for path in paths for parent in PurePosixPath(path).parents}
    texts = [*spoken(one), *(file.content for file in one.files)]
    told = {m for text in texts for m in re.findall(r"(/etc/[a-z-]+)/current(?:/([A-Za-z0-9._*/-]+))?", text)}
    for folder, path in told:
        assert folder == one.config_folder, f"{one.name} is told of {folder}, which is not its own"
        assert not path or path in known or fnmatch.filter(paths, path), f"{one.name} is told of {path}"


@every_service
def test_relative_paths_in_its_files_are_planned_files(one: Service) -> None:
    paths = {file.path for file in one.files}
    for file, content in documents(one):
        for key, value in values(content):
            if key.endswith("_file") and isinstance(value, str) and not value.startswith("/"):
                assert str(PurePosixPath(file.path).parent / value) in paths, f"{file.path}: {key}: {value}"


@every_service
def test_its_structured_files_are_readable_and_not_empty(one: Service) -> None:
    for file, content in documents(one):
        assert content, file.path


@every_service
def test_secrets_stand_in_files_only(one: Service) -> None:
    for text in (*spoken(one), one.name, one.image, one.product, *(volume.name for volume in one.volumes)):
        assert not SECRET_TOKEN.search(text), text


@every_service
def test_files_that_the_program_does_not_reload_replace_the_container_or_are_read_each_time(one: Service) -> None:
    for file in one.files:
        assert file.live or one.restart_digest
        if file.live and file.reload:
            assert one.reload is not None, f"{one.name} cannot take up {file.path}"


@every_service
def test_a_reload_is_a_signal_with_both_answers_or_commands(one: Service) -> None:
    if one.reload is None:
        return
    if one.reload.signal:
        assert one.reload.loaded
        assert one.reload.rejected
        assert one.reload.loaded != one.reload.rejected
        assert not one.reload.commands
    else:
        assert one.reload.commands


@every_service
def test_it_has_a_volume_exactly_where_it_is_told_to_keep_data(one: Service) -> None:
    told = "\n".join([*spoken(one), *(file.content for file in one.files)])
    for volume in one.volumes:
        assert re.search(rf"(?<![\w/]){re.escape(volume.path)}(?![\w-])", told), f"nothing is told to use {volume.path}"
        assert not volume.path.startswith(one.config_folder or "\0")
        assert volume.path not in one.scratch
    assert len({volume.path for volume in one.volumes}) == len(one.volumes)


@every_service
def test_names_are_valid_in_dns_and_for_volumes(one: Service) -> None:
    for name in (one.name, *(port.name for port in one.ports), *(volume.name for volume in one.volumes)):
        assert re.fullmatch(NAME_PATTERN, name)
        assert len(name) <= 63
    assert all(volume.name.startswith(f"{one.name}-") for volume in one.volumes), "names of volumes meet on one engine"


@every_service
def test_its_ports_are_distinct_and_in_range(one: Service) -> None:
    numbers = [port.number for port in one.ports]
    assert len(set(numbers)) == len(numbers)
    assert all(1 <= number <= 65535 for number in numbers)
    assert len({port.name for port in one.ports}) == len(one.ports)


# One plan


@every_plan
def test_names_volumes_and_published_ports_are_unique(whole: Plan) -> None:
    names = [one.name for one in whole.services]
    volumes = [volume.name for one in whole.services for volume in one.volumes]
    published = [port.published for one in whole.services for port in one.ports if port.published]
    for found in (names, volumes, published):
        assert len(set(found)) == len(found), found


@every_plan
def test_every_service_is_scraped_and_every_own_target_is_planned(whole: Plan) -> None:
    jobs = data(service(whole, "prometheus"), "prometheus.yml")["scrape_configs"]
    names = [job["job_name"] for job in jobs]
    assert len(set(names)) == len(names)
    found = {job["job_name"] for job in jobs if "kubernetes_sd_configs" in job}
    for one in whole.services:
        if one.per_node and found:  # on each node, so there is no one address
            assert {metrics.job for metrics in one.metrics} <= found
    offered = {
        f"{one.name}:{metrics.port}" for one in whole.services for metrics in one.metrics if metrics.job not in found
    }
    # The demo is scraped as the user's services are: by an entry of its own in `services`.
    offered |= {f"{one.name}:{port.number}" for one in whole.services for port in one.ports if one.name in DEMO}
    asked = {target for job in jobs for block in job.get("static_configs", []) for target in block["targets"]}
    assert offered <= asked
    hosts = {one.name for one in whole.services} | {*SIZED}
    assert {target for target in asked if target.split(":")[0] in hosts} <= offered
    for one in whole.services:
        assert one.metrics or one.name in DEMO, f"{one.name} is not scraped"
        assert {metrics.job for metrics in one.metrics} <= set(names)


@every_plan
def test_every_own_address_in_a_file_leads_to_a_planned_service(whole: Plan) -> None:
    hosts = {one.name for one in whole.services}
    own = "|".join(SIZED)
    for one in whole.services:
        for file in one.files:
            if not file.path.endswith(".json"):
                for host, port in re.findall(rf"(?<![\w./-])(?:https?://)?({own}):(\d+)", file.content):
                    assert host in hosts, f"{one.name}/{file.path} speaks of {host}:{port}"


@every_plan
def test_every_own_address_in_a_file_or_argument_is_a_declared_connection(whole: Plan) -> None:
    ports = {one.name: {*(p.number for p in one.ports), *(m.port for m in one.metrics)} for one in whole.services}
    address = re.compile(rf"(?<![\w./-])(?:https?://)?({'|'.join(ports)}):(\d+)(?!\d)")
    for one in whole.services:
        declared = {(call.service, call.port) for call in one.calls}
        assert all(port in (None, *ports[name]) for name, port in declared if name in ports)
        if one.name == "prometheus" and (prober := whole.service("blackbox-exporter")):
            declared |= {(call.service, call.port) for call in prober.calls}  # it is told there what to ask
        # Of itself a program says where people find it, a replica where the first is; dashboards and rules hold such
        # links, too.
        texts = [*one.args, *(value for _, value in one.env)]
        texts += [
            file.content for file in one.files if not file.path.startswith(("dashboards/", "rules/", "templates/"))
        ]
        told = {
            (name, int(port))
            for text in texts
            for name, port in address.findall(text)
            if name not in (one.name, one.replica_of)
        }
        assert told <= declared, one.name


@every_plan
def test_every_secret_file_is_asked_for_by_something(whole: Plan) -> None:
    for one in whole.services:
        told = "\n".join([*spoken(one), *(file.content for file in one.files)])
        for file in one.files:
            if file.secrets and file.path.startswith("secrets/"):
                assert file.path in told, f"{one.name}: nothing reads {file.path}"


@every_plan
def test_links_from_alerts_lead_to_dashboards_that_are_there(whole: Plan) -> None:
    grafana = whole.service("grafana")
    files = grafana.files if grafana else ()
    uids = {json.loads(file.content)["uid"] for file in files if file.path.startswith("dashboards/")}
    for file, content in documents(service(whole, "prometheus")):
        if file.path.startswith("rules/"):
            links = [value for key, value in values(content) if key == "dashboard_url"]
            assert {link.partition("{{")[0].rsplit("/", 1)[1] for link in links} <= uids, file.path


@every_plan
def test_dashboards_have_unique_uids_and_ask_planned_datasources(whole: Plan) -> None:
    grafana = whole.service("grafana")
    if grafana is None:
        return
    sources = {source["uid"] for source in data(grafana, "provisioning/datasources/stack.yaml")["datasources"]}
    boards = {file.path: json.loads(file.content) for file in grafana.files if file.path.startswith("dashboards/")}
    uids = [board["uid"] for board in boards.values()]
    assert len(set(uids)) == len(uids)
    for path, board in boards.items():
        asked = {value["uid"] for value in _datasources_in(board)}
        assert {uid for uid in asked if not uid.startswith(("$", "-- ", "grafana"))} <= sources, path


def _datasources_in(data: Any) -> Iterator[dict[str, Any]]:
    if isinstance(data, dict):
        if isinstance(data.get("datasource"), dict) and "uid" in data["datasource"]:
            yield data["datasource"]
        for value in data.values():
            yield from _datasources_in(value)
    elif isinstance(data, list):
        for value in data:
            yield from _datasources_in(value)


# The code


def test_no_environment_is_named_in_the_code() -> None:
    root = Path(__file__).resolve().parents[1]
    found = []
    for folder in ("components", "dashboards", "operations"):
        for path in sorted((root / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Compare | ast.Match | ast.Dict | ast.Set):
                    words = [n.value for n in ast.walk(node) if isinstance(n, ast.Constant)]
                    found += [f"{path.relative_to(root)}:{node.lineno}" for word in words if word in STACKS]
    assert not found, f"environments differ in values, never in code: {found}"


def test_every_product_with_rules_or_an_image_can_be_planned() -> None:
    root = Path(__file__).resolve().parents[1]
    pinned = yaml.safe_load((root / "components" / "versions.yaml").read_text())
    assert set(pinned) == {*PRODUCTS, *DEMO}
    subjects = {*PRODUCTS, *THANOS, *EXPOSED, *DERIVED, *CLUSTER, FEDERATION, SENDING, VICTORIA_NODES}
    assert {path.stem for path in (root / "rules").glob("*.yaml")} <= subjects
    assert {one.group for name in ALL for one in plan(name).services} == {*SIZED, *DEMO}
