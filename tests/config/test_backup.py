"""Errors of `backup:`, word by word."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.config import StackFileError, parse_stack
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from tests.platforms.clusters import of_kind
from tests.support import COPIED, COPIED_AWAY, MINIMAL, planned, stack

BUCKET = {"name": "copies", "region": "eu-central-1"}


def error(**backup: Any) -> str:
    """The message for a stack with these settings of its backup."""
    with pytest.raises(StackFileError) as caught:
        parse_stack({**MINIMAL, "backup": {**COPIED, **backup}}, "stacks/Pulumi.test.yaml")
    return str(caught.value)


@pytest.mark.parametrize("to", [{}, {"folder": "/srv/backup", "bucket": BUCKET}])
def test_one_place_has_to_be_named(to: dict[str, Any]) -> None:
    assert "backup.to" in error(to=to)
    assert "must name one place: a folder, or a bucket" in error(to=to)


@pytest.mark.parametrize("folder", ["backup", "./backup", "/srv/my backup", "/srv/a:b"])
def test_a_folder_is_an_absolute_path(folder: str) -> None:
    assert "must be an absolute path without spaces, such as /srv/backup" in error(to={"folder": folder})


@pytest.mark.parametrize("schedule", ["25:00", "2:30", "5m", "2d", "daily"])
def test_a_schedule_is_a_time_of_day_or_at_most_a_day(schedule: str) -> None:
    assert 'must be a time of day in UTC such as "02:30", or 15m to 24h from one run to the next' in error(
        schedule=schedule
    )


def test_a_time_that_yaml_reads_as_a_number_needs_quotes() -> None:
    assert 'must be a time of day in quotes, such as "14:30"' in error(schedule=14 * 60 + 30)


def test_a_password_is_a_secret() -> None:
    assert "must name a secret" in error(password="hunter2")


@pytest.mark.parametrize("key", ["adopt", "delete_with_objects", "noncurrent_days", "tags", "encryption"])
def test_settings_of_a_bucket_that_a_stack_makes_are_refused(key: str) -> None:
    values: dict[str, Any] = {
        "adopt": True,
        "delete_with_objects": True,
        "noncurrent_days": 5,
        "tags": {"a": "b"},
        "encryption": "none",
    }
    message = error(to={"bucket": {**BUCKET, key: values[key]}})
    assert f"backup.to.bucket.{key}" in message
    assert "the bucket is yours and only used" in message


def test_a_bucket_whose_address_cannot_work_is_refused() -> None:
    assert "has a dot, so no certificate is valid for its address" in error(
        to={"bucket": {**BUCKET, "name": "my.copies"}}
    )


def test_copies_do_not_go_where_the_samples_are() -> None:
    data = {
        **MINIMAL,
        "storage": {"backend": "s3", "bucket": BUCKET},
        "backup": {**COPIED, "to": {"bucket": BUCKET}},
    }
    with pytest.raises(StackFileError, match=r"holds the stack's own samples \(storage.bucket\)"):
        parse_stack(data, "stacks/Pulumi.test.yaml")


CLUSTER = {**MINIMAL, "platform": "kubernetes", "kubernetes": {"context": "test"}}


def in_cluster(backup: dict[str, Any], **changes: Any) -> str:
    """The message for such a stack in a cluster."""
    with pytest.raises(StackFileError) as caught:
        parse_stack({**CLUSTER, "backup": backup, **changes}, "stacks/Pulumi.test.yaml")
    return str(caught.value)


def test_a_cluster_copies_to_a_bucket() -> None:
    found = parse_stack({**CLUSTER, "backup": COPIED_AWAY}, "stacks/Pulumi.test.yaml")
    assert found.backup
    assert found.backup.to.bucket
    assert found.backup.to.bucket.name == "copies"


def test_pods_have_no_common_folder() -> None:
    text = in_cluster(COPIED)
    assert "1 problem" in text
    assert "backup.to.folder (is /srv/backup): is for platform: docker: pods have no common folder" in text
    assert "hint: `backup.to.bucket`: of AWS, or of a server in the cluster that speaks S3" in text


@pytest.mark.parametrize(("own", "namespace"), [({}, "observatory-test"), ({"namespace": "metrics"}, "metrics")])
def test_beside_the_operator_the_storage_copies(own: dict[str, str], namespace: str) -> None:
    """With the labels that the claims have."""
    cluster = {"context": "test", "operator": "existing", **own}
    text = in_cluster(COPIED_AWAY, kubernetes=cluster)
    assert "1 problem" in text
    assert "backup: needs kubernetes.operator: none, for the operator makes the pods itself" in text
    assert "docs/guide/backup.md#by-the-storage" in text
    found = re.search(r"kubectl -n (\S+) get pvc -l ([^=]+)=([^`]+)`", text)
    assert found
    operated = stack(**{**CLUSTER, "kubernetes": cluster})
    claims = of_kind(manifests(Stack(operated, planned(operated))), "PersistentVolumeClaim")
    assert {each["metadata"]["name"] for each in claims} >= {"alertmanager-data", "grafana-data"}
    assert {each["metadata"]["namespace"] for each in claims} == {found[1]} == {namespace}
    assert {each["metadata"]["labels"][found[2]] for each in claims} == {found[3]}


@pytest.mark.parametrize(
    ("include", "hint"),
    [
        (None, "[prometheus, alertmanager]"),
        (["grafana", "prometheus"], "[prometheus]"),
        (["grafana"], "[prometheus, alertmanager]"),
    ],
)
def test_in_a_cluster_a_database_of_grafana_makes_its_own_copies(include: list[str] | None, hint: str) -> None:
    backup = {key: value for key, value in COPIED_AWAY.items() if key != "include"}
    grafana = {"database": {"host": "db.example.com", "password": {"secret": "databasePassword"}}}
    text = in_cluster({**backup, **({"include": include} if include else {})}, grafana=grafana)
    assert "1 problem" in text
    assert "backup.include: names grafana, whose database (grafana.database) is copied on platform: docker only" in text
    assert f"let the database make its own copies, and write `include: {hint}`" in text
    found = parse_stack({**CLUSTER, "backup": COPIED_AWAY, "grafana": grafana}, "stacks/Pulumi.test.yaml")
    assert found.backup
    assert "grafana" not in found.backup.include


def test_keeping_nothing_is_refused() -> None:
    assert "backup.keep.daily" in error(keep={"daily": 0})


def test_parts_that_there_are_not_are_named() -> None:
    assert "backup.include" in error(include=["jaeger"])
    assert "must name at least one" in error(include=[])


@pytest.mark.parametrize("backend", ["victoria", "cortex"])
def test_what_is_in_no_copy_is_left_out_knowingly(backend: str) -> None:
    settings = {"to": {"folder": "/srv/backup"}, "password": {"secret": "backupPassword"}}
    with pytest.raises(StackFileError) as caught:
        stack(storage=backend, backup=settings)
    message = str(caught.value)
    assert "1 problem" in message
    assert f"backup.include: is required with storage.backend {backend}, whose samples are in no copy" in message
    found = stack(storage=backend, backup={**settings, "include": ["grafana"]})
    assert found.backup
    assert found.backup.include == ("grafana",)


@pytest.mark.parametrize("storage", ["local", "victoria"])
def test_a_grafana_that_is_not_there_cannot_be_copied(storage: str) -> None:
    base = {**MINIMAL, "storage": storage, "grafana": {"enabled": False}}
    with pytest.raises(StackFileError) as caught:
        parse_stack({**base, "backup": {**COPIED, "include": ["alertmanager", "grafana"]}}, "stacks/Pulumi.test.yaml")
    assert "backup.include[1] (is grafana): there is no Grafana: grafana.enabled is false" in str(caught.value)
    assert "hint: `include: [prometheus, alertmanager]`" in str(caught.value)
    found = parse_stack({**base, "backup": {**COPIED, "include": ["prometheus"]}}, "stacks/Pulumi.test.yaml")
    assert found.backup
    with pytest.raises(StackFileError) as caught:  # and what is proposed can be had
        parse_stack({**base, "storage": "victoria", "backup": COPIED}, "stacks/Pulumi.test.yaml")
    assert "`include: [prometheus, alertmanager]`" in str(caught.value)
