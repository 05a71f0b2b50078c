"""The refusal of smaller claims in Pulumi's real engine: in the preview, and where that is skipped.

The claims are played by a dynamic provider; the engine, the hook and its words are the real ones.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROVIDER = """
from pulumi.dynamic import CreateResult, DiffResult, ResourceProvider, UpdateResult

class Claims(ResourceProvider):
    def create(self, props): return CreateResult("id", props)
    def update(self, id, olds, news): return UpdateResult(news)
    def diff(self, id, olds, news): return DiffResult(changes=olds["spec"] != news["spec"])
"""
PROGRAM = f"""
import sys
sys.path.insert(0, {str(ROOT)!r})
import pulumi
from pulumi.dynamic import Resource
from played import Claims
from components.platforms.kubernetes_growth import growing

class Claim(Resource, module="test", name="Claim"): pass

hooks = growing()
for name in ("prometheus", "grafana"):
    spec = {{"resources": {{"requests": {{"storage": pulumi.Config().require(name)}}}}}}
    Claim(Claims(), f"{{name}}-data", {{"spec": spec}}, pulumi.ResourceOptions(hooks=hooks))
pulumi.export("sizes", [pulumi.Config().require(name) for name in ("prometheus", "grafana")])
"""
Pulumi = Callable[..., tuple[int, str]]


@pytest.fixture
def pulumi(tmp_path: Path) -> Pulumi:
    """Pulumi in a project of its own, with its own state: verb, and the sizes of both claims."""
    (tmp_path / "state").mkdir()
    runtime = f"{{name: python, options: {{virtualenv: {ROOT / '.venv'}}}}}"
    (tmp_path / "Pulumi.yaml").write_text(f"name: growth\nruntime: {runtime}\n")
    (tmp_path / "played.py").write_text(PROVIDER)
    (tmp_path / "__main__.py").write_text(PROGRAM)
    variables = {
        **os.environ,
        "PULUMI_BACKEND_URL": f"file://{tmp_path / 'state'}",
        "PULUMI_CONFIG_PASSPHRASE": "of this test",
        "NO_COLOR": "1",
    }

    def run(verb: str, *arguments: str, prometheus: str = "10Gi", grafana: str = "1Gi") -> tuple[int, str]:
        sizes = ("-c", f"prometheus={prometheus}", "-c", f"grafana={grafana}") if verb in ("up", "preview") else ()
        command = ["pulumi", *verb.split(), *arguments, *sizes, "--stack", "test", "--non-interactive"]
        done = subprocess.run(
            command, cwd=tmp_path, env=variables, capture_output=True, text=True, timeout=300, check=False
        )
        return done.returncode, done.stdout + done.stderr

    code, output = run("stack init")
    assert code == 0, output
    return run


def test_a_smaller_claim_ends_the_preview_and_no_way_leads_past_it(pulumi: Pulumi) -> None:
    code, output = pulumi("up", "--yes")
    assert code == 0, output
    for verb, *arguments in (("preview",), ("up", "--yes"), ("up", "--yes", "--skip-preview")):
        code, output = pulumi(verb, *arguments, prometheus="5Gi")
        assert code != 0, output
        assert "prometheus-data has 10Gi and cannot shrink to 5Gi" in output
    assert pulumi("preview", "--expect-no-changes")[0] == 0, "nothing has changed"


def test_a_larger_claim_is_an_update(pulumi: Pulumi) -> None:
    assert pulumi("up", "--yes")[0] == 0
    code, output = pulumi("up", "--yes", prometheus="20Gi")
    assert code == 0, output
    assert "1 updated" in output
    assert pulumi("preview", "--expect-no-changes", prometheus="20Gi")[0] == 0
