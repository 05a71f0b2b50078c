"""A changed configuration is live when `up` returns, and no container was restarted for it."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.yaml_text import load
from tests.e2e.engine import until
from tests.e2e.stack import Stack

CHANNEL = {"log": {"type": "webhook", "url": "http://log.invalid/alerts"}}


def job(stack: Stack, name: str) -> dict[str, Any]:
    """A scrape job as Prometheus runs it."""
    jobs: list[dict[str, Any]] = stack.running_config()["scrape_configs"]
    return next((each for each in jobs if each["job_name"] == name), {})


def receiver(stack: Stack) -> str:
    """Who gets what no route takes, as Alertmanager runs."""
    found: str = load(stack.get("alertmanager", "/api/v2/status")["config"]["original"])["route"]["receiver"]
    return found


@pytest.mark.parametrize("part", ["interval", "service", "probe", "channel", "rule"])
def test_live_when_up_returns(stack: Stack, part: str) -> None:
    """One change of each kind; the programs' own APIs know it at once."""
    before = stack.starts()
    if part == "interval":
        stack.configure(scrape__interval="5s")
        stack.up(what="a changed scrape interval is live")
        assert stack.running_config()["global"]["scrape_interval"] == "5s"
    elif part == "service":
        added = {"name": "shop", "team": "web", "discovery": {"static": {"targets": ["jaeger:8888"]}}}
        stack.configure(services=[added])
        stack.up(what="an added service is live")
        assert job(stack, "shop")["static_configs"][0]["targets"] == ["jaeger:8888"]
        stack.targets_up("shop")
        until(lambda: stack.query('up{job="shop", service="shop", team="web"}'), "it is stored", 180)
    elif part == "probe":
        probes = [{"name": "alertmanager", "target": "http://alertmanager:9093/-/ready"}]
        stack.configure(probes=probes)
        stack.up(what="another probe is live")
        assert job(stack, "probe-alertmanager")
        assert not job(stack, "probe-prometheus-ready")
        stack.targets_up("probe-alertmanager")
    elif part == "channel":
        stack.configure(alerting__channels=CHANNEL, alerting__default_channels=["log"])
        stack.up(what="another channel is live")
        # It says that it has loaded a configuration a moment before it answers by it.
        until(lambda: receiver(stack) == "log", lambda: f"another receiver: {receiver(stack)}", 180)
    else:
        stack.configure(alerting__runbooks_url="https://runbooks.example.com")
        stack.up(what="a change of every alert rule is live")
        rules = [r for g in stack.get("prometheus", "/api/v1/rules")["data"]["groups"] for r in g["rules"]]
        found = next(rule for rule in rules if rule["name"] == "TargetDown")
        assert found["annotations"]["runbook_url"] == "https://runbooks.example.com/TargetDown.md"
    assert stack.starts() == before
    stack.no_changes()


def test_a_removed_file_is_gone(stack: Stack) -> None:
    """A rule file of a product that leaves is neither in the container nor in Prometheus."""
    container = stack.container("prometheus")
    folder = "/etc/prometheus"
    before = stack.engine.files(container, folder)
    assert any(path.endswith("rules/blackbox-exporter.yaml") for path in before)
    started = stack.starts()["prometheus"]
    stack.configure(exporters__blackbox=False, probes=[])
    stack.up()
    after = stack.engine.files(container, folder)
    assert not any("blackbox" in path for path in after), sorted(after)
    assert not any("blackbox" in text for path, text in after.items() if path.endswith("prometheus.yml"))
    assert stack.starts()["prometheus"] == started
    assert "blackbox-exporter" not in stack.engine.containers(stack.environment)
    files = [group["file"] for group in stack.get("prometheus", "/api/v1/rules")["data"]["groups"]]
    assert not any("blackbox" in file for file in files)


def test_the_preview_shows_the_change_and_nothing_else(stack: Stack) -> None:
    """A reader of the preview sees which service changes, and that it is an update."""
    stack.configure(scrape__interval="6s")
    outcome = stack.pulumi("preview", "--diff")
    assert outcome.code == 0, outcome
    assert re.search(r'scrape_interval +: "2s" => "6s"', outcome.output), outcome
    assert "1 to update" in outcome.output, outcome
    assert "to replace" not in outcome.output, outcome
