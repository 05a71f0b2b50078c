"""The bucket as a Pulumi resource: what is registered, what counts as a change, what is refused."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import dill
import pytest
from pulumi.dynamic import CreateResult, ReadResult, UpdateResult

from components.config.bucket import Bucket
from components.platforms.errors import DeploymentError
from components.resources.bucket import BucketProvider
from components.spec import Plan
from tests.platforms.recording import Deployment, deploy, exposed
from tests.resources.conftest import NAME, properties
from tests.support import planned, stack

ROOT = Path(__file__).parents[2]
KEYS = {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}}
SECRETS = {"s3AccessKey": "value-of-s3AccessKey", "s3SecretKey": "value-of-s3SecretKey"}


def _outs(result: CreateResult | ReadResult | UpdateResult) -> dict[str, Any]:
    """What goes into the state."""
    assert result.outs is not None
    return result.outs


def deployed(backend: str = "thanos", keep: bool = True, **settings: Any) -> Deployment:
    """The bucket of a stack without any service."""
    bucket = {"name": NAME, "region": "eu-central-1", **settings}
    config = stack(storage={"backend": backend, "bucket": bucket}, data={"keep": keep})
    return deploy(config, plan=Plan("test", ()), secrets=SECRETS)


def test_the_bucket_is_kept_and_protected_like_a_volume() -> None:
    found = deployed().one("Bucket", "bucket")
    assert (found.protect, found.retain_on_delete) == (True, True)
    found = deployed(delete_with_objects=True).one("Bucket", "bucket")
    assert (found.protect, found.retain_on_delete) == (True, False)
    found = deployed(keep=False).one("Bucket", "bucket")
    assert (found.protect, found.retain_on_delete) == (False, False)


def test_the_programs_that_use_the_bucket_wait_for_it_and_no_others() -> None:
    config = stack(storage={"backend": "thanos", "bucket": {"name": NAME, "region": "eu-central-1"}})
    other = planned(stack()).service("blackbox-exporter")
    assert other
    store = replace(other, name="thanos-store", product="thanos", ports=())
    deployment = deploy(config, plan=Plan("test", (other, store)), secrets=SECRETS)
    bucket = deployment.one("Bucket", "bucket").urn
    assert {each.name for each in deployment.resources if bucket in each.dependencies} == {"thanos-store"}


def test_a_bucket_of_the_users_is_not_touched() -> None:
    deployment = deployed("s3")
    assert not deployment.of("Bucket")
    assert deployment.outputs["bucket_policies"]["store"]["Version"] == "2012-10-17"


def test_a_stack_without_a_bucket_has_no_policies() -> None:
    assert deploy(stack(), plan=Plan("test", ())).outputs["bucket_policies"] == {}


def test_keys_are_secrets_all_the_way() -> None:
    found = deployed(credentials=KEYS).one("Bucket", "bucket")
    assert found.values["access_key"] == "value-of-s3AccessKey"
    assert found.values["secret_key"] == "value-of-s3SecretKey"
    assert {*found.additional_secret_outputs} >= {"access_key", "secret_key"}
    assert not [where for where, text in exposed(found.inputs) if "value-of" in text]


def test_a_server_without_tls_is_named_and_gets_no_policy_that_locks_everyone_out() -> None:
    deployment = deployed(endpoint="http://s3.example.com", path_style=True)
    assert deployment.one("Bucket", "bucket").values["tls_only"] is False
    assert any("http://s3.example.com is spoken to without TLS" in text for text in deployment.warnings)
    deployment = deployed(endpoint="https://s3.example.com")
    assert deployment.one("Bucket", "bucket").values["tls_only"] is True
    assert not deployment.warnings


@pytest.mark.parametrize(
    "change",
    [
        {"tags": {"a": "b"}},
        {"noncurrent_days": 7},
        {"encryption": {"kms_key": "arn:aws:kms:eu-central-1:111122223333:key/1"}},
        {"endpoint": "https://s3.example.com"},
        {"path_style": True},
        {"delete_with_objects": True},
        {"adopt": True},
        {"secret_key": "new"},
        {"versioning": "Suspended"},
        {"private": False},
        {"tls_only": False},
    ],
)
def test_every_difference_is_a_change_in_place(change: dict[str, Any]) -> None:
    there = {**properties(), "adopted": False, "unsupported": []}
    result = BucketProvider().diff(NAME, there, properties(**change))
    assert result.changes is True
    assert not result.replaces


def test_what_the_provider_adds_is_no_change() -> None:
    there = {**properties(), "adopted": True, "unsupported": ["block public access"], "__provider": "old"}
    assert BucketProvider().diff(NAME, there, {**properties(), "__provider": "new"}).changes is False


@pytest.mark.parametrize("change", [{"name": "other-metrics"}, {"region": "eu-west-1"}, {"prefix": "metrics"}])
def test_another_bucket_or_folder_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(DeploymentError, match=f"the history lies in bucket {NAME} and would stay behind"):
        BucketProvider().diff(NAME, properties(), properties(**change))


def test_the_folder_of_the_history_is_named() -> None:
    with pytest.raises(DeploymentError) as caught:
        BucketProvider().diff(NAME, properties(prefix="metrics/prod"), properties())
    assert str(caught.value).startswith("storage.bucket.prefix: metrics/prod cannot become none, ")
    assert f"lies in bucket {NAME}, folder metrics/prod, and would stay behind" in str(caught.value)


def test_a_server_without_the_bucket_is_no_new_address_of_it(aws: Any) -> None:
    provider, elsewhere = BucketProvider(), {"endpoint": "https://s3.eu-central-1.amazonaws.com"}
    state = _outs(provider.create(properties()))
    assert _outs(provider.update(NAME, state, properties(**elsewhere)))["endpoint"] == elsewhere["endpoint"]
    aws.delete_bucket(Bucket=NAME)
    with pytest.raises(DeploymentError, match=f"amazonaws.com has no bucket {NAME}, for the history lies at AWS"):
        provider.update(NAME, state, properties(**elsewhere))
    assert aws.list_buckets()["Buckets"] == []


def test_the_way_of_a_bucket_through_the_provider(aws: Any) -> None:
    provider = BucketProvider()
    state = _outs(provider.create(properties(tags={"a": "1", "b": "2"})))
    assert (state["adopted"], state["unsupported"]) == (False, [])
    assert _outs(provider.read(NAME, state)) == state
    state = _outs(provider.update(NAME, state, properties(tags={"b": "2"})))
    assert state["tags"] == {"b": "2"}
    assert aws.get_bucket_tagging(Bucket=NAME)["TagSet"] == [{"Key": "b", "Value": "2"}]
    aws.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Suspended"})
    state = _outs(provider.read(NAME, state))
    assert state["versioning"] == "Suspended"
    assert provider.diff(NAME, state, properties(tags={"b": "2"})).changes is True
    provider.delete(NAME, state)
    assert provider.read(NAME, state).id == ""
    assert aws.list_buckets()["Buckets"] == []


def test_numbers_may_come_back_as_pulumi_keeps_them(aws: Any) -> None:
    as_floats = {"noncurrent_days": 30.0, "abort_upload_days": 7.0}
    state = _outs(BucketProvider().create({**properties(), "cleaning": as_floats}))
    assert BucketProvider().diff(NAME, state, properties()).changes is False


def test_a_bucket_that_was_taken_over_is_let_go(theirs: Any) -> None:
    provider = BucketProvider()
    state = _outs(provider.create(properties(adopt=True)))
    provider.delete(NAME, state)
    assert [each["Name"] for each in theirs.list_buckets()["Buckets"]] == [NAME]
    state = _outs(provider.update(NAME, state, properties(adopt=True, delete_with_objects=True)))
    assert state["adopted"] is True
    provider.delete(NAME, state)
    assert theirs.list_buckets()["Buckets"] == []


def test_the_provider_is_named_in_the_state_and_not_copied_into_it() -> None:
    assert len(dill.dumps(BucketProvider(), recurse=True)) < 120


def test_a_program_imports_nothing_that_asks_a_server() -> None:
    code = (
        "import sys, components.stack, components.resources.bucket;"
        "sys.exit(bool({'boto3', 'botocore'} & {*sys.modules}))"
    )
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


def test_every_setting_of_the_bucket_is_honoured() -> None:
    named = {*properties()} | {"credentials"}
    said = {"noncurrent_days": "cleaning"}
    assert {said.get(name, name) for name in Bucket.model_fields} <= named
