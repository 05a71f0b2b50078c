"""prometheus.yml, rule files and alertmanager.yml: jobs, rules, channels and routes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from components.plan import plan_stack_file
from components.services.scraping import service_job
from components.yaml_text import load
from operations.migrate.alertmanager_file import migrate_alertmanager
from operations.migrate.prometheus_file import migrate_prometheus
from operations.migrate.rules import migrate_rules
from tests.operations.migrate.support import assert_complete, assert_valid, bundle, item, node, outcomes

PROMETHEUS = """
global:
  scrape_interval: 30s
  scrape_timeout: 40s
  external_labels: {environment: moved, region: eu}
rule_files: [rules/*.yml]
alerting: {alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]}
remote_write: [{url: "https://store.example.com/write"}]
scrape_configs:
  - {job_name: prometheus, static_configs: [{targets: ["localhost:9090"]}]}
  - {job_name: nodeexporter, static_configs: [{targets: ["nodeexporter:9100"]}]}
  - job_name: Shop API
    scrape_interval: 5m
    metrics_path: actuator/prometheus
    scheme: https
    basic_auth: {username: scraper, password: hunter2}
    tls_config: {ca_file: /ca.pem, insecure_skip_verify: true}
    static_configs: [{targets: [shop.example.com], labels: {team: Web Shop, tier: front, job: x}}]
    metric_relabel_configs:
      - {source_labels: [__name__], regex: "go_.*", action: drop}
      - {source_labels: [code], regex: "5..", action: drop}
    honor_labels: true
  - job_name: two-groups
    static_configs: [{targets: ["a:1"], labels: {zone: a}}, {targets: ["b:1"], labels: {zone: b}}]
  - job_name: by-file
    file_sd_configs: [{files: [/etc/prometheus/targets/batch.json]}]
  - {job_name: by-dns, dns_sd_configs: [{names: [search.example.com], type: A, port: 9000}]}
  - {job_name: by-consul, consul_sd_configs: [{server: "consul:8500"}]}
  - {job_name: bad, static_configs: [{targets: ["http://x/y"]}]}
  - {static_configs: []}
  - job_name: blackbox
    metrics_path: /probe
    params: {module: [http_basic]}
    static_configs: [{targets: ["https://shop.example.com/health", "bad target"]}]
    relabel_configs:
      - {source_labels: [__address__], target_label: __param_target}
      - {target_label: __address__, replacement: "blackbox:9115"}
"""


def test_every_job_is_a_service_a_probe_or_the_stacks_own(tmp_path: Path) -> None:
    (tmp_path / "targets").mkdir()
    (tmp_path / "targets" / "batch.json").write_text('[{"targets": ["batch:1"], "labels": {"zone": "c"}}]')
    made, root = bundle(), node(PROMETHEUS)
    migrate_prometheus(made, root, tmp_path)
    assert_complete(made.report, root)
    assert outcomes(made.report, "scrape job") == {
        "prometheus": "approximated",
        "nodeexporter": "approximated",
        "Shop API": "approximated",
        "two-groups": "approximated",
        "by-file": "carried over",
        "by-dns": "carried over",
        "by-consul": "not possible",
        "bad": "not possible",
        "scrape_configs[8]": "not possible",
    }
    shop = next(service for service in made.stack["services"] if service["name"] == "shop-api")
    assert shop == {
        "name": "shop-api",
        "team": "web-shop",
        "discovery": {"static": {"targets": ["shop.example.com"]}},
        "port": 443,
        "interval": "2m30s",
        "path": "/actuator/prometheus",
        "scheme": "https",
        "authentication": {"basic": {"username": "scraper", "password": {"secret": "shopApiPassword"}}},
        "tls": {"ca": {"secret": "shopApiCa"}},
        "drop": ["go_.*"],
        "labels": {"tier": "front"},
    }
    detail = item(made.report, "Shop API").detail
    for words in ("2m30s in place of 5m", "always checked", "label job=x", "not metric_relabel_configs[1]", "shop-api"):
        assert words in detail
    assert item(made.report, "scrape_configs[2].honor_labels").outcome == "not possible"
    assert made.stack["probes"] == [
        {
            "name": "blackbox-shop-example-com-health",
            "target": "https://shop.example.com/health",
            "module": "http_2xx",
            "team": "platform",
        }
    ]
    assert "not bad target" in item(made.report, "blackbox", "probes").detail
    assert made.stack["scrape"] == {"interval": "30s", "timeout": "30s"}
    assert item(made.report, "region").outcome == "not possible"
    assert item(made.report, "environment").outcome == "carried over"
    assert_valid(made, tmp_path / "out")
    assert load((tmp_path / "out" / "targets" / "two-groups.yaml").read_text()) == [
        {"targets": ["a:1"], "labels": {"zone": "a"}},
        {"targets": ["b:1"], "labels": {"zone": "b"}},
    ]


def test_no_secret_is_ever_written(tmp_path: Path) -> None:
    made = bundle()
    migrate_prometheus(made, node(PROMETHEUS), None)
    migrate_alertmanager(made, node(ALERTMANAGER, "alertmanager.yml"))
    assert_valid(made, tmp_path / "out")
    everything = "".join(path.read_text() for path in (tmp_path / "out").rglob("*") if path.is_file())
    for secret in ("hunter2", "T000/B000/XXXX", "pd-key-of-the-team", "mail-password", "og-key"):
        assert secret in PROMETHEUS + ALERTMANAGER
        assert secret not in everything
    assert "pulumi config set --secret observatory:shopApiPassword --stack moved" in everything


def test_a_migrated_job_asks_as_the_old_one_did(tmp_path: Path) -> None:
    made = bundle()
    text = 'scrape_configs: [{job_name: api, metrics_path: /m, params: {a: [b]}, static_configs: [{targets: ["x:1"]}]}]'
    migrate_prometheus(made, node(text), None)
    config, plan = plan_of(made, tmp_path)
    job = service_job(plan, config.services[0])
    assert (job["metrics_path"], job["params"]) == ("/m", {"a": ["b"]})
    assert job["static_configs"][0]["targets"] == ["x:1"]


def plan_of(made: Any, tmp_path: Path) -> Any:
    from components.context import Context
    from components.images import ImageCatalogue

    assert_valid(made, tmp_path / "out")
    config, _ = plan_stack_file(str(tmp_path / "out" / "Pulumi.moved.yaml"))
    return config, Context(config, ImageCatalogue({}))


RULES = """
groups:
  - name: one
    interval: 1m
    rules:
      - {alert: Watchdog, expr: vector(1)}
      - alert: Slow
        expr: histogram_quantile(0.9, rate(x_bucket[5m])) > 1
        for: 5m
        labels: {severity: page, team: web}
        annotations: {message: It is slow}
      - {alert: Broken, expr: "sum(("}
      - {alert: BadTime, expr: up == 0, for: soon}
      - {record: "a:b", expr: sum(up)}
      - {record: "a:b", expr: sum(up)}
      - {expr: up}
      - {alert: Odd, expr: up == 0, colour: red}
  - {rules: []}
"""


def test_rules_keep_what_they_say_and_get_what_messages_go_by(tmp_path: Path) -> None:
    made, root = bundle(), node(RULES)
    groups = root.get("groups")
    assert groups
    migrate_rules(made, groups, "rules", set())
    made.report.rest(root, "")
    assert_complete(made.report, root)
    alerts = {rule["alert"]: rule for group in made.rules["rules"] for rule in group["rules"] if "alert" in rule}
    assert [*alerts] == ["MigratedWatchdog", "Slow", "Odd"]
    assert alerts["Slow"]["labels"] == {"severity": "page", "team": "web", "category": "migrated"}
    assert alerts["Slow"]["annotations"]["summary"] == alerts["Slow"]["annotations"]["description"] == "It is slow"
    assert alerts["Odd"]["labels"] == {"severity": "warning", "category": "migrated", "team": "platform"}
    assert outcomes(made.report, "alert") == {
        "Watchdog": "approximated",
        "Slow": "carried over",
        "Broken": "not possible",
        "BadTime": "not possible",
        "Odd": "carried over",
    }
    assert item(made.report, "groups[0].rules[7].colour").outcome == "not possible"
    assert [*made.rules] == ["rules", "rules-2"], "promtool takes two rules of one name only in two files"
    assert_valid(made, tmp_path / "out")


ALERTMANAGER = """
global: {slack_api_url: "https://hooks.slack.com/services/T000/B000/XXXX", smtp_from: "Alerts <a@example.com>",
  smtp_smarthost: "mail.example.com:587", smtp_auth_username: me, smtp_auth_password: mail-password}
route:
  receiver: chat
  group_by: [alertname, job]
  repeat_interval: 3h
  group_interval: 7m
  routes:
    - {receiver: "null", match: {alertname: Watchdog}}
    - receiver: pager
      matchers: ['severity=~"critical|page"', 'team!="test"']
      mute_time_intervals: [night]
      continue: true
      routes:
        - {receiver: mail, match: {severity: page}}
        - {receiver: mail, match: {severity: info}}
    - {receiver: chat, match_re: {service: "web-.*"}}
    - {receiver: genie}
    - {receiver: chat, continue: true}
inhibit_rules:
  - {source_match: {severity: critical}, target_match: {severity: warning}, equal: [alertname]}
  - {source_match: {dc: down}, target_match: {kind: host}}
time_intervals:
  - {name: night, time_intervals: [{times: [{start_time: "22:00", end_time: "24:00"}], weekdays: ["Monday:friday"]}]}
  - {name: unused, time_intervals: [{years: ["2030"]}]}
templates: ["*.tmpl"]
receivers:
  - {name: "null"}
  - {name: chat, slack_configs: [{channel: alerts, text: "{{ .X }}"}]}
  - name: pager
    pagerduty_configs: [{service_key: pd-key-of-the-team}]
    telegram_configs: [{chat_id: 1}]
  - {name: mail, email_configs: [{to: "a@example.com, b@example.com"}]}
  - {name: genie, opsgenie_configs: [{api_key: og-key}]}
  - {name: nobody, webhook_configs: [{url: "http://hook.example.com/x"}]}
"""


def test_receivers_become_channels_and_the_tree_of_routes_a_list(tmp_path: Path) -> None:
    made, root = bundle(), node(ALERTMANAGER)
    migrate_alertmanager(made, root)
    assert_complete(made.report, root)
    alerting = made.stack["alerting"]
    assert alerting["default_channels"] == ["chat"]
    assert alerting["channels"]["chat"] == {
        "type": "slack",
        "url": {"secret": "chatUrl"},
        "channel": "#alerts",
        "send_resolved": False,
    }
    assert {*alerting["channels"]} == {"chat", "pager-pagerduty", "mail"}
    assert alerting["channels"]["mail"]["from"] == "a@example.com"
    assert alerting["channels"]["mail"]["to"] == ["a@example.com", "b@example.com"]
    assert alerting["routes"] == [
        {
            "match": {"severity": "page"},
            "not_match": {"team": "test"},
            "channels": ["mail"],
        },
        {
            "match": {"severity": ["critical", "page"]},
            "not_match": {"team": "test"},
            "channels": ["pager-pagerduty"],
            "mute": ["night"],
            "continue": True,
        },
    ]
    assert alerting["repeat_interval"] == "3h2m", "a multiple of seven minutes"
    by_place = {each.place: each for each in made.report.items}
    assert "needs two values" in by_place["route.routes[1].routes[1]"].detail.replace("would need", "needs")
    assert "no list of values" in by_place["route.routes[2]"].detail
    assert "matches every alert" in by_place["route.routes[4]"].detail
    assert "sends nothing" in by_place["route.routes[3]"].detail
    assert "sends nothing" in by_place["route.routes[0]"].detail
    assert "no route leads to it" in item(made.report, "nobody", "receiver").detail
    assert "no route leads to it" in item(made.report, "genie", "receiver").detail
    assert outcomes(made.report, "time interval") == {"night": "carried over", "unused": "not possible"}
    assert outcomes(made.report, "inhibition") == {"rule 0": "approximated", "rule 1": "not possible"}
    assert {secret.name for secret in made.secrets} == {"chatUrl", "pagerPagerdutyKey", "mailPassword"}
    assert_valid(made, tmp_path / "out")


@pytest.mark.parametrize(
    ("matchers", "words"),
    [
        ('["a=b", "c"]', "matcher c cannot be read"),
        ('["a=~\\"x.*\\""]', "is no list of values"),
    ],
)
def test_matchers_that_cannot_be_said_are_reported(matchers: str, words: str) -> None:
    made = bundle()
    text = f"route: {{receiver: r, routes: [{{receiver: r, matchers: {matchers}}}]}}\nreceivers: [{{name: r}}]"
    migrate_alertmanager(made, node(text))
    assert words in next(each.detail for each in made.report.items if each.kind == "route")
