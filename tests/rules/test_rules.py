"""The alerts fire when they should and only then, tell what they must, and each has a page."""

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
import yaml

import dashboards
from components.catalogue import (
    CLUSTER,
    DERIVED,
    EXPOSED,
    FEDERATION,
    METRICS,
    SENDING,
    VICTORIA_NODES,
    RuleFile,
    exposed_series,
    rule_file,
)
from components.config.stack import THANOS
from components.promql import metrics_in
from components.rules import settled_groups
from tests.rules.promtool import promtool, run
from tests.rules.recorded import RECORDED_BY_THE_STACK
from tests.rules.rendered import rendered_rules

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "rules").glob("*.yaml"))
UNIT_TESTS = sorted(Path(__file__).parent.glob("*.yaml"))
HEADINGS = ["## Meaning", "## Impact", "## Check", "## Fix"]
SEVERITIES = {"none", "warning", "critical", "emergency"}
CATEGORIES = {
    "availability",
    "backup",
    "business",
    "compliance",
    "infrastructure",
    "monitoring",
    "performance",
    "security",
    "tracing",
}


def rules_in(path: Path) -> list[dict[str, Any]]:
    """Return the rules of all groups of a file, with default numbers."""
    file = rule_file(path.stem)
    assert file
    return [rule for group in settled_groups(file, {}) for rule in group["rules"]]


ALERTS: list[dict[str, Any]] = [rule for path in RULES for rule in rules_in(path) if "alert" in rule]
KNOWN = {series for path in METRICS.iterdir() for series in exposed_series(path.stem)}
NAMES = [alert["alert"] for alert in ALERTS]
EVERY_ALERT = pytest.mark.parametrize("alert", ALERTS, ids=NAMES)


def names_of(file: RuleFile) -> set[str]:
    """The alerts of a file."""
    return {rule["alert"] for rule in file.rules() if "alert" in rule}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every rule file with default numbers, and its unit tests beside it."""
    return rendered_rules(tmp_path_factory.mktemp("rules"))


def test_promtool_accepts_every_file(folder: Path) -> None:
    """Syntax, templates and duplicates."""
    checked = run("check", "rules", "--lint=all", "--lint-fatal", *(folder / path.name for path in RULES))
    assert checked.returncode == 0, checked.stdout + checked.stderr


@pytest.mark.parametrize("path", UNIT_TESTS, ids=lambda path: path.stem)
def test_alerts_fire_and_stay_quiet(path: Path, folder: Path) -> None:
    """What promtool makes of made-up series, minute by minute."""
    tested = run("test", "rules", folder / f"test-{path.name}")
    assert tested.returncode == 0, tested.stdout + tested.stderr


def test_each_file_of_rules_has_its_unit_tests() -> None:
    """File names match, so that a reader finds one from the other."""
    assert [path.name for path in RULES] == [path.name for path in UNIT_TESTS]


def test_each_alert_is_seen_firing_and_seen_quiet() -> None:
    """An alert that no test fires may never fire; one that no test keeps quiet may never stop."""
    fires: Counter[str] = Counter()
    quiet: Counter[str] = Counter()
    for path in UNIT_TESTS:
        for test in yaml.safe_load(path.read_text())["tests"]:
            for expected in test.get("alert_rule_test", []):
                (fires if expected["exp_alerts"] else quiet)[expected["alertname"]] += 1
    assert set(fires) == set(NAMES)
    # The dead man's switch is the one alert that must never be quiet.
    assert set(quiet) == set(NAMES) - {"Watchdog"}


def test_names_are_unique() -> None:
    """Routes, runbooks and overrides go by name alone."""
    assert [name for name, count in Counter(NAMES).items() if count > 1] == []


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_files_are_named_for_a_subject_and_groups_for_their_file(path: Path) -> None:
    """The subject's presence in a stack switches its file on."""
    products = yaml.safe_load((ROOT / "components" / "versions.yaml").read_text())
    assert path.stem in {*products, *THANOS, *EXPOSED, *DERIVED, *CLUSTER, FEDERATION, SENDING, VICTORIA_NODES}
    assert [group["name"] for group in yaml.safe_load(path.read_text())["groups"]] == [path.stem]


@EVERY_ALERT
def test_parameters_are_declared_and_used(alert: dict[str, Any]) -> None:
    """A parameter that the rule does not use would be set without effect; one that is not declared stays as text."""
    file = next(found for path in RULES if (found := rule_file(path.stem)) and alert["alert"] in names_of(found))
    (source,) = (rule for rule in file.rules() if rule.get("alert") == alert["alert"])
    parameters = file.parameters.get(alert["alert"], {})
    assert set(re.findall(r"\$\{(\w+)\}", str(source))) == set(parameters)
    assert all(re.match(r"[A-Z].*\.$", parameter.meaning) for parameter in parameters.values())
    assert "${" not in str(alert)


@EVERY_ALERT
def test_labels_say_who_has_to_do_what(alert: dict[str, Any]) -> None:
    """Routing goes by these three."""
    assert alert["labels"].keys() == {"severity", "category", "team"}
    assert alert["labels"]["severity"] in SEVERITIES
    assert alert["labels"]["category"] in CATEGORIES
    assert alert["labels"]["team"] in {"platform", '{{ or $labels.team "platform" }}'}


@EVERY_ALERT
def test_annotations_tell_value_and_dashboard(alert: dict[str, Any]) -> None:
    """A link to the runbook is added where the rules are rendered; absence has no value to tell."""
    annotations = alert["annotations"]
    assert annotations.keys() == {"summary", "description", "dashboard"}
    assert annotations["dashboard"] in {dashboards.load(name).UID for name in dashboards.CATALOGUE}
    assert "{{ $value" in annotations["description"] or "absent(" in alert["expr"]
    assert not annotations["summary"].endswith(".")
    assert annotations["description"].endswith(".")


def test_windows_hold_enough_samples() -> None:
    """A range shorter than 5 minutes can be empty at the longest scrape interval, 2 minutes."""
    ranges = [
        (rule.get("alert") or rule["record"], amount + unit)
        for path in RULES
        for rule in rules_in(path)
        for amount, unit in re.findall(r"\[(\d+)([smhd])\]", rule["expr"])
        if int(amount) * {"s": 1, "m": 60, "h": 3600, "d": 86400}[unit] < 300
    ]
    assert ranges == []


def test_recording_rules_are_named_by_the_convention() -> None:
    """level:metric:operations."""
    records = [rule["record"] for path in RULES for rule in rules_in(path) if "record" in rule]
    assert [name for name in records if not re.fullmatch(r"[a-z_]+:[a-z0-9_]+:[a-z0-9_]+", name)] == []


def test_every_metric_is_exposed_by_some_program() -> None:
    """A rule on a metric that nobody exposes is quiet for ever, which looks like health."""
    rules = [rule for path in RULES for rule in rules_in(path)]
    known = KNOWN | RECORDED_BY_THE_STACK | {rule["record"] for rule in rules if "record" in rule}
    unknown = {rule.get("alert") or rule["record"]: set(metrics_in(rule["expr"])) - known for rule in rules}
    assert {name: metrics for name, metrics in unknown.items() if metrics} == {}


@EVERY_ALERT
def test_pages_name_metrics_that_exist(alert: dict[str, Any]) -> None:
    """A query out of a page has to answer when it is needed."""
    page = (ROOT / "runbooks" / f"{alert['alert']}.md").read_text()
    named = set(
        re.findall(r"(?<![\w:./])(?:prometheus|alertmanager|node|otelcol|probe|container|grafana)_[a-z0-9_]+", page)
    )
    assert named - KNOWN == set()


def test_each_alert_has_a_page_and_each_page_an_alert() -> None:
    """The link in a notification has to lead somewhere."""
    pages = {path.stem for path in (ROOT / "runbooks").glob("*.md")} - {"README"}
    assert sorted(pages) == sorted(NAMES)


@EVERY_ALERT
def test_pages_answer_the_same_four_questions(alert: dict[str, Any]) -> None:
    """Whoever is woken up finds each answer in the same place."""
    page = (ROOT / "runbooks" / f"{alert['alert']}.md").read_text()
    assert page.startswith(f"# {alert['alert']}\n")
    assert [line for line in page.splitlines() if line.startswith("## ")] == HEADINGS
    assert "`" in page.split("## Check")[1].split("## Fix")[0], "the check names no command or query"


def test_a_missing_promtool_fails_with_a_remedy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Not a skip: that would read as a pass."""
    monkeypatch.delenv("PROMTOOL", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(AssertionError, match="make ready"):
        promtool()
