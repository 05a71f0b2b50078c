"""Checkov over the manifests of every stack: nothing is found but what is written down here, with its reason."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

from operations.render import rendered_manifests, write_tree
from tests.platforms.clusters import CLUSTERS, on_cluster

EXCEPTIONS: dict[str, tuple[str, str]] = {
    "CKV_K8S_43": (r"\w+\..*", "images are pinned by tag; a digest is used where components/versions.yaml has one"),
    "CKV_K8S_15": (r"\w+\..*", "a tag never changes here, and a node must be able to restart without the registry"),
    "CKV_K8S_21": (
        r"(Role|RoleBinding)\.default\.\S+-prometheus(-\d+)?",
        "the API server's endpoints are in that namespace",
    ),
    "CKV_K8S_40": (r"StatefulSet\.\S+\.grafana(-\d+)?", "472 is the user that Grafana's image is made for"),
    "CKV_K8S_17": (r"DaemonSet\.\S+-host\.node-exporter", "it watches the machine's processes"),
}
"""Check to the resources that may fail it, and why."""


def findings(folder: Path) -> tuple[dict[str, Any], list[tuple[str, str, str]]]:
    """The summary, and every failed check: its id, its name, the resource."""
    program = shutil.which("checkov")
    assert program, "checkov is not here; `python3 -m toolchain ready --for e2e` gets it"
    command = [program, "--directory", str(folder), "--framework", "kubernetes", "--skip-download", "--output", "json"]
    done = subprocess.run([*command, "--quiet", "--compact"], capture_output=True, text=True, timeout=300, check=False)
    report = json.loads(done.stdout)
    failed = report["results"]["failed_checks"]
    return report["summary"], [(each["check_id"], each["check_name"], each["resource"]) for each in failed]


def test_nothing_is_found_but_the_written_exceptions(tmp_path: Path) -> None:
    for name in CLUSTERS:
        stack = on_cluster(name)
        write_tree(tmp_path / name, rendered_manifests(stack.config, stack.plan))
    summary, found = findings(tmp_path)
    unexpected = [each for each in found if not re.fullmatch(EXCEPTIONS.get(each[0], ("", ""))[0], each[2])]
    assert not unexpected
    assert {check for check, _, _ in found} == {*EXCEPTIONS}, "an exception that nothing needs any more"
    assert summary["passed"] > 1000
    assert summary["parsing_errors"] == 0


def test_something_unsafe_would_be_found(tmp_path: Path) -> None:
    """What the test above relies on."""
    stack = on_cluster("k8s-dev")
    files = rendered_manifests(stack.config, stack.plan)
    unsafe = files["jaeger.yaml"].replace("allowPrivilegeEscalation: false", "privileged: true")
    write_tree(tmp_path / "unsafe", {"jaeger.yaml": unsafe})
    assert "CKV_K8S_16" in {check for check, _, _ in findings(tmp_path)[1]}
