"""Two plans compared: nothing where they are the same, and every kind of change by its values."""

from __future__ import annotations

import itertools
from functools import cache
from typing import Any

import pytest

from components.config import parse_stack
from operations.report.change import DANGERS, SECTIONS, Change, joined
from operations.report.compare import compared
from operations.report.markdown import markdown
from operations.report.report import Report, Reports, shortened
from operations.report.snapshot import Snapshot, of_plan
from operations.report.terminal import lines
from tests.support import COPIED_AWAY, GENERATED, STACKS, changed, config_of, plan_of, planned

ALL = (*STACKS, *GENERATED)


@cache
def snapshot(name: str) -> Snapshot:
    return of_plan(config_of(name), plan_of(name))


_IN_CLUSTER = {"kubernetes": {"context": "test"}}


def of(stack: dict[str, Any], **changes: Any) -> Snapshot:
    config = parse_stack(changed(stack, **changes), "stacks/Pulumi.test.yaml")
    return of_plan(config, planned(config))


@pytest.mark.parametrize("name", ALL)
def test_a_plan_against_itself_is_empty(name: str) -> None:
    found = snapshot(name)
    assert compared(found, found) == []
    assert compared(found, Snapshot.model_validate_json(found.model_dump_json())) == []


@pytest.mark.parametrize(("one", "other"), [*itertools.pairwise(ALL), *itertools.pairwise(reversed(ALL))])
def test_any_two_plans_can_be_compared(one: str, other: str) -> None:
    """What one direction adds, the other removes; every change has a section, and shows in every form."""
    before, after = snapshot(one), snapshot(other)
    found = compared(before, after)
    assert found
    assert {change.section for change in found} <= {*SECTIONS}
    assert {change.danger for change in found} <= {*DANGERS, ""}
    assert [change for change in found if not change.name or not change.what] == []
    back = compared(after, before)
    for section in ("alerts", "scraping", "programs"):
        added = {change.name for change in found if (change.section, change.what) == (section, "added")}
        removed = {change.name for change in back if (change.section, change.what) == (section, "removed")}
        assert added == removed
    report = Report(other, after.environment, tuple(found))
    assert len(markdown(Reports("main", (report,)))) < 65_536
    assert len(list(lines(Reports("main", (report,))))) > len(report.told)


def told(found: list[Change]) -> set[tuple[str, ...]]:
    return {(change.name, change.what, change.before, change.after, change.danger) for change in found}


BUCKET: dict[str, Any] = {"backend": "thanos", "bucket": {"name": "metrics", "region": "eu-central-1"}}
SHOP: dict[str, Any] = {
    "name": "shop",
    "team": "web",
    "port": 8080,
    "discovery": {"static": {"targets": ["shop-1", "shop-2"]}},
}
OTHER: dict[str, Any] = {**SHOP, "name": "other", "authentication": {"bearer": {"token": {"secret": "two"}}}}
REGION: dict[str, Any] = {"name": "eu", "url": "https://prometheus.eu.example.com"}
CHATS: dict[str, Any] = {
    "channels": {
        "a": {"type": "slack", "url": {"secret": "aUrl"}, "channel": "#a"},
        "b": {"type": "slack", "url": {"secret": "bUrl"}, "channel": "#b"},
    },
    "default_channels": ["a", "b"],
}
EVERY = "node-exporter, blackbox-exporter, cadvisor, jaeger and 3 more"
KEPT: dict[str, Any] = {"to": {"folder": "/srv/backup"}, "password": {"secret": "backupPassword"}}


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        (
            {"alerts": {"TargetDown": {"for": "10m"}}},
            {"alerts": {"TargetDown": {"for": "0s"}}},
            ("TargetDown", "for tightened", "10m", "0s", ""),
        ),
        (
            {"alerts": {"TargetDown": {"severity": "emergency"}}},
            {"alerts": {"TargetDown": {"severity": "none"}}},
            ("TargetDown", "severity loosened", "emergency", "none", "looser-alerts"),
        ),
        (
            {"alerts": {"DiskSpaceLow": {"threshold": "20%"}}},
            {"alerts": {"DiskSpaceLow": {"threshold": "10%"}}},
            ("DiskSpaceLow", "threshold loosened", "20%", "10%", "looser-alerts"),
        ),
        (
            {"storage": {**BUCKET, "retention": {"raw": "90d"}}},
            {"storage": {**BUCKET, "retention": {"raw": "30d"}}},
            ("samples in the bucket, raw", "kept for less", "90d", "30d", "data-loss"),
        ),
        (
            {"storage": {**BUCKET, "retention": {"raw": "90d"}}},
            {"storage": {**BUCKET, "retention": dict.fromkeys(("raw", "five_minutes", "one_hour"), "forever")}},
            ("samples in the bucket, raw", "kept for more", "90d", "without limit", ""),
        ),
        (
            {"storage": BUCKET},
            {},
            ("bucket", "left; what is in it stays there", "s3.eu-central-1.amazonaws.com/metrics/", "", "data-loss"),
        ),
        (
            {"storage": {"backend": "victoria", "victoria": {"retention": "90d"}}},
            {"storage": {"backend": "victoria", "victoria": {"retention": "60d"}}},
            ("samples in VictoriaMetrics", "kept for less", "90d", "60d", "data-loss"),
        ),
        (
            {"storage": {"backend": "cortex", "cortex": {"retention": "90d"}}},
            {"storage": {"backend": "cortex", "cortex": {"retention": "60d"}}},
            ("samples in Cortex", "kept for less", "90d", "60d", "data-loss"),
        ),
        (
            {"retention": {"time": "7d"}},
            {"retention": {"time": "7d", "size": "1GB"}},
            ("samples on disk, size", "kept for less", "without limit", "1 GiB", "data-loss"),
        ),
        (
            {"tracing": {"retention": "2d"}},
            {"tracing": {"retention": "1d"}},
            ("traces", "kept for less", "2d", "1d", "data-loss"),
        ),
        ({"backup": KEPT}, {}, ("backup", "gone", "each day at 02:30 UTC, to folder /srv/backup", "", "fewer-backups")),
        (
            {"backup": {**KEPT, "schedule": "1h"}},
            {"backup": {**KEPT, "schedule": "6h"}},
            ("backup", "rarer", "every 1h", "every 6h", "fewer-backups"),
        ),
        (
            {"backup": KEPT},
            {"backup": {**KEPT, "schedule": "14:05"}},
            ("backup", "at another time", "each day at 02:30 UTC", "each day at 14:05 UTC", ""),
        ),
        (
            {"backup": {**COPIED_AWAY, "to": {"bucket": {"name": "copies", "region": "eu-central-1"}}}},
            {"backup": {**COPIED_AWAY, "to": {"bucket": {"name": "copies", "region": "eu-central-1", "prefix": "b"}}}},
            (
                "backup",
                "goes elsewhere; older copies stay where they are",
                "bucket s3.eu-central-1.amazonaws.com/copies/",
                "bucket s3.eu-central-1.amazonaws.com/copies/b",
                "",
            ),
        ),
        (
            {},
            {"docker": {"host": "tcp://other.example.com:2375"}},
            (
                "place",
                "all data stays behind",
                "Docker engine of DOCKER_HOST",
                "Docker engine tcp://other.example.com:2375",
                "data-loss",
            ),
        ),
        (
            {"environment": "one"},
            {"environment": "two"},
            ("environment", "all data stays behind", "one", "two", "data-loss"),
        ),
        (
            {"storage": BUCKET},
            {"storage": {**BUCKET, "bucket": {**BUCKET["bucket"], "delete_with_objects": True}}},
            ("bucket", "at the end of the stack", "stays without the stack", "goes with the stack", "data-loss"),
        ),
        (
            {"storage": BUCKET},
            {"storage": {**BUCKET, "bucket": {**BUCKET["bucket"], "noncurrent_days": 7}}},
            ("what is deleted in the bucket", "kept for less", "30d", "7d", "data-loss"),
        ),
        (
            {"services": [SHOP]},
            {"services": [{**SHOP, "sample_limit": 2000}]},
            ("shop", "sample_limit", "20000", "2000", "fewer-targets"),
        ),
        (
            {"services": [{**SHOP, "sample_limit": 2000}]},
            {"services": [SHOP]},
            ("shop", "sample_limit", "2000", "20000", ""),
        ),
        (
            {"services": [SHOP]},
            {"services": [{**SHOP, "drop": ["shop_.*"]}]},
            ("shop", "metric_relabel_configs.regex", "-", "shop_.*", "fewer-targets"),
        ),
        (
            {"services": [{**SHOP, "discovery": {"dns": {"names": ["a", "b"]}}}]},
            {"services": [{**SHOP, "discovery": {"dns": {"names": ["b"]}}}]},
            ("shop", "dns_sd_configs.names", "a, b", "b", "fewer-targets"),
        ),
        (
            {"services": [{**SHOP, "discovery": {"dns": {"names": ["a"]}}}]},
            {"services": [{**SHOP, "discovery": {"dns": {"names": ["a", "b"]}}}]},
            ("shop", "dns_sd_configs.names", "a", "a, b", ""),
        ),
        (
            {"services": [SHOP]},
            {"services": [{**SHOP, "discovery": {"dns": {"names": ["a"]}}}]},
            ("shop", "targets", "shop-1:8080, shop-2:8080", "found by dns", "fewer-targets"),
        ),
        (
            {"probes": [{"name": "home", "target": "http://a.example.com/"}]},
            {"probes": [{"name": "home", "target": "http://b.example.com/"}]},
            ("probe-home", "params.target", "http://a.example.com/", "http://b.example.com/", "fewer-targets"),
        ),
        (
            {"federation": [{**REGION, "match": ["up", '{job="a"}']}]},
            {"federation": [{**REGION, "match": ["up"]}]},
            ("federate-eu", "params.match[]", 'up, {job="a"}', "up", "fewer-targets"),
        ),
        (
            {"alerting": CHATS},
            {"alerting": changed(CHATS, channels__a__url={"secret": "bUrl"})},
            ("receiver a", "api_url_file", "secret aUrl", "secret bUrl", "lost-receivers"),
        ),
        (
            {"alerting": CHATS},
            {"alerting": changed(CHATS, channels__a={"type": "webhook", "url": "http://a.example.com/"})},
            ("receiver a", "sends by", "slack", "webhook", "lost-receivers"),
        ),
        (
            {"alerting": CHATS},
            {"alerting": changed(CHATS, channels__a__send_resolved=False, channels__b__send_resolved=False)},
            ("receiver a, receiver b", "send_resolved", "true", "false", ""),
        ),
        (
            {"alerting": CHATS},
            {"alerting": CHATS, "grafana": {"enabled": False}},
            ("receiver a, receiver b", "other words or links in the message", "", "", ""),
        ),
        (
            {"services": [{**SHOP, "authentication": {"bearer": {"token": {"secret": "one"}}}}, OTHER]},
            {"services": [{**SHOP, "authentication": {"bearer": {"token": {"secret": "two"}}}}, OTHER]},
            ("prometheus", "another secret in secrets/services/shop-token", "one", "two", ""),
        ),
        (
            {},
            {"docker": {"subnet": "172.31.0.0/24"}},
            (EVERY, "new container, because of network", "", "172.31.0.0/24", "restart"),
        ),
        ({"ports": {"jaeger": None}}, {}, ("port jaeger 16686", "opened", "", "127.0.0.1:16686", "")),
        ({}, {"scrape": {"interval": "30s"}}, ("all jobs", "scrape_interval", "15s", "30s", "")),
    ],
)
def test_one_value(before: dict[str, Any], after: dict[str, Any], expected: tuple[str, ...]) -> None:
    base = {"environment": "test"}
    assert expected in told(compared(of(base | before), of(base | after)))


def test_in_a_cluster_a_place_or_a_class_is_for_the_whole_life() -> None:
    """A claim keeps its storage class, a pod its node; who else may send traces is let in through the policies."""
    name = "cluster"
    found = told(compared(snapshot(name), of(GENERATED[name], kubernetes__storage_class="quick")))
    old = GENERATED[name]["kubernetes"].get("storage_class", "the cluster's own")
    assert ("all volumes", "new ones, of another storage class", old, "quick", "data-loss") in found
    found = told(compared(snapshot(name), of(GENERATED[name], kubernetes__trace_namespaces=["other"])))
    assert ("traces from namespace other", "let in", "", "", "open-port") in found
    moved = compared(snapshot(name), of(GENERATED[name], kubernetes__node_selector={"pool": "other"}))
    (restart,) = [change for change in moved if change.danger == "restart"]
    assert (restart.what, restart.after) == ("new container, because of placing", "pool=other")


def test_alerts_that_a_ruler_takes_over_are_not_gone() -> None:
    base = {"environment": "test", "services": [{**SHOP, "exposes": ["http"]}], "storage": BUCKET}
    before, after = of(base), of(base, storage__ruler=["http"])
    for one, other in ((before, after), (after, before)):
        gone = [change.name for change in compared(one, other) if change.danger == "fewer-alerts"]
        assert not {"APIHighErrorRate", "APIHighLatency"} & {*gone}


def test_a_service_that_goes_to_another_team_goes_to_other_channels() -> None:
    routes = [{"match": {"team": "web"}, "channels": ["a"]}]
    base = {
        "environment": "test",
        "services": [SHOP],
        "alerting": {**CHATS, "default_channels": ["b"], "routes": routes},
    }
    found = compared(of(base), of(base, services=[{**SHOP, "team": "core"}]))
    (moved,) = [change for change in found if change.what == "goes to"]
    assert (moved.before, moved.after, moved.danger) == ("a", "b", "lost-receivers")
    assert "service shop" in moved.name


def test_a_probe_that_goes_to_another_team_goes_to_other_channels() -> None:
    routes = [{"match": {"team": "web"}, "channels": ["a"]}]
    probe = {"name": "front", "target": "https://shop.example.com", "team": "web"}
    base = {
        "environment": "test",
        "services": [SHOP],
        "probes": [probe, {**probe, "name": "back"}],
        "alerting": {**CHATS, "default_channels": ["b"], "routes": routes},
    }
    found = compared(of(base), of(base, probes=[{**probe, "team": "core"}, {**probe, "name": "back"}]))
    moved = [change for change in found if change.what == "goes to"]
    assert [(each.before, each.after, each.danger) for each in moved] == [("a", "b", "lost-receivers")]
    assert moved[0].name.startswith("ProbeFailed, ProbeSlow, ")
    assert moved[0].name.endswith("team core; probe front")
    # A service raises none of these: where it goes is told of its own alerts alone.
    found = compared(of(base), of(base, services=[{**SHOP, "team": "core"}]))
    (change,) = [change for change in found if change.what == "goes to"]
    assert "Probe" not in change.name
    # What is deployed says whose a probe is, too.
    deployed = of(base).model_copy(update={"stated": None})
    assert moved[0] in compared(deployed, of(base, probes=[{**probe, "team": "core"}, {**probe, "name": "back"}]))


def test_targets_in_a_file_count_like_those_of_the_stack_file() -> None:
    service = {**SHOP, "name": "batch", "discovery": {"file": {"file": "targets/batch.yaml"}}}
    before = of({"environment": "test", "services": [service]})
    prometheus = before.programs["prometheus"]
    files = {**prometheus.files, "targets/batch.yaml": "- targets: [batch-2:9000]\n  labels: {zone: a}\n"}
    changed_files = prometheus.model_copy(update={"files": files})
    after = before.model_copy(update={"programs": {**before.programs, "prometheus": changed_files}})
    assert ("batch", "targets", "batch-1:9000", "batch-2:9000", "fewer-targets") in told(compared(before, after))


def test_in_another_namespace_the_stack_finds_its_own_programs_again() -> None:
    name = "cluster"
    found = compared(snapshot(name), of(GENERATED[name], kubernetes__namespace="elsewhere"))
    assert ("place", "all data stays behind") in {(change.name, change.what) for change in found}
    assert [change for change in found if change.section == "scraping"] == []
    # What is looked for in a namespace by name stays there.
    shop = {**SHOP, "discovery": {"kubernetes": {"namespaces": ["shop"], "labels": {"app": "shop"}}}}
    before = changed(GENERATED[name], services=[shop])
    other = {**shop, "discovery": {"kubernetes": {"namespaces": ["elsewhere"], "labels": {"app": "shop"}}}}
    (moved,) = [change for change in compared(of(before), of(before, services=[other])) if change.section == "scraping"]
    assert (moved.name, moved.before, moved.after, moved.danger) == ("shop", "shop", "elsewhere", "fewer-targets")


def test_on_another_platform_no_volume_grows() -> None:
    before, after = of({"environment": "test"}), of({"environment": "test", "platform": "kubernetes", **_IN_CLUSTER})
    found = [change for change in compared(before, after) if change.section == "data"]
    assert [(change.name, change.what) for change in found] == [("place", "all data stays behind")]


def test_replicas_change_alike_in_one_line() -> None:
    three = {"environment": "test", "high_availability": {"alertmanager": 3, "one_host": True}}
    found = compared(of(three), of(three, resources__alertmanager={"memory": "512MB"}))
    changes = [change for change in found if change.section == "programs"]
    assert [(change.name, change.before, change.after) for change in changes] == [
        ("alertmanager, alertmanager-2, alertmanager-3", "128 MiB", "512 MiB")
    ]
    assert not any(change.danger == "restart" for change in found), "Docker changes memory on a running container"


def test_on_kubernetes_more_memory_is_a_new_pod() -> None:
    name = "available-cluster"
    found = compared(snapshot(name), of(GENERATED[name], resources__alertmanager={"memory": "512MB"}))
    assert [change.name for change in found if change.danger == "restart"] == [
        "alertmanager, alertmanager-2, alertmanager-3"
    ]


def test_a_host_of_a_ui_is_open_to_others() -> None:
    name = "cluster"
    hosts = {**GENERATED[name]["kubernetes"]["ingress"]["hosts"], "alertmanager": "alerts.example.com"}
    found = compared(snapshot(name), of(GENERATED[name], kubernetes__ingress__hosts=hosts))
    assert ("host alertmanager", "opened", "", "alerts.example.com", "open-port") in told(found)


def test_who_is_told_of_an_alert_of_each_owner() -> None:
    name = "routed"
    routes = [route for route in GENERATED[name]["alerting"]["routes"] if route.get("match", {}).get("team") != "web"]
    stack = changed(GENERATED[name], alerting__routes=routes)
    stack["alerting"]["channels"] = {k: v for k, v in stack["alerting"]["channels"].items() if k != "mail-plain"}
    del stack["alerting"]["time_intervals"]
    found = [change for change in compared(snapshot(name), of(stack)) if change.section == "routes"]
    assert found
    assert all("team web" in change.name for change in found if change.what == "goes to"), found
    assert {change.danger for change in found if change.what == "goes to"} == {"lost-receivers"}


def test_neighbours_of_one_kind_are_one_line() -> None:
    changes = [Change("effect", name, "same") for name in "abcdef"]
    assert joined(changes) == [Change("effect", "a, b, c, d and 2 more", "same")]
    assert joined([*changes[:1], Change("effect", "x", "other")]) == [changes[0], Change("effect", "x", "other")]


def test_a_long_value_shows_where_it_differs() -> None:
    before, after = "a" * 200 + " > 5 and " + "b" * 200, "a" * 200 + " > 6 and " + "b" * 200
    shown = shortened(before, after, 40)
    assert shown[0].replace("5", "6") == shown[1]
    assert " > 5 and " in shown[0]
    assert max(map(len, shown)) < 60
    assert shortened("short", "texts", 40) == ("short", "texts")
    assert shortened("x" * 300, "", 40) == ("x" * 40 + "…", "")


def test_a_comment_that_would_be_too_long_names_what_it_leaves_out() -> None:
    changes = [Change("alerts", f"Alert{number}", "added", "", "x" * 100) for number in range(500)]
    changes += [Change("data", "volume", "no longer used", "10 GiB", "", "data-loss")]
    reports = Reports("main", (Report("prod", "prod", tuple(changes)),))
    text = markdown(reports, most=5000)
    assert len(text) < 5000
    assert "So long" not in text
    assert "left out: Alerts (500)." in text
    assert "no longer used" in text


def test_markdown_shows_texts_as_they_are() -> None:
    change = Change("alerts", "a_b|c*", "changed <b>", 'x =~ "a|b" `y`', "")
    text = markdown(Reports("main", (Report("prod", "prod", (change,)),)))
    assert '| a\\_b\\|c\\* | changed \\<b\\> | `` x =~ "a\\|b" `y` `` |  |' in text


def test_all_programs_of_a_pod_are_replaced_together() -> None:
    """By what comes to stand beside them, changes, and goes; in a revision, too, that does not tell of pods."""
    plain = config_of("copied-cluster").model_copy(update={"backup": None})
    copied = of_plan(config_of("copied-cluster"), plan_of("copied-cluster"))
    without = of_plan(plain, planned(plain))
    smaller = copied.model_copy(
        update={
            "programs": {
                name: each.model_copy(update={"fixed": {**each.fixed, "memory": ("1 MiB",)}})
                if name == "backup-grafana"
                else each
                for name, each in copied.programs.items()
            }
        }
    )
    what = "new container, because of what stands beside it: backup-"
    pods = {"prometheus, thanos-sidecar": "prometheus", "prometheus-2, thanos-sidecar-2": "prometheus-2"}
    expected = {name: what + owner for name, owner in {**pods, "grafana": "grafana"}.items()}
    older = without.model_copy(
        update={"programs": {name: each.model_copy(update={"pod": ""}) for name, each in without.programs.items()}}
    )
    for before, after in ((without, copied), (copied, without), (older, copied)):
        told = {each.name: each.what for each in compared(before, after) if each.danger == "restart"}
        assert {name: text for name, text in told.items() if "beside" in text} == expected
        assert told["alertmanager, alertmanager-2, alertmanager-3"] == "new container, because of arguments"
    told = {each.name: each.what for each in compared(copied, smaller) if each.danger == "restart"}
    assert told == {"backup-grafana": "new container, because of memory", "grafana": f"{what}grafana"}
    assert not [each for each in compared(older, without) if each.section == "effect"]
