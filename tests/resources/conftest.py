"""An S3 server in memory, and a bucket that a stack file could describe."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from moto import mock_aws

from components.config.bucket import Bucket
from components.resources.bucket import wanted
from components.resources.s3_bucket import S3Bucket

NAME, REGION = "acme-metrics", "eu-central-1"
Properties = dict[str, Any]


def properties(**settings: Any) -> Properties:
    """The resource's inputs for a bucket with these settings; keys other than those of the stack file are set after."""
    fields = {key: settings.pop(key) for key in [*settings] if key in Bucket.model_fields}
    bucket = Bucket.model_validate({"name": NAME, "region": REGION, **fields})
    return {**wanted(bucket, {}), **settings}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """AWS in memory; a client of the account's administrator."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-nobody")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-nobody")
    for name in ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_DEFAULT_REGION", "AWS_REGION", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    with mock_aws():
        yield boto3.client("s3", region_name=REGION)


@pytest.fixture
def theirs(aws: Any) -> Any:
    """A bucket that somebody else made in the same account."""
    aws.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": REGION})
    return aws


@pytest.fixture
def ours(aws: Any) -> Any:
    """A bucket that the stack made."""
    S3Bucket(properties()).make()
    return aws
