"""Errors of `backup:`, word by word."""

from __future__ import annotations

import re
from typing import Any

import pytest

from components.config import StackFileError, parse_stack
from components.platforms.kubernetes_manifests import manifests
from components.platforms.kubernetes_objects import Stack
from tests.platforms.clusters import of_kind
from tests.support import COPIED, MINIMAL, planned, stack

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


@pytest.mark.parametrize(("own", "namespace"), [({}, "observatory-test"), ({"namespace": "metrics"}, "metrics")])
def test_in_a_cluster_it_says_what_to_do_instead(own: dict[str, str], namespace: str) -> None:
    """With the labels that the claims have."""
    cluster = {**MINIMAL, "platform": "kubernetes", "kubernetes": {"context": "test", **own}}
    with pytest.raises(StackFileError) as caught:
        parse_stack({**cluster, "backup": COPIED}, "stacks/Pulumi.test.yaml")
    text = str(caught.value)
    assert "backup: is for platform: docker: in a cluster a program sees the claims of its own pod alone" in text
    found = re.search(r"kubectl -n (\S+) get pvc -l ([^=]+)=([^`]+)`", text)
    assert found
    claims = of_kind(manifests(Stack(stack(**cluster), planned(stack(**cluster)))), "PersistentVolumeClaim")
    assert {each["metadata"]["name"] for each in claims} >= {"prometheus-data", "alertmanager-data", "grafana-data"}
    assert {each["metadata"]["namespace"] for each in claims} == {found[1]} == {namespace}
    assert {each["metadata"]["labels"][found[2]] for each in claims} == {found[3]}


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
