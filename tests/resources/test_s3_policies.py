"""Who may do what with the bucket: the documents as data, and in front of a server that evaluates them."""

from __future__ import annotations

import json
from typing import Any

import boto3
import botocore.session
import pytest
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.core import set_initial_no_auth_action_count

from components.config.bucket import Bucket
from components.resources.s3_policies import COMPONENTS, component_policies, partition

NAME, REGION = "acme-metrics", "eu-central-1"
KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
READERS, WRITERS, DELETERS = {"store"}, {"sidecar", "ruler", "receive", "backup"}, {"compactor"}


def policies(region: str = REGION, prefix: str | None = None, kms_key: str = "") -> dict[str, Any]:
    encryption = {"kms_key": kms_key} if kms_key else "sse-s3"
    data = {"name": NAME, "region": region, "prefix": prefix, "encryption": encryption}
    return component_policies(Bucket.model_validate(data))


def statement(component: str, sid: str, **more: str) -> dict[str, Any]:
    document = policies(**more)[component]
    (found,) = (each for each in document["Statement"] if each["Sid"] == sid)
    return dict(found)


def test_every_program_that_uses_the_bucket_has_a_policy() -> None:
    assert {*policies()} == READERS | WRITERS | DELETERS
    for document in policies(prefix="a/b", kms_key=KEY).values():
        assert document["Version"] == "2012-10-17"
        assert all(each["Effect"] == "Allow" for each in document["Statement"])
        assert "*" not in json.dumps([each["Action"] for each in document["Statement"]])
        assert len(json.dumps(document)) < 2048  # what an inline policy of a user may have


def test_objects_are_limited_to_the_prefix_and_listing_to_the_bucket() -> None:
    assert statement("store", "Objects")["Resource"] == [f"arn:aws:s3:::{NAME}/*"]
    assert statement("store", "Objects", prefix="metrics/prod")["Resource"] == [f"arn:aws:s3:::{NAME}/metrics/prod/*"]
    assert statement("store", "List", prefix="metrics/prod") == {
        "Sid": "List",
        "Effect": "Allow",
        "Action": ["s3:ListBucket"],
        "Resource": [f"arn:aws:s3:::{NAME}"],
    }


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_key_is_used_through_the_bucket_alone(component: str) -> None:
    found = statement(component, "Key", kms_key=KEY)
    both = ["kms:Decrypt", "kms:GenerateDataKey"]
    assert found["Action"] == (["kms:Decrypt"] if component in READERS else both)
    assert found["Resource"] == [KEY]
    assert found["Condition"] == {"StringEquals": {"kms:ViaService": [f"s3.{REGION}.amazonaws.com"]}}


def test_an_alias_of_a_key_stands_in_a_condition() -> None:
    found = statement("store", "Key", kms_key="arn:aws:kms:eu-central-1:111122223333:alias/metrics")
    assert found["Resource"] == ["arn:aws:kms:eu-central-1:111122223333:key/*"]
    assert found["Condition"]["ForAnyValue:StringEquals"] == {"kms:ResourceAliases": "alias/metrics"}


def test_partitions_are_those_of_aws() -> None:
    table = botocore.session.get_session().get_data("partitions")["partitions"]
    regions = {region: each["id"] for each in table for region in each["regions"] if "global" not in region}
    assert len({*regions.values()}) > 3
    assert {region: partition(region) for region in regions} == regions
    assert statement("store", "List")["Resource"] == [f"arn:aws:s3:::{NAME}"]
    china = policies(region="cn-north-1", kms_key="arn:aws-cn:kms:cn-north-1:111122223333:key/1")["store"]
    assert china["Statement"][0]["Resource"] == [f"arn:aws-cn:s3:::{NAME}"]
    assert china["Statement"][2]["Condition"]["StringEquals"]["kms:ViaService"] == [
        "s3.cn-north-1.amazonaws.com",
        "s3.cn-north-1.amazonaws.com.cn",
    ]


REQUESTS: dict[str, tuple[set[str], Any]] = {
    "list": (READERS | WRITERS | DELETERS, lambda s3: s3.list_objects_v2(Bucket=NAME)),
    "get": (READERS | WRITERS | DELETERS, lambda s3: s3.get_object(Bucket=NAME, Key="metrics/a")),
    "put": (WRITERS | DELETERS, lambda s3: s3.put_object(Bucket=NAME, Key="metrics/b", Body=b"")),
    "delete": (DELETERS, lambda s3: s3.delete_object(Bucket=NAME, Key="metrics/a")),
    "get elsewhere": (set(), lambda s3: s3.get_object(Bucket=NAME, Key="other/a")),
    "put elsewhere": (set(), lambda s3: s3.put_object(Bucket=NAME, Key="other/b", Body=b"")),
    "list another bucket": (set(), lambda s3: s3.list_objects_v2(Bucket="another")),
    "read the policy": (set(), lambda s3: s3.get_bucket_policy(Bucket=NAME)),
    "open the bucket": (set(), lambda s3: s3.delete_public_access_block(Bucket=NAME)),
    "delete the bucket": (set(), lambda s3: s3.delete_bucket(Bucket=NAME)),
}


@pytest.mark.parametrize("component", COMPONENTS)
def test_a_server_lets_each_program_do_just_that(component: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-nobody")
    document = policies(prefix="metrics")[component]
    with mock_aws():
        admin, iam = boto3.client("s3", region_name=REGION), boto3.client("iam", region_name=REGION)
        for bucket in (NAME, "another"):
            admin.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
        for key in ("metrics/a", "other/a"):
            admin.put_object(Bucket=NAME, Key=key, Body=b"x")
        iam.create_user(UserName="program")
        iam.put_user_policy(UserName="program", PolicyName="bucket", PolicyDocument=json.dumps(document))
        keys = iam.create_access_key(UserName="program")["AccessKey"]
        program = boto3.client(
            "s3",
            region_name=REGION,
            aws_access_key_id=keys["AccessKeyId"],
            aws_secret_access_key=keys["SecretAccessKey"],
        )
        ask = set_initial_no_auth_action_count(0)(lambda: {name for name in REQUESTS if _may(name, program)})
        allowed = ask()
    assert allowed == {name for name, (components, _) in REQUESTS.items() if component in components}


def _may(name: str, client: Any) -> bool:
    try:
        REQUESTS[name][1](client)
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("AccessDenied", "403"):
            raise
        return False
    return True
