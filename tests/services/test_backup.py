"""The backup as it is planned: what it may, where it copies to, and that no secret is visible."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.support import COPIED, content, plan_of, planned, service, stack


def settings(name: str) -> dict[str, str]:
    """The variables of the script, as a shell reads them."""
    words = shlex.split(content(service(plan_of(name), "backup"), "settings"))
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
