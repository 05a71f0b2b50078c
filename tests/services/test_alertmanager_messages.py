"""What each channel gets to read, rendered by amtool: kept in tests/golden-messages/, and true whatever alerts say.

`pytest --update-golden tests/services/test_alertmanager_messages.py` writes the files anew.
"""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import yaml

from components.services.alertmanager_messages import TEMPLATES, template_text
from operations import programs
from tests.support import ROUTED, changed, content, data, planned, service, stack

GOLDEN = Path(__file__).parents[1] / "golden-messages"
CHANNELS = ("slack", "pagerduty", "mail", "opsgenie")
GRAFANA, PAGES = "https://grafana.example.com", "https://runbooks.example.com"
HOSTILE = '<!channel> & "{{ .ExternalURL }}" <script>alert(1)</script>'


VALUES = {"ServiceDown": "0", "APIHighErrorRate": "3.2%", "CacheSlow": "71.5ms", "CacheLowHitRate": "38.1%"}
"""What the alerts of the examples have measured, as Prometheus writes it into their texts."""


@cache
def rules() -> dict[str, dict[str, Any]]:
    """Alert to its rule, as a stack whose service has HTTP and a cache gives it to Prometheus."""
    shop = {"name": "checkout", "team": "payments", "port": 80, "discovery": {"static": {"targets": ["a"]}}}
    config = stack(
        services=[{**shop, "exposes": ["http", "cache"]}],
        alerting={"runbooks_url": PAGES},
        grafana={"root_url": GRAFANA},
    )
    one = service(planned(config), "prometheus")
    paths = [file.path for file in one.files if file.path.startswith("rules/")]
    found = [rule for path in paths for group in data(one, path)["groups"] for rule in group["rules"]]
    return {rule["alert"]: rule for rule in found if "alert" in rule}


def filled(text: str, labels: dict[str, str], value: str) -> str:
    """A rule's text as Prometheus fills it in, as far as the examples' rules need it."""
    text = re.sub(
        r"\{\{ with \$labels\.(\w+) \}\}([^{]*)\{\{ \. \| urlquery \}\}\{\{ end \}\}",
        lambda found: found[2] + labels[found[1]] if found[1] in labels else "",
        text,
    )
    text = re.sub(r'\{\{ (?:or )?\$labels\.(\w+)(?: "platform")? \}\}', lambda found: labels[found[1]], text)
    text = re.sub(r"\{\{ \$value(?: \| humanize\w+)? \}\}", value, text)
    assert "{{" not in text, text
    return text


def real(name: str, begin: str, end: str = "", **labels: str) -> dict[str, Any]:
    """An alert with the labels and texts that the catalogue's rule gives it."""
    rule = rules()[name]
    own = {**labels, **{key: filled(text, labels, "") for key, text in rule["labels"].items()}}
    found = alert(name, "", begin, end)
    found["labels"] = {"alertname": name, "environment": "prod", **own}
    found["annotations"] = {key: filled(text, own, VALUES.get(name, "")) for key, text in rule["annotations"].items()}
    return found


def alert(name: str, instance: str, begin: str, end: str = "", **labels: str) -> dict[str, Any]:
    """One alert as Alertmanager gives it to templates; it fires where it has no end."""
    own = {"severity": "critical", "team": "payments", "category": "availability", **labels}
    return {
        "status": "resolved" if end else "firing",
        "labels": {"alertname": name, "environment": "prod", "instance": instance, **own},
        "annotations": {
            "summary": f"{name} on {instance}",
            "description": f"{instance} is not well.",
            "runbook_url": f"{PAGES}/{name}.md",
            "dashboard_url": f"{GRAFANA}/d/{name.lower()}?var-instance={instance}&from=now-1h",
        },
        "startsAt": f"2026-11-21T{begin}:00Z",
        "endsAt": f"2026-11-21T{end}:00Z" if end else "0001-01-01T00:00:00Z",
        "generatorURL": "http://prometheus:9090/graph",
        "fingerprint": "1d2e3f",
    }


def message(group_by: tuple[str, ...], *alerts: dict[str, Any]) -> dict[str, Any]:
    """The data of a message about these alerts, with what they have in common."""

    def common(key: str) -> dict[str, str]:
        return dict(set.intersection(*(set(each[key].items()) for each in alerts)))

    firing = any(each["status"] == "firing" for each in alerts)
    labels = common("labels")
    return {
        "receiver": "team-chat",
        "status": "firing" if firing else "resolved",
        "alerts": list(alerts),
        "groupLabels": {label: labels[label] for label in group_by if label in labels},
        "commonLabels": labels,
        "commonAnnotations": common("annotations"),
        "externalURL": "https://alertmanager.example.com",
    }


CHECKOUT = {"service": "checkout", "team": "payments"}
DOWN = [
    real("ServiceDown", begin, job="checkout", instance=f"checkout-{n}:8080", **CHECKOUT)
    for n, begin in ((1, "10:02"), (2, "10:03"))
]
ONE = real("APIHighErrorRate", "10:02", "11:45", **CHECKOUT)
MANY = [real("CacheSlow", "03:04", service=f"web-{n}", team="payments", cache_name="pages") for n in range(1, 13)]
ENDED = [
    real("CacheLowHitRate", "05:06", "07:08", service=f"web-{n}", team="payments", cache_name="pages")
    for n in range(1, 8)
]
CASES = {
    "firing": message(("alertname", "service"), *DOWN),
    "resolved": message(("alertname", "service"), ONE),
    "mixed": message(("category", "team"), *MANY, *ENDED),
}


@cache
def receivers() -> dict[str, Any]:
    """The receivers of a stack with every type of channel, by name."""
    changes = {"alerting__runbooks_url": f"{PAGES}/", "grafana": {"root_url": GRAFANA}}
    one = service(planned(stack(**changed(ROUTED, **changes))), "alertmanager")
    assert content(one, TEMPLATES) == template_text()
    return {receiver["name"]: receiver for receiver in data(one, "alertmanager.yml")["receivers"]}


def fields(settings: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Path and template of every field that has one."""
    if isinstance(settings, str):
        if "{{" in settings:
            yield path, settings
    elif isinstance(settings, dict | list):
        for key, value in settings.items() if isinstance(settings, dict) else enumerate(settings):
            yield from fields(value, f"{path}.{key}" if path else str(key))


def settings_of(channel: str) -> dict[str, Any]:
    (configs,) = (value for key, value in receivers()[channel].items() if key.endswith("_configs"))
    found: dict[str, Any] = configs[0]
    return found


def rendered(template: str, case: dict[str, Any], folder: Path, kind: str = "text") -> str:
    """A template as Alertmanager's own code renders it."""
    amtool = programs.find("amtool")
    assert amtool, "amtool is needed: `make ready` prepares it"
    (folder / "observatory.tmpl").write_text(template_text())
    (folder / "data.json").write_text(json.dumps(case))
    files = ("--template.glob=observatory.tmpl", "--template.data=data.json")
    answer = programs.run(
        amtool, ("template", "render", *files, f"--template.type={kind}", f"--template.text={template}"), folder
    )
    assert answer.code == 0, answer.text
    return answer.text


def field(channel: str, name: str, case: dict[str, Any], folder: Path) -> str:
    kind = "html" if name == "html" else "text"
    return rendered(dict(fields(settings_of(channel)))[name], case, folder, kind)


def messages(case: dict[str, Any], folder: Path) -> dict[str, str]:
    """File to text: for each channel its fields, and the HTML of mail in a file of its own."""
    found = {}
    for channel in CHANNELS:
        templates = dict(fields(settings_of(channel)))
        if html := templates.pop("html", ""):
            found[f"{channel}.html"] = rendered(html, case, folder, "html") + "\n"
        found[f"{channel}.txt"] = (
            rendered("\n".join(f"---- {path}\n{template}" for path, template in templates.items()), case, folder) + "\n"
        )
    return found


@pytest.mark.parametrize("name", CASES)
def test_each_channel_gets_the_text_that_was_reviewed(name: str, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    new, folder = messages(CASES[name], tmp_path), GOLDEN / name
    if pytestconfig.getoption("--update-golden"):
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        for file, text in new.items():
            (folder / file).write_text(text)
    assert {path.name: path.read_text() for path in folder.iterdir()} == new


def test_ten_alerts_are_listed_and_the_others_counted(tmp_path: Path) -> None:
    for channel, name in (("slack", "text"), ("mail", "text"), ("mail", "html"), ("opsgenie", "description")):
        text = field(channel, name, CASES["mixed"], tmp_path)
        assert len(re.findall(r"The cache pages of web-\d+ is slow", text)) == 10
        assert len(re.findall(r"The cache pages of web-\d+ misses often", text)) == 5
        assert re.findall(r"and (\d+) more", text) == ["2", "2"], (channel, name)
    ten = message(("category",), *MANY[:10])
    assert "more" not in field("slack", "text", ten, tmp_path)
    ended = message(("category",), *ENDED)
    assert len(re.findall("misses often", field("slack", "text", ended, tmp_path))) == 7


@pytest.mark.parametrize(
    ("severities", "color", "pagerduty", "priority"),
    [
        (["emergency", "warning"], "danger", "critical", "P1"),
        (["critical", "emergency", "critical"], "danger", "critical", "P1"),
        (["warning", "critical"], "danger", "critical", "P2"),
        (["critical", "warning"], "danger", "critical", "P2"),
        (["warning"], "warning", "warning", "P3"),
        (["none", "warning", "none"], "warning", "warning", "P3"),
        (["none"], "warning", "info", "P5"),
    ],
)
def test_the_worst_alert_decides(
    severities: list[str], color: str, pagerduty: str, priority: str, tmp_path: Path
) -> None:
    case = message(("team",), *(alert("A", f"i{n}", "01:00", severity=s) for n, s in enumerate(severities)))
    assert field("slack", "color", case, tmp_path) == color
    assert field("pagerduty", "severity", case, tmp_path) == pagerduty
    assert field("opsgenie", "priority", case, tmp_path) == priority


def test_what_has_ended_is_good_news(tmp_path: Path) -> None:
    case = CASES["resolved"]
    assert field("slack", "color", case, tmp_path) == "good"
    assert field("mail", "headers.Subject", case, tmp_path) == "[RESOLVED] critical: APIHighErrorRate (prod)"
    assert "from 2026-11-21 10:02 to 2026-11-21 11:45 UTC" in field("mail", "text", case, tmp_path)
    assert field("pagerduty", "details.firing", case, tmp_path) == ""


def test_a_drill_says_so_in_every_message(tmp_path: Path) -> None:
    """Also where a channel shows the title alone; nobody must take it for real."""
    drilled = alert("APIHighErrorRate", "i", "10:02", drill="20261121-100000")
    for group_by in (("alertname", "drill"), ("category", "team", "drill")):
        case = message(group_by, drilled)
        assert field("slack", "title", case, tmp_path).startswith("DRILL [FIRING 1] critical: ")
        assert field("mail", "headers.Subject", case, tmp_path).startswith("DRILL [FIRING 1] critical: ")
        # A webhook's receiver reads the labels.
        texts = {name: text for name, text in messages(case, tmp_path).items() if text.strip()}
        assert {name for name, text in texts.items() if "DRILL" not in text} == set()


def test_an_alert_without_any_words_or_labels_is_still_a_message(tmp_path: Path) -> None:
    bare = {**alert("Bare", "i", "01:00"), "labels": {"alertname": "Bare"}, "annotations": {}}
    for group_by in ((), ("alertname",)):
        for text in messages(message(group_by, bare), tmp_path).values():
            assert "Bare" in text
            assert "no value" not in text
    case = message((), bare)
    assert field("slack", "title", case, tmp_path) == "[FIRING 1] Bare"
    assert field("slack", "actions.0.url", case, tmp_path) == f"{GRAFANA}/dashboards"
    assert field("slack", "actions.1.url", case, tmp_path) == f"{PAGES}/"
    assert field("pagerduty", "source", case, tmp_path) == "https://alertmanager.example.com"


def test_a_title_names_the_alert_else_what_the_group_has_in_common(tmp_path: Path) -> None:
    other = alert("Other", "i", "01:00", service="checkout")
    title = "[FIRING {}] critical: {} (prod)".format
    for channel, name in (("slack", "title"), ("mail", "headers.Subject"), ("pagerduty", "description")):
        assert field(channel, name, message(("service",), *DOWN), tmp_path) == title(2, "checkout: ServiceDown")
        assert field(channel, name, message(("service", "alertname"), *DOWN), tmp_path) == title(2, "ServiceDown")
        assert field(channel, name, message((), *DOWN), tmp_path) == title(2, "ServiceDown")
        digest = message(("category", "team"), *DOWN)
        assert field(channel, name, digest, tmp_path) == title(2, "availability, payments"), "the same each day"
        assert field(channel, name, message(("service",), *DOWN, other), tmp_path) == title(3, "checkout")
        assert field(channel, name, message((), *DOWN, other), tmp_path) == title(3, "alerts")


def test_buttons_lead_to_what_all_alerts_of_the_message_share(tmp_path: Path) -> None:
    buttons = dict(fields(settings_of("slack")))
    assert len([path for path in buttons if path.startswith("actions")]) == 3
    assert field("slack", "actions.1.url", CASES["firing"], tmp_path) == f"{PAGES}/ServiceDown.md"
    board = f"{GRAFANA}/d/services?var-service=checkout"
    assert field("slack", "actions.0.url", CASES["firing"], tmp_path) == board
    assert field("pagerduty", "links.0.href", CASES["resolved"], tmp_path) == ONE["annotations"]["dashboard_url"]
    one_board = message(("alertname",), *MANY)
    assert field("slack", "actions.0.url", one_board, tmp_path) == f"{GRAFANA}/d/golden-signals", "no filter is shared"
    assert field("slack", "actions.0.url", CASES["mixed"], tmp_path) == f"{GRAFANA}/dashboards", "they differ"
    silence = field("slack", "actions.2.url", CASES["firing"], tmp_path)
    assert silence.startswith("https://alertmanager.example.com/#/silences/new?filter=%7Balertname%3D%22ServiceDown")
    assert "severity" not in silence, "a silence holds when the alert gets worse"


def hostile() -> dict[str, Any]:
    """A message about an alert whose words come from somebody who means harm."""
    bad = alert("A", "i", "01:00", team=HOSTILE, service=HOSTILE)
    bad["annotations"] |= {
        "summary": HOSTILE,
        "description": f"key: {HOSTILE}\n- item",
        "dashboard_url": "javascript:x",
    }
    return message(("service",), bad)


def test_slack_takes_no_commands_from_alerts(tmp_path: Path) -> None:
    grouped, named = hostile(), hostile()
    grouped["commonLabels"].pop("alertname")  # the title names the group then
    named["commonLabels"]["alertname"] = HOSTILE
    for case in (grouped, named):
        for name in ("text", "title", "fallback"):
            text = field("slack", name, case, tmp_path)
            assert "&lt;!channel&gt; &amp; " in text
            assert "<!" not in text


def test_pagerduty_reads_details_as_text(tmp_path: Path) -> None:
    """What it could read as YAML, it would: as data, with templates in it."""
    for case in (hostile(), *CASES.values()):
        for name in ("details.firing", "details.resolved"):
            text = field("pagerduty", name, case, tmp_path)
            if text:
                with pytest.raises(yaml.YAMLError):
                    yaml.safe_load(text)


class Page(HTMLParser):
    """Tags and links of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name == "href"]
        if tag != "meta":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_mail_is_whole_html_that_nobody_can_write_into(tmp_path: Path) -> None:
    for case in (hostile(), *CASES.values()):
        text = field("mail", "html", case, tmp_path)
        page = Page(text)
        assert page.open == []
        assert "script" not in page.tags
        assert all(link.startswith(("https://", "#ZgotmplZ")) for link in page.links)
        assert "ZgotmplZ" not in re.sub(r'href="[^"]*"', "", text), "Go found a style that it does not trust"
    assert GRAFANA in "".join(Page(field("mail", "html", CASES["resolved"], tmp_path)).links)


def test_without_grafana_and_published_pages_there_are_no_buttons_to_them() -> None:
    one = service(planned(stack(**changed(ROUTED, grafana={"enabled": False}))), "alertmanager")
    found = {receiver["name"]: receiver for receiver in data(one, "alertmanager.yml")["receivers"]}
    assert [action["text"] for action in found["slack"]["slack_configs"][0]["actions"]] == ["Silence"]
    assert [link["text"] for link in found["pagerduty"]["pagerduty_configs"][0]["links"]] == ["Silence"]
    assert list(found["opsgenie"]["opsgenie_configs"][0]["details"]) == ["Silence"]
