"""What is measured: the Compose file, the planned services, samples of the engine, commands and their end."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from benchmarks import chart, deploying, many_services, resting
from benchmarks.compose import HEALTH_INTERVAL, compose_document, data_volumes
from benchmarks.programs import STACKS, mocked_run
from benchmarks.stack import bench_stack, free_ports
from benchmarks.workspace import ROOT, CommandFailed, run
from components import objectives
from components.config import parse_stack
from components.spec import Plan
from components.yaml_text import load
from tests.support import plan_of, stack_object


def _published(plan: Plan) -> list[int]:
    return [port.published for service in plan.services for port in service.ports if port.published]


def test_compose_runs_the_same_containers() -> None:
    plan = plan_of("dev")
    ports = {port: port + 10000 for port in _published(plan)}
    document = compose_document(plan, "bench", Path("/rendered"), ports)
    assert list(document["services"]) == [service.name for service in plan.services]
    assert set(document["volumes"]) == set(data_volumes(plan, "bench"))
    for service in plan.services:
        composed = document["services"][service.name]
        assert (composed["image"], composed["user"]) == (service.image, service.user)
        assert composed["mem_limit"] == f"{service.resources.memory}m"
        assert composed["read_only"] is service.read_only
        assert composed["cap_drop"] == ["ALL"]
        assert [text.replace("$$", "$") for text in composed.get("command", [])] == list(service.args)
        mounts = {mount["target"] for mount in composed.get("volumes", [])}
        assert mounts >= {volume.path for volume in service.volumes} | {mount.path for mount in service.host_mounts}
        if service.files:
            assert service.mounted_config in mounts
        if service.probe:
            assert composed["healthcheck"]["test"] == ["CMD", *service.probe.command]
            assert composed["healthcheck"]["interval"] == f"{HEALTH_INTERVAL}s"
    published = [int(p["published"]) for each in document["services"].values() for p in each.get("ports", [])]
    assert sorted(published) == sorted(ports.values())


def test_compose_takes_no_dollar_for_a_variable() -> None:
    plan = plan_of("dev")
    ports = {port: port for port in _published(plan)}
    commands = [each.get("command", []) for each in compose_document(plan, "b", Path("/r"), ports)["services"].values()]
    arguments = [argument for command in commands for argument in command]
    assert any("$$" in argument for argument in arguments)
    assert all("$" not in argument.replace("$$", "") for argument in arguments)


def test_the_measured_stack_is_the_dev_stack_elsewhere() -> None:
    dev = stack_object("dev")
    found = parse_stack(bench_stack(dev, "bench-1", list(range(20000, 20020))), "stacks/Pulumi.bench-1.yaml")
    expected = parse_stack(dev, "stacks/Pulumi.dev.yaml")
    same = {"environment", "ports", "data"}
    assert found.model_dump(exclude=same) == expected.model_dump(exclude=same)
    assert set(found.ports.published()) == set(expected.ports.published())
    assert all(20000 <= port < 20020 for _, port in found.ports.published().values())
    assert found.data.keep is False
    with pytest.raises(ValueError, match="ports are published"):
        bench_stack(dev, "bench-1", [20000])


def test_free_ports_are_different_ones() -> None:
    assert len(set(free_ports(20))) == 20


def test_every_service_has_its_rules_and_the_stack_is_valid() -> None:
    config = parse_stack(many_services.stack_object(12), "stacks/Pulumi.benchmark.yaml")
    group, _ = objectives.groups(config)
    assert len(config.services) == 12
    constants = [rule for rule in group["rules"] if rule["record"] == "slo:objective:ratio"]
    assert len(constants) == 2 * 12


def test_a_rule_is_added_to_what_is_there() -> None:
    text = (ROOT / "rules" / "prometheus.yaml").read_text()
    groups = load(deploying.with_rule(text, "benchmark:1"))["groups"]
    assert groups[:-1] == load(text)["groups"]
    assert groups[-1]["rules"] == [{"record": "benchmark:1", "expr": "vector(1)"}]


def _stats(nanoseconds: int) -> dict[str, Any]:
    return {"cpu_stats": {"cpu_usage": {"total_usage": nanoseconds}}}


def test_share_of_a_core() -> None:
    assert resting.cpu_percent(_stats(0), _stats(3 * 10**9), 60) == pytest.approx(5)


def test_memory_is_without_page_cache_on_both_kinds_of_control_groups() -> None:
    old = {"memory_stats": {"usage": 900, "stats": {"total_rss": 100, "total_cache": 800, "total_shmem": 7}}}
    new = {"memory_stats": {"usage": 900, "stats": {"anon": 100, "file": 800, "shmem": 7}}}
    assert (resting.own_memory(old), resting.own_memory(new)) == (107, 107)


def test_a_failed_command_is_an_error_with_its_words(tmp_path: Path) -> None:
    assert run([sys.executable, "-c", "pass"], tmp_path) > 0
    with pytest.raises(CommandFailed, match="no such luck"):
        run([sys.executable, "-c", "import sys; sys.exit('no such luck')"], tmp_path)


def test_many_services_reports_time_and_memory() -> None:
    command = [sys.executable, "-m", "benchmarks.many_services", "3"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    report = load(done.stdout)
    assert report["seconds"] > 0
    assert 10 < report["mebibytes"] < 250
    assert report["characters"] > 3 * 20 * 50


@pytest.mark.parametrize("platform", STACKS)
def test_the_program_runs_whole_against_the_mock_engine(platform: str) -> None:
    """Each service is a component with at least its workload below it; the provider and the stack come on top."""
    plan = plan_of(STACKS[platform])
    seconds, report = mocked_run(STACKS[platform])
    assert report["resources"] > 2 * len([service for service in plan.services if service.product != "Grafana"])
    assert seconds > 0.05
    assert report["mebibytes"] > 20


def test_the_empty_program_has_no_resources() -> None:
    assert mocked_run("")[1]["resources"] == 0


def test_objects_of_manifests_are_counted_in_all_folders(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.yaml").write_text("kind: Service\nspec:\n  kind: nested\n---\nkind: Secret\n")
    (tmp_path / "deep" / "b.yaml").write_text("apiVersion: v1\nkind: ConfigMap\n")
    (tmp_path / "notes.txt").write_text("kind: none\n")
    assert chart.objects(tmp_path) == 3


def test_a_chart_is_compared_only_where_one_is_given(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "benchmarks", "--only", "chart", "--chart", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 2
    assert "chart needs --chart FOLDER, the folder with Chart.yaml" in done.stderr
