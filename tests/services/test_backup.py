"""The backup as it is planned: what it may, where it copies to, and that no secret is visible."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.support import COPIED, COPIED_AWAY, content, data, plan_of, planned, service, stack

IN_CLUSTER = ["backup-alertmanager", "backup-grafana", "backup-prometheus", "backup-prometheus-2"]


def settings(name: str, one: str = "backup") -> dict[str, str]:
    """The variables of the script, as a shell reads them."""
    words = shlex.split(content(service(plan_of(name), one), "settings"))
    return dict(word.split("=", 1) for word in words)


def test_it_shares_the_volumes_that_are_asked_for_and_no_others() -> None:
    found = service(plan_of("copied"), "backup")
    assert {volume.name: volume.path for volume in found.shares} == {
        "prometheus-data": "/data/prometheus-data",
        "alertmanager-data": "/data/alertmanager-data",
        "grafana-data": "/data/grafana-data",
    }
    few = service(plan_of("copied-away"), "backup")
    assert {volume.name for volume in few.shares} == {"prometheus-data", "alertmanager-data"}
    assert settings("copied-away")["VOLUMES"].split() == sorted(volume.name for volume in few.shares)


def test_of_replicas_those_are_copied_that_have_what_the_others_have_not() -> None:
    found = service(plan_of("replicas-copied"), "backup")
    assert [volume.name for volume in found.shares] == [
        "alertmanager-data",
        "prometheus-data",
        "prometheus-2-data",
        "grafana-data",
        "grafana-dump-data",
    ]


def test_the_script_stands_before_the_services_that_it_copies_only_in_rights() -> None:
    found = service(plan_of("copied"), "backup")
    assert found.capabilities == ("CHOWN", "DAC_OVERRIDE", "FOWNER")
    assert found.entrypoint == ("sh", "/etc/backup/current/backup.sh")
    assert found.args == ("serve",)
    assert plan_of("copied").services[-1] == found, "the volumes that it shares have to be there before"


def test_a_folder_is_mounted_and_nothing_outside_is_called() -> None:
    found = service(plan_of("copied"), "backup")
    (mount,) = found.host_mounts
    assert (mount.source, mount.path, mount.writable) == ("/srv/backup", "/repository", True)
    assert found.calls == ()
    assert settings("copied")["RESTIC_REPOSITORY"] == "/repository"


def test_a_bucket_is_reached_by_its_address_with_keys_in_a_file() -> None:
    found = service(plan_of("copied-away"), "backup")
    assert found.host_mounts == ()
    assert [call.service for call in found.calls] == [""]
    values = settings("copied-away")
    assert values["RESTIC_REPOSITORY"] == "s3:http://s3.example.com:8333/copies/metrics/copied"
    assert values["AWS_DEFAULT_REGION"] == "us-east-1"
    assert values["BUCKET_LOOKUP"] == "path"
    keys = content(found, "secrets/aws")
    assert "aws_access_key_id = <secret:s3AccessKey>" in keys
    assert "aws_secret_access_key = <secret:s3SecretKey>" in keys
    assert content(found, "secrets/password") == "<secret:backupPassword>"


@pytest.mark.parametrize(
    ("schedule", "period", "offset"), [("02:30", 86400, 9000), ("00:00", 86400, 0), ("6h", 21600, 0), ("24h", 86400, 0)]
)
def test_a_schedule_is_a_period_from_an_offset(schedule: str, period: int, offset: int) -> None:
    config = stack(backup={**COPIED, "schedule": schedule})
    assert config.backup is not None
    assert config.backup.period == (period, offset)


def test_a_copy_says_what_it_is_a_copy_of() -> None:
    told = json.loads(content(service(plan_of("copied"), "backup"), "stack.json"))
    assert told["stack"]["environment"] == "copied"
    assert told["stack"]["backup"]["password"] == {"secret": "backupPassword"}
    prometheus = next(each for each in told["services"] if each["name"] == "prometheus")
    assert prometheus["volumes"] == ["prometheus-data"]


def test_silences_are_written_often_enough_for_a_copy() -> None:
    flag = "--data.maintenance-interval=15s"
    assert flag in service(plan_of("copied"), "alertmanager").args
    assert flag not in service(planned(stack()), "alertmanager").args


def test_prometheus_scrapes_it_and_its_alerts_are_on() -> None:
    prometheus = service(plan_of("copied"), "prometheus")
    assert "backup:9199" in content(prometheus, "prometheus.yml")
    rules = content(prometheus, "rules/backup.yaml")
    for alert in ("BackupFailed", "BackupStale", "BackupNeverRestored"):
        assert f"alert: {alert}" in rules


def test_in_a_cluster_one_stands_beside_each_program_whose_data_nobody_else_has() -> None:
    """Each Prometheus may have samples of its own; Alertmanagers tell each other everything."""
    plan = plan_of("copied-cluster")
    found = [each for each in plan.services if each.product == "Backup"]
    assert sorted(each.name for each in found) == IN_CLUSTER
    for each in found:
        owner = service(plan, each.name.removeprefix("backup-"))
        assert each.beside == owner.name
        assert each.user == owner.user
        assert each.capabilities == ()
        assert each.volumes == ()
        assert each.host_mounts == ()
        (own,) = owner.volumes
        assert [(share.name, share.path) for share in each.shares] == [(own.name, f"/data/{own.name}")]
        assert each.prepares == ("take", own.name)
        assert dict(each.env)["STATE"] == dict(each.env)["HOME"] == f"/data/{own.name}/.backup"
        assert dict(each.env)["TMPDIR"] == f"/data/{own.name}/.backup/tmp"
        assert (each.resources.memory, each.resources.cpus) == (512, 0.5)


@pytest.mark.parametrize("name", IN_CLUSTER)
def test_in_a_cluster_each_has_a_repository_of_its_own(name: str) -> None:
    """So none waits for another's locks, and no two make the same."""
    owner = name.removeprefix("backup-")
    values = settings("copied-cluster", name)
    place = "s3:http://s3.example.com:8333/copies/metrics/copied"
    assert values["RESTIC_REPOSITORY"] == f"{place}/observatory-copied-cluster/{owner}"
    assert values["BACKUP"] == owner
    assert values["VOLUMES"] == f"{owner}-data"
    away = settings("copied-away")
    same = ("AWS_DEFAULT_REGION", "BUCKET_LOOKUP", "PERIOD", "OFFSET", "KEEP")
    assert {key: values[key] for key in same} == {key: away[key] for key in same}
    found = service(plan_of("copied-cluster"), name)
    assert [call.service for call in found.calls] == [""]
    assert content(found, "secrets/password") == "<secret:backupPassword>"
    assert content(found, "secrets/aws") == content(service(plan_of("copied-away"), "backup"), "secrets/aws")
    told = json.loads(content(found, "stack.json"))
    assert [each["name"] for each in told["services"]] == [owner]
    for file in ("backup.sh", "metrics.sh"):
        assert content(found, file) == content(service(plan_of("copied"), "backup"), file)


def test_in_a_cluster_they_are_one_job_with_the_same_alerts_and_dashboard() -> None:
    alerts = [
        [
            rule["alert"]
            for group in data(service(plan_of(name), "prometheus"), "rules/backup.yaml")["groups"]
            for rule in group["rules"]
        ]
        for name in ("copied", "copied-cluster")
    ]
    assert alerts[0] == alerts[1]
    assert content(service(plan_of("copied-cluster"), "grafana"), "dashboards/Security/backup-compliance.json")
    targets = content(service(plan_of("copied-cluster"), "prometheus"), "prometheus.yml")
    assert targets.count("job_name: backup\n") == 1
    for name in IN_CLUSTER:
        assert f"{name}:9199" in targets


def test_on_docker_one_program_is_for_all() -> None:
    for name in ("copied", "copied-away", "replicas-copied"):
        found = [each for each in plan_of(name).services if each.product == "Backup"]
        assert [each.name for each in found] == ["backup"]
        assert settings(name)["BACKUP"] == "stack"
        assert (found[0].beside, found[0].prepares, found[0].replica_of, found[0].user) == ("", (), "", "0:0")
        assert dict(found[0].env)["STATE"] == "/var/lib/backup"


@pytest.mark.parametrize("without", ["stack file", "image"])
def test_a_grafana_that_is_not_there_has_none_beside_it(without: str) -> None:
    changes = {"grafana": {"enabled": False}} if without == "stack file" else {}
    backup = {key: value for key, value in COPIED_AWAY.items() if key != "include"}
    config = stack(platform="kubernetes", kubernetes={"context": "test"}, backup=backup, **changes)
    plan = planned(config, without=["grafana"] if without == "image" else [])
    assert [each.name for each in plan.services if each.product == "Backup"] == [
        "backup-prometheus",
        "backup-alertmanager",
    ]
