"""Rendered configuration as files: a change of output is a difference that a reviewer reads.

`pytest tests/test_golden.py --update-golden` writes them anew.
"""

from __future__ import annotations

import difflib
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.platforms.kubernetes_manifests import service_manifests, stack_manifests
from components.platforms.kubernetes_objects import Manifest, Stack
from components.spec import Call, Plan, Service
from components.yaml_text import dump
from tests.support import STACKS, config_of, plan_of

GOLDEN = Path(__file__).with_name("golden")
PARTS = {"operated": "manifests/prometheus.yaml", "gateway": "manifests/grafana.yaml"}
"""Generated stacks with what no stack file has: of these, only that."""
HUGE = 60_000
"""Bytes above which a dashboard is kept as its digest and the titles of its panels."""


@cache
def rendered(name: str) -> dict[str, str]:
    """Every golden file of a stack: path to text."""
    if part := PARTS.get(name):
        return {part: _manifests(name)[part]}
    plan = plan_of(name)
    files = {f"{s.name}/{file.path}": _kept(file.path, file.content) for s in plan.services for file in s.files}
    return {"plan.yaml": dump(summary(plan)), **_flattened(files), **_manifests(name)}


def _manifests(name: str) -> dict[str, str]:
    """Kubernetes objects; what their files hold stands in those files already."""
    config = config_of(name)
    if config.platform != "kubernetes":
        return {}
    stack = Stack(config, plan_of(name))
    groups = {"00-stack": stack_manifests(stack)}
    groups |= {service.name: service_manifests(stack, service) for service in stack.plan.services}
    return {
        f"manifests/{path}.yaml": "---\n".join(dump(_keys_only(o)) for o in found) for path, found in groups.items()
    }


def _keys_only(manifest: Manifest) -> Manifest:
    if manifest["kind"] == "PrometheusRule":
        return {**manifest, "spec": {"groups": [group["name"] for group in manifest["spec"]["groups"]]}}
    return {key: sorted(value) if key in ("data", "stringData") else value for key, value in manifest.items()}


def _flattened(files: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {path + suffix: text for path, (suffix, text) in files.items()}


def _kept(path: str, content: str) -> tuple[str, str]:
    if len(content.encode()) <= HUGE:
        return "", content
    board = json.loads(content)
    titles = [panel["title"] for panel in board["panels"] for panel in (panel, *panel.get("panels", []))]
    digest = hashlib.sha256(content.encode()).hexdigest()
    return ".digest", "\n".join([f"sha256 {digest}", f"title {board['title']}", *titles, ""])


def summary(plan: Plan) -> dict[str, Any]:
    """A plan without its files, for people to read."""
    return {
        "environment": plan.environment,
        "generated_secrets": list(plan.generated_secrets),
        "services": {service.name: _service(service) for service in plan.services},
    }


def _service(service: Service) -> dict[str, Any]:
    probe, reload = service.probe, service.reload
    shown: dict[str, Any] = {
        "image": service.image,
        "user": service.user,
        "memory": f"{service.resources.memory} MiB",
        "cpus": service.resources.cpus,
        "args": list(service.args),
        "env": dict(service.env),
        "config": service.mounted_config if service.files else "",
        "files": {
            file.path: " ".join(
                ["live" if file.live else "restart", *["quiet"][: not file.reload], *(f"<{s}>" for s in file.secrets)]
            )
            for file in service.files
        },
        "ports": [
            f"{p.name} {p.number} {p.scheme if p.protocols == ('tcp',) else ' and '.join(p.protocols)}"
            + (f" on {p.address}:{p.published}" if p.published else "")
            for p in service.ports
        ],
        "volumes": {volume.name: volume.path for volume in service.volumes},
        "host_mounts": {mount.source: mount.path for mount in service.host_mounts},
        "host_pid": service.host_pid,
        "capabilities": list(service.capabilities),
        "on every node": service.per_node,
        "replica of": service.replica_of,
        "name of all replicas": service.group_name,
        "calls": [_call(call) for call in service.calls],
        "api": [*service.api.namespaces, *["(nodes)"] * service.api.nodes] if service.api else [],
        "meets services": service.meets_services,
        "writable": not service.read_only,
        "scratch": list(service.scratch),
        "probe": list(probe.command) if probe else [],
        "reload": ([reload.signal] if reload.signal else [list(c) for c in reload.commands]) if reload else [],
        "stop_grace": service.stop_grace,
        "metrics": [f"{m.job} :{m.port}{m.path}" for m in service.metrics],
    }
    return {key: value for key, value in shown.items() if value}


def _call(call: Call) -> str:
    where = call.service or (f"namespaces {', '.join(call.namespaces)}" if call.namespaces else "outside")
    return f"{where}:{'any' if call.port is None else call.port}"


@pytest.mark.parametrize("name", [*STACKS, *PARTS])
def test_rendered_configuration_is_what_was_reviewed(name: str, pytestconfig: pytest.Config) -> None:
    folder, new = GOLDEN / name, rendered(name)
    if pytestconfig.getoption("--update-golden"):
        _write(folder, new)
    old = {str(path.relative_to(folder)): path.read_text() for path in folder.rglob("*") if path.is_file()}
    differing = [path for path in sorted(old.keys() | new.keys()) if old.get(path) != new.get(path)]
    assert not differing, (
        f"{len(differing)} files differ from tests/golden/{name}; if that is meant: pytest --update-golden\n"
        + "\n".join(_difference(name, path, old.get(path, ""), new.get(path, "")) for path in differing)
    )


def _difference(name: str, path: str, old: str, new: str) -> str:
    lines = list(
        difflib.unified_diff(
            old.splitlines(), new.splitlines(), f"golden/{name}/{path}", f"rendered/{name}/{path}", lineterm="", n=2
        )
    )
    return "\n".join(lines[:80] + [f"... {len(lines) - 80} lines more"] * (len(lines) > 80))


def _write(folder: Path, files: dict[str, str]) -> None:
    for path in sorted(folder.rglob("*"), reverse=True):
        if path.is_file() and str(path.relative_to(folder)) not in files:
            path.unlink()
        elif path.is_dir() and not any(path.iterdir()):
            path.rmdir()
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.is_file() or path.read_text() != text:
            path.write_text(text)


def test_rendering_is_the_same_each_time() -> None:
    for name in STACKS:
        assert plan_of(name) == plan_of(name)
