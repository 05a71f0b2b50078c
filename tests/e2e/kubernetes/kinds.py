"""Kinds of objects that clusters get from others, as their own Go modules define them."""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from toolchain import golang, pins
from toolchain.progress import Progress


class _Definitions(yaml.CSafeLoader):
    """By libyaml, as these files are large; a plain `=`, which YAML 1.1 had a meaning for, is text."""


_Definitions.add_constructor("tag:yaml.org,2002:value", lambda loader, node: node.value)


def operator_kinds() -> list[dict[str, Any]]:
    """Those of the Prometheus operator."""
    module = "github.com/prometheus-operator/prometheus-operator"
    return _definitions(_module("prometheus-operator", module) / "example" / "prometheus-operator-crd")


def gateway_kinds() -> list[dict[str, Any]]:
    """Those of the Gateway API that are not experimental."""
    return _definitions(_module("gateway-api", "sigs.k8s.io/gateway-api") / "config" / "crd" / "standard")


@cache
def _module(folder: str, module: str) -> Path:
    """Where the sources of a module are, in the version that the project pins."""
    go = golang.find_go((1, 26), Progress())
    command = [go, "mod", "download", "-json", module]
    done = subprocess.run(command, cwd=pins.MODULES / folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return Path(json.loads(done.stdout)["Dir"])


def _definitions(folder: Path) -> list[dict[str, Any]]:
    texts = [file.read_text() for file in sorted(folder.glob("*.yaml"))]
    found = [each for text in texts for each in yaml.load_all(text, _Definitions) if each]
    result = [each for each in found if each["kind"] == "CustomResourceDefinition"]
    assert result, f"{folder} defines nothing"
    return result
