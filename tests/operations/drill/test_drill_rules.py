"""The files of a drill's Prometheus: marked, shortened, quiet after a while, and what Prometheus takes."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from components.yaml_text import dump, load
from operations import programs
from operations.drill.feeds import feeds
from operations.drill.rules import Drilled, configuration, drillable, recordings, rules_file
from operations.stored import rules
from tests.e2e.engine import free_ports
from tests.rules.promtool import run
from tests.support import plan_of

NOW = 1_800_000_000.0
PLAN = plan_of("dev")
KNOWN = drillable(PLAN, feeds(), "20270115-080000")


def groups(drilled: Drilled, deadline: float = NOW + 60) -> dict[str, list[dict[str, Any]]]:
    """Rules by their group."""
    return {group["name"]: group["rules"] for group in load(rules_file(drilled, NOW, deadline, PLAN))["groups"]}


def test_the_copy_of_an_alert_says_that_it_is_a_drill() -> None:
    (copy,) = groups(KNOWN["TargetDown"])["alert"]
    (planned,) = [rule for _, rule in rules(PLAN) if rule.get("alert") == "TargetDown"]
    assert copy["alert"] == "TargetDown"
    assert copy["expr"] == f"({planned['expr']}) and on () (vector(time()) < 1800000060)"
    assert copy["labels"] == {**planned["labels"], "drill": "20270115-080000"}
    assert copy["annotations"]["summary"] == f"DRILL: {planned['annotations']['summary']}"
    assert copy["annotations"]["description"].startswith("This is a drill: nothing is wrong")
    assert copy["for"] == "2s"
    assert KNOWN["TargetDown"].shortened == f"for: {planned['for']} shortened to 2s"
    assert KNOWN["Watchdog"].shortened == ""


def test_all_that_the_stack_records_is_recorded_and_no_other_alert_is_there() -> None:
    recorded = [rule["record"] for group in recordings(PLAN) for rule in group["rules"]]
    assert recorded == [rule["record"] for _, rule in rules(PLAN) if "record" in rule]
    alerts = [rule["alert"] for each in groups(KNOWN["TargetDown"]).values() for rule in each if "alert" in rule]
    assert alerts == ["TargetDown"]


def test_after_the_deadline_nothing_is_fed_and_nothing_fires() -> None:
    found = groups(KNOWN["TargetDown"])
    assert found["feed"]
    assert all(
        rule["expr"].endswith("and on () (vector(time()) < 1800000060)") for rule in [*found["feed"], *found["alert"]]
    )


def test_alerts_go_where_those_of_the_stack_go_and_nothing_is_scraped() -> None:
    found = load(configuration(PLAN, "/drill/rules.yaml"))
    service = PLAN.service("prometheus")
    assert service
    planned = next(load(file.content) for file in service.files if file.path == "prometheus.yml")
    assert found["alerting"] == planned["alerting"]
    assert found["global"]["external_labels"] == {"environment": "dev"}
    assert "scrape_configs" not in found


def test_prometheus_takes_the_files_of_every_alert(tmp_path: Path) -> None:
    """Every label, value and expression of every feed is what Prometheus reads."""
    for alert, drilled in KNOWN.items():
        (tmp_path / f"{alert}.yaml").write_text(rules_file(drilled, NOW, NOW + 60, PLAN))
    checked = run("check", "rules", "--lint=none", *sorted(tmp_path.glob("*.yaml")))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("alert", [alert for alert in list(KNOWN)[::6] if KNOWN[alert].feed.history(NOW)])
def test_promtool_takes_the_history(alert: str, tmp_path: Path) -> None:
    (tmp_path / "history").write_text(KNOWN[alert].feed.history(NOW))
    made = run("tsdb", "create-blocks-from", "openmetrics", "--quiet", tmp_path / "history", tmp_path / "data")
    assert made.returncode == 0, made.stdout + made.stderr


@contextmanager
def prometheus(
    folder: Path, drilled: Drilled, now: float, deadline: float
) -> Iterator[tuple[str, subprocess.Popen[bytes]]]:
    """A real Prometheus with the files of a drill: its address, and itself."""
    program = programs.find("prometheus")
    if program is None:
        pytest.skip("there is no Prometheus on this machine")
    (port,) = free_ports(1)
    if text := drilled.feed.history(now):
        (folder / "history").write_text(text)
        assert run("tsdb", "create-blocks-from", "openmetrics", folder / "history", folder / "data").returncode == 0
    (folder / "rules.yaml").write_text(rules_file(drilled, now, deadline, PLAN))
    (folder / "prometheus.yml").write_text(
        dump({"global": {"evaluation_interval": "1s"}, "rule_files": ["rules.yaml"]})
    )
    command = [
        str(program),
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            yield f"http://127.0.0.1:{port}", process
        finally:
            process.terminate()


def fires(url: str) -> list[dict[str, str]] | None:
    """The labels of alerts that fire; None where there is no answer, which is not the same as none."""
    query = urllib.parse.quote('ALERTS{alertstate="firing"}')
    try:
        with urllib.request.urlopen(f"{url}/api/v1/query?query={query}", timeout=30) as answer:
            return [each["metric"] for each in json.load(answer)["data"]["result"]]
    except OSError:
        return None


@pytest.mark.parametrize("alert", ["PrometheusAlertsDropped", "TargetRestarting", "JaegerAbsent"])
def test_it_fires_for_real_and_ends_at_the_deadline(alert: str, tmp_path: Path) -> None:
    """By a counter over minutes, by restarts within half an hour, by what is not there: whole ranges within seconds."""
    now = time.time()
    with prometheus(tmp_path, KNOWN[alert], now, now + 3600) as (url, process):
        found = None
        while not found and time.time() < now + 180:
            time.sleep(0.3)
            found = fires(url)
        assert found, "it did not fire"
        assert found[0]["alertname"] == alert
        assert found[0]["drill"] == "20270115-080000"
        # Only now it is known when it fires, and so when its end may come.
        deadline = time.time() + 3
        (tmp_path / "rules.yaml").write_text(rules_file(KNOWN[alert], now, deadline, PLAN))
        process.send_signal(signal.SIGHUP)
        # Not before the deadline: new rules may have to wait for their `for` once more.
        while (left := fires(url)) != [] or time.time() < deadline + 1:
            assert time.time() < deadline + 120, f"it still fires: {left}"
            time.sleep(0.3)
    shutil.rmtree(tmp_path / "data")
