"""`validate` passes what is right and fails what the real programs refuse, with their own words."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from components.spec import File, Plan, Port, Service, Volume
from components.yaml_text import dump
from operations import programs
from operations.consistency import dashboard_problems, datasource_problems, name_problems, port_problems
from operations.layout import laid_out
from operations.results import Result, Status, passed
from operations.validate import program_checks, run_program, validate_command, validate_plan
from tests.support import GENERATED, STACKS, config_of, plan_of, service

REQUIRED = ("promtool", "amtool")
plan = cache(plan_of)


@pytest.fixture(scope="module", autouse=True)
def _programs() -> None:
    missing = [name for name in REQUIRED if programs.find(name) is None]
    # A skipped test would look like a passed one.
    assert not missing, f"{', '.join(missing)} needed: `make ready` prepares them"


def changed(original: Plan, name: str, path: str, change: Callable[[str], str]) -> Plan:
    """The plan with one file changed."""
    one = service(original, name)
    files = tuple(replace(file, content=change(file.content)) if file.path == path else file for file in one.files)
    assert files != one.files
    return replace(original, services=tuple(replace(one, files=files) if s is one else s for s in original.services))


def only(broken: Plan, name: str) -> Result:
    """The result of one program's check."""
    (check,) = (check for check in program_checks(broken) if check.name == name)
    with laid_out(broken) as copy:
        return run_program(check, copy, programs.find)


@pytest.mark.parametrize("name", [*STACKS, *GENERATED])
def test_what_is_planned_is_valid(name: str) -> None:
    results = validate_plan(config_of(name), plan(name))
    assert [result for result in results if result.status is Status.FAILED] == []
    checked = {result.name for result in results if result.status is Status.OK}
    assert {"prometheus: scrape configuration", "prometheus: rules", "alertmanager: routes and receivers"} <= checked


SCRAPES, RULES = "prometheus: scrape configuration", "prometheus: rules"
ROUTES, WEB = "alertmanager: routes and receivers", "prometheus: web configuration"


@pytest.mark.parametrize(
    ("stack", "file", "change", "check", "words"),
    [
        ("dev", "rules/prometheus.yaml", ('up{service=""} == 0', 'up{service=""} =='), RULES, "parse error"),
        (
            "dev",
            "rules/prometheus.yaml",
            ("alert: TargetDown", "record: a b"),
            RULES,
            "invalid field 'for' in recording rule",
        ),
        ("dev", "rules/prometheus.yaml", ("for: 5m", "fro: 5m"), RULES, "field fro not found"),
        ("dev", "prometheus.yml", ("scrape_interval: 15s", "scrape_interval: fast"), SCRAPES, "not a valid duration"),
        ("dev", "prometheus.yml", ("job_name: prometheus", "job_nam: prometheus"), SCRAPES, "field job_nam not found"),
        ("dev", "prometheus.yml", ("scrape_timeout: 10s", "scrape_timeout: 50s"), SCRAPES, "timeout greater than"),
        ("prod", "prometheus.yml", ("search-token", "missing-token"), SCRAPES, "missing-token"),
        ("prod", "web.yml", ("min_version: TLS12", "min_version: TLS99"), WEB, "unknown TLS version"),
        ("prod", "web.yml", ("tls.key", "none.key"), WEB, "none.key"),
    ],
)
def test_broken_files_of_prometheus_fail(
    stack: str, file: str, change: tuple[str, str], check: str, words: str
) -> None:
    result = only(changed(plan(stack), "prometheus", file, lambda text: text.replace(*change, 1)), check)
    assert (result.status, words in result.detail) == (Status.FAILED, True), result.detail
    assert result.remedy
    assert "SUCCESS" not in result.detail
    assert "/tmp" not in result.detail, "paths are those of the rendered tree"


def test_a_broken_rule_is_said_once() -> None:
    """The scrape configuration names the rule files, so promtool looks at them there too."""
    rule = ('up{service=""} == 0', 'up{service=""} ==')
    broken = changed(plan("dev"), "prometheus", "rules/prometheus.yaml", lambda text: text.replace(*rule, 1))
    assert only(broken, SCRAPES).status is Status.OK
    both = changed(broken, "prometheus", "prometheus.yml", lambda text: text.replace("timeout: 10s", "timeout: 50s", 1))
    result = only(both, SCRAPES)
    assert (result.status, "timeout greater than" in result.detail) == (Status.FAILED, True), result.detail
    assert "rules/" not in result.detail


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (("receiver: nobody", "receiver: somebody"), 'undefined receiver "somebody"'),
        (("group_wait: 30s", "group_wait: soon"), "not a valid duration"),
        (('alertname="Watchdog"', 'alertname=~"("'), "error parsing regexp"),
    ],
)
def test_broken_routes_fail(change: tuple[str, str], words: str) -> None:
    broken = changed(plan("dev"), "alertmanager", "alertmanager.yml", lambda text: text.replace(*change, 1))
    result = only(broken, ROUTES)
    assert (result.status, words in result.detail) == (Status.FAILED, True), result.detail


@pytest.mark.parametrize(
    ("product", "path", "program", "check"),
    [
        ("blackbox-exporter", "blackbox.yml", "blackbox_exporter", "blackbox-exporter: probe modules"),
        ("jaeger", "jaeger.yaml", "jaeger", "jaeger: configuration"),
    ],
)
def test_other_programs_check_where_they_are(product: str, path: str, program: str, check: str) -> None:
    broken = changed(plan("dev"), product, path, lambda text: text + "\nunknown_key: 1\n")
    result = only(broken, check)
    if programs.find(program) is None:
        assert (result.status, program in result.detail) == (Status.NOT_CHECKED, True)
    else:
        assert (result.status, "unknown_key" in result.detail) == (Status.FAILED, True), result.detail


def test_a_program_that_is_not_here_is_said_and_is_no_failure() -> None:
    results = validate_plan(config_of("dev"), plan("dev"), find=lambda _name: None)
    missing = [result for result in results if result.name == RULES]
    assert [(r.status, r.detail) for r in missing] == [
        (Status.NOT_CHECKED, "promtool is not on this machine; `make ready` gets it")
    ]
    assert passed(results)


def test_the_copy_is_private_and_gone_afterwards() -> None:
    with laid_out(plan("prod")) as copy:
        assert copy.stat().st_mode & 0o777 == 0o700
        text = (copy / "prometheus/prometheus.yml").read_text()
        assert "/etc/prometheus/current" not in text
        assert f"{copy}/prometheus/secrets/services/search-token" in text
        assert (copy / "prometheus/secrets/services/search-token").read_text() == "placeholder"
        assert (copy / "prometheus/tls.crt").read_text().startswith("-----BEGIN CERTIFICATE-----")
        assert (copy / "prometheus/tls.key").read_text().startswith("-----BEGIN PRIVATE KEY-----")
        assert "$2b$04$" in (copy / "prometheus/web.yml").read_text()
        assert [p for p in copy.rglob("*") if p.is_file() and p.stat().st_mode & 0o077] == []
    assert not copy.exists()


def _edit(one: Service, **changes: Any) -> Plan:
    original = plan("dev")
    return replace(
        original, services=tuple(replace(s, **changes) if s.name == one.name else s for s in original.services)
    )


def test_names_and_ports_that_are_there_twice() -> None:
    original = plan("dev")
    jaeger = service(original, "jaeger")
    assert name_problems(original) == port_problems(original) == []
    twice = replace(original, services=(*original.services, jaeger))
    assert "service jaeger is planned twice" in name_problems(twice)
    assert "jaeger ui and jaeger ui are both published on 16686" in port_problems(twice)
    assert name_problems(_edit(jaeger, volumes=(Volume("prometheus-data", "/x"),))) == [
        "volume prometheus-data belongs to two services"
    ]
    assert name_problems(_edit(jaeger, files=(File("../x", ""), File("/y", ""), File("z", ""), File("z", "")))) == [
        "jaeger: file z is planned twice",
        "jaeger: file ../x leaves the configuration folder",
        "jaeger: file /y leaves the configuration folder",
    ]
    assert name_problems(_edit(jaeger, config_folder="")) == ["jaeger: has files, but no configuration folder"]
    job = changed(
        original,
        "prometheus",
        "prometheus.yml",
        lambda text: text.replace("job_name: jaeger\n", "job_name: cadvisor\n"),
    )
    assert name_problems(job) == ["scrape job cadvisor is planned twice"]
    assert port_problems(_edit(jaeger, ports=(Port("a", 1), Port("a", 2), Port("b", 1)))) == [
        "jaeger: two ports have the number 1",
        "jaeger: two ports are called a",
    ]
    assert port_problems(_edit(jaeger, ports=(Port("ui", 1, 9090, "0.0.0.0"),))) == [
        "jaeger ui and prometheus http are both published on 9090"
    ]
    assert port_problems(_edit(jaeger, ports=(Port("ui", 1, 9090, "10.0.0.5"),))) == []


SOURCES: list[dict[str, Any]] = [
    {"name": "Prometheus", "uid": "prometheus", "type": "prometheus", "isDefault": True},
    {
        "name": "Jaeger",
        "uid": "jaeger",
        "type": "jaeger",
        "jsonData": {"tracesToMetrics": {"datasourceUid": "prometheus"}},
    },
]


def test_datasources() -> None:
    assert datasource_problems(SOURCES) == []
    assert datasource_problems([SOURCES[1]]) == [
        "exactly one datasource must be the default; these are: none",
        "datasource Jaeger: datasourceUid is prometheus, and there is no such datasource",
    ]
    assert datasource_problems([*SOURCES, SOURCES[1]]) == [
        "datasource uid jaeger is there twice",
        "datasource name Jaeger is there twice",
    ]


def board(uid: str = "a", title: str = "A", datasource: Any = None, **more: Any) -> str:
    """A dashboard with one panel."""
    return json.dumps({"uid": uid, "title": title, "panels": [{"targets": [{"datasource": datasource}]}], **more})


VARIABLE: dict[str, Any] = {"templating": {"list": [{"type": "datasource", "name": "source", "query": "prometheus"}]}}


@pytest.mark.parametrize(
    ("texts", "problems"),
    [
        ({"dashboards/x/a.json": board()}, []),
        ({"dashboards/x/a.json": board(datasource={"uid": "jaeger"})}, []),
        ({"dashboards/x/a.json": board(datasource="-- Grafana --")}, []),
        ({"dashboards/x/a.json": board(datasource={"uid": "${source}"}, **VARIABLE)}, []),
        ({"dashboards/x/a.json": board(datasource={"uid": "${source:raw}"}, **VARIABLE)}, []),
        (
            {"dashboards/x/a.json": board(datasource={"uid": "${other}"}, **VARIABLE)},
            ["dashboards/x/a.json: asks datasource ${other}, which is neither provisioned nor a variable"],
        ),
        (
            {"dashboards/x/a.json": board(datasource={"uid": "loki"})},
            ["dashboards/x/a.json: asks datasource loki, which is neither provisioned nor a variable"],
        ),
        (
            {"dashboards/x/a.json": board(templating={"list": [{"type": "datasource", "name": "s", "query": "loki"}]})},
            ["dashboards/x/a.json: variable s asks for a datasource of type loki, and none is provisioned"],
        ),
        ({"a.json": "[]"}, ["a.json is no dashboard: not an object"]),
        ({"a.json": board(uid="")}, ["a.json has no uid"]),
        ({"x/a.json": board(), "y/b.json": board(title="B")}, ["dashboard uid a is there twice"]),
        ({"x/a.json": board(), "x/b.json": board(uid="b")}, ["x has two dashboards called A"]),
        ({"x/a.json": board(), "y/b.json": board(uid="b")}, []),
    ],
)
def test_dashboards(texts: dict[str, str], problems: list[str]) -> None:
    assert dashboard_problems(texts, SOURCES) == problems


def test_a_dashboard_that_is_no_json() -> None:
    (problem,) = dashboard_problems({"a.json": "{"}, SOURCES)
    assert problem.startswith("a.json is not valid JSON: Expecting")


def test_the_command_says_what_was_not_checked(capsys: pytest.CaptureFixture[str]) -> None:
    assert validate_command(["dev"], json=True) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] is True
    by_name = {check["name"]: check for check in report["checks"]}
    assert by_name["secrets"]["status"] == "not checked"
    assert "grafanaAdminPassword" in by_name["secrets"]["detail"]
    assert by_name[RULES]["status"] == "ok"


def test_a_bad_stack_file_is_a_failed_check_for_scripts(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Pulumi.bad.yaml"
    file.write_text("config:\n  observatory:stack: {environment: bad, retension: 1d}\n")
    assert validate_command([str(file)], json=True) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["checks"][0]["name"]) == (False, "stack file")
    assert "retension: unknown key" in report["checks"][0]["detail"]


def test_programs_are_found_on_path_then_in_the_cache_newest_first(tmp_path: Path) -> None:
    for folder in ("path", "cache/observatory/programs/x/1.9.0-aa/bin", "cache/observatory/programs/x/1.10.0-bb/bin"):
        tool = tmp_path / folder / "tool"
        tool.parent.mkdir(parents=True)
        tool.write_text("#!/bin/sh\n")
        tool.chmod(0o755)
    environment = {"PATH": str(tmp_path / "path"), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    assert programs.find("tool", environment) == tmp_path / "path/tool"
    environment["PATH"] = str(tmp_path)
    assert programs.find("tool", environment) == tmp_path / "cache/observatory/programs/x/1.10.0-bb/bin/tool"
    assert programs.find("other", environment) is None


@pytest.mark.parametrize(
    ("program", "arguments"),
    [
        ("amtool", ("--alertmanager.url=https://127.0.0.1:9", "cluster", "show")),
        ("promtool", ("check", "healthy", "--url=https://127.0.0.1:9")),
    ],
)
def test_health_checks_find_what_the_client_configuration_points_to(program: str, arguments: tuple[str, ...]) -> None:
    """Each program takes relative paths from another folder; with all files found, only the connection fails."""
    tool = programs.find(program)
    assert tool is not None
    with laid_out(plan("prod")) as copy:
        for name in ("prometheus", "alertmanager"):
            answer = programs.run(tool, (*arguments, f"--http.config.file={copy / name}/client.yml"), copy)
            assert "connection refused" in answer.text, answer.text


def test_several_stacks_are_all_validated(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    bad = tmp_path / "Pulumi.bad.yaml"
    bad.write_text("config: {}\n")
    assert validate_command(["dev", str(bad), "prod"], json=False) == 1
    printed = capsys.readouterr()
    assert [line for line in printed.out.splitlines() if line in ("dev", str(bad), "prod")] == ["dev", str(bad), "prod"]
    assert "config.observatory:stack: is required" in printed.err
    assert validate_command(["dev", str(bad)], json=True) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], [each["ok"] for each in report["stacks"]]) == (False, [True, False])


def test_settings_without_effect_are_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "Pulumi.test.yaml"
    file.write_text(dump({"config": {"observatory:stack": {"environment": "test", "ports": {"demo": 8003}}}}))
    assert validate_command([str(file)], json=False) == 0
    assert "ports.demo has no effect: demo is false" in capsys.readouterr().err
