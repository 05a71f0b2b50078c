"""A bucket is made, taken over, brought to what is wanted, read and deleted: on an S3 server in memory."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest

from components.platforms.errors import DeploymentError
from components.resources.s3_bucket import S3Bucket
from tests.resources.conftest import NAME, REGION, properties

KEY = "arn:aws:kms:eu-central-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
FOREIGN = {
    "Sid": "Auditors",
    "Effect": "Allow",
    "Principal": {"AWS": "arn:aws:iam::111122223333:role/auditor"},
    "Action": "s3:ListBucket",
    "Resource": f"arn:aws:s3:::{NAME}",
}


def refused(props: dict[str, Any]) -> str:
    with pytest.raises(DeploymentError) as caught:
        S3Bucket(props).make()
    return str(caught.value)


def statements(aws: Any) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(aws.get_bucket_policy(Bucket=NAME)["Policy"])["Statement"]
    return found


def put(aws: Any, *keys: str) -> None:
    """Write objects. The server in memory knows no conditions in policies: with ours it would refuse everyone."""
    aws.delete_bucket_policy(Bucket=NAME)
    for key in keys:
        aws.put_object(Bucket=NAME, Key=key, Body=b"x")


# Made


def test_a_new_bucket_is_private_encrypted_versioned_cleaned_and_for_tls_only(aws: Any) -> None:
    assert S3Bucket(properties(tags={"team": "platform"})).make() == {"adopted": False, "unsupported": []}
    access = aws.get_public_access_block(Bucket=NAME)["PublicAccessBlockConfiguration"]
    assert access == dict.fromkeys(
        ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True
    )
    owner = aws.get_bucket_ownership_controls(Bucket=NAME)["OwnershipControls"]["Rules"]
    assert owner == [{"ObjectOwnership": "BucketOwnerEnforced"}]
    (rule,) = aws.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    assert aws.get_bucket_versioning(Bucket=NAME)["Status"] == "Enabled"
    assert aws.get_bucket_tagging(Bucket=NAME)["TagSet"] == [{"Key": "team", "Value": "platform"}]
    assert aws.get_bucket_location(Bucket=NAME)["LocationConstraint"] == REGION
    (tls,) = statements(aws)
    assert (tls["Effect"], tls["Principal"], tls["Action"]) == ("Deny", "*", "s3:*")
    assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert tls["Resource"] == [f"arn:aws:s3:::{NAME}", f"arn:aws:s3:::{NAME}/*"]


def test_old_versions_and_unfinished_uploads_go_but_never_a_current_object(aws: Any) -> None:
    S3Bucket(properties(noncurrent_days=14)).make()
    rules = {r["ID"]: r for r in aws.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]}
    assert all(rule["Status"] == "Enabled" and rule["Filter"] == {"Prefix": ""} for rule in rules.values())
    assert rules["observatory-noncurrent-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 14}
    assert rules["observatory-noncurrent-versions"]["Expiration"] == {"ExpiredObjectDeleteMarker": True}
    assert rules["observatory-unfinished-uploads"]["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert len(rules) == 2


def test_a_key_of_ones_own_encrypts_with_a_bucket_key(aws: Any) -> None:
    S3Bucket(properties(encryption={"kms_key": KEY})).make()
    (rule,) = aws.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    assert rule["BucketKeyEnabled"] is True
    assert S3Bucket(properties(encryption={"kms_key": KEY})).read() == observed(encryption={"kms_key": KEY})


def test_the_oldest_region_has_no_name_in_the_request(aws: Any) -> None:
    S3Bucket(properties(region="us-east-1")).make()
    assert aws.get_bucket_location(Bucket=NAME)["LocationConstraint"] is None


def test_other_partitions_have_other_names(aws: Any) -> None:
    S3Bucket(properties(region="cn-north-1")).make()
    assert statements(boto3.client("s3", region_name="cn-north-1"))[0]["Resource"][0] == f"arn:aws-cn:s3:::{NAME}"


def test_an_existing_bucket_is_refused(theirs: Any) -> None:
    assert "exists already, and this stack did not make it" in refused(properties())
    assert "adopt: true" in refused(properties())
    assert aws_untouched(theirs)


def test_what_fails_half_way_leaves_no_bucket(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(self: Any) -> Any:
        raise DeploymentError("no")

    monkeypatch.setattr(S3Bucket, "bring", fail)
    assert refused(properties()) == "no"
    assert aws.list_buckets()["Buckets"] == []


# Taken over


def aws_untouched(aws: Any) -> bool:
    return "Status" not in aws.get_bucket_versioning(Bucket=NAME)


def test_a_bucket_is_taken_over_when_told_with_what_others_put_there(theirs: Any) -> None:
    put(theirs, "01ABC/meta.json")
    theirs.put_bucket_policy(Bucket=NAME, Policy=json.dumps({"Version": "2012-10-17", "Statement": [FOREIGN]}))
    theirs.put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": [{"Key": "cost-center", "Value": "7"}]})
    cheaper = [{"Days": 30, "StorageClass": "STANDARD_IA"}]
    moved = {"ID": "cheaper", "Status": "Enabled", "Filter": {"Prefix": ""}, "Transitions": cheaper}
    theirs.put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": [moved]})

    assert S3Bucket(properties(adopt=True, tags={"team": "a"})).make()["adopted"] is True

    assert [each["Sid"] for each in statements(theirs)] == ["Auditors", "ObservatoryTlsOnly"]
    assert {t["Key"]: t["Value"] for t in theirs.get_bucket_tagging(Bucket=NAME)["TagSet"]} == {
        "cost-center": "7",
        "team": "a",
    }
    names = [rule["ID"] for rule in theirs.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]]
    assert names == ["cheaper", "observatory-noncurrent-versions", "observatory-unfinished-uploads"]
    assert [each["Key"] for each in theirs.list_objects_v2(Bucket=NAME)["Contents"]] == ["01ABC/meta.json"]


def test_nothing_to_take_over_is_an_error(aws: Any) -> None:
    assert "does not exist, so it cannot be taken over" in refused(properties(adopt=True))
    assert aws.list_buckets()["Buckets"] == []


def test_a_bucket_in_another_region_is_named(aws: Any) -> None:
    there = boto3.client("s3", region_name="eu-west-1")
    there.create_bucket(Bucket=NAME, CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    assert "is in the region eu-west-1, not in eu-central-1" in refused(properties(adopt=True))


def test_a_bucket_with_a_key_is_not_taken_over_without_it(theirs: Any) -> None:
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}}
    theirs.put_bucket_encryption(Bucket=NAME, ServerSideEncryptionConfiguration={"Rules": [rule]})
    assert "would be weaker; name the key in storage.bucket.encryption" in refused(properties(adopt=True))
    assert aws_untouched(theirs)
    S3Bucket(properties(adopt=True, encryption={"kms_key": KEY})).make()
    (found,) = theirs.get_bucket_encryption(Bucket=NAME)["ServerSideEncryptionConfiguration"]["Rules"]
    assert found["BucketKeyEnabled"] is True


@pytest.mark.parametrize(
    ("rule", "harms"),
    [
        ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 90}}, True),
        ({"Filter": {"Prefix": "metrics/"}, "Expiration": {"Days": 90}}, True),
        ({"Prefix": "", "Expiration": {"Date": "2030-01-01T00:00:00Z"}}, True),
        ({"Filter": {"Prefix": ""}, "Transitions": [{"Days": 30, "StorageClass": "GLACIER"}]}, True),
        (
            {
                "Filter": {"And": {"Prefix": "metrics/x", "Tags": [{"Key": "a", "Value": "b"}]}},
                "Expiration": {"Days": 9},
            },
            True,
        ),
        ({"Filter": {"Prefix": "logs/"}, "Expiration": {"Days": 90}}, False),
        ({"Filter": {"Prefix": ""}, "Expiration": {"Days": 90}, "Status": "Disabled"}, False),
        ({"Filter": {"Prefix": ""}, "Transitions": [{"Days": 30, "StorageClass": "STANDARD_IA"}]}, False),
        ({"Filter": {"Prefix": ""}, "Transitions": [{"Days": 30, "StorageClass": "GLACIER_IR"}]}, False),
    ],
)
def test_rules_that_take_history_away_are_refused(theirs: Any, rule: dict[str, Any], harms: bool) -> None:
    rules = [{"ID": "old", "Status": "Enabled", **rule}]
    theirs.put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": rules})
    props = properties(adopt=True, prefix="metrics")
    if harms:
        assert "lifecycle rule old deletes or archives objects by age" in refused(props)
        (kept,) = theirs.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
        assert kept["ID"] == "old"
    else:
        assert S3Bucket(props).make()["adopted"] is True


# Read and brought back


def observed(**settings: Any) -> dict[str, Any]:
    names = ("private", "ownership", "encryption", "versioning", "cleaning", "tags", "tls_only")
    return {name: value for name, value in properties(**settings).items() if name in names}


def test_what_was_made_reads_as_wanted(ours: Any) -> None:
    assert S3Bucket(properties()).read() == observed()


def test_a_bucket_that_is_gone_reads_as_none(aws: Any) -> None:
    assert S3Bucket(properties()).read() is None


def drift_access(aws: Any) -> None:
    aws.delete_public_access_block(Bucket=NAME)


def drift_part_of_access(aws: Any) -> None:
    settings = {"BlockPublicAcls": True, "IgnorePublicAcls": True, "BlockPublicPolicy": False}
    aws.put_public_access_block(Bucket=NAME, PublicAccessBlockConfiguration=settings)


def drift_ownership(aws: Any) -> None:
    rules = {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}
    aws.put_bucket_ownership_controls(Bucket=NAME, OwnershipControls=rules)


def drift_encryption(aws: Any) -> None:
    aws.delete_bucket_encryption(Bucket=NAME)


def drift_versioning(aws: Any) -> None:
    aws.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Suspended"})


def drift_cleaning(aws: Any) -> None:
    rules = aws.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    rules[0]["NoncurrentVersionExpiration"]["NoncurrentDays"] = 1
    aws.put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": rules})


def drift_cleaning_off(aws: Any) -> None:
    aws.delete_bucket_lifecycle(Bucket=NAME)


def drift_cleaning_of_a_part(aws: Any) -> None:
    rules = aws.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    rules[1]["Filter"] = {"Prefix": "a/"}
    aws.put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": rules})


def drift_tls(aws: Any) -> None:
    aws.delete_bucket_policy(Bucket=NAME)


def drift_weaker_tls(aws: Any) -> None:
    (ours,) = statements(aws)
    ours["Action"] = "s3:PutObject"
    aws.put_bucket_policy(Bucket=NAME, Policy=json.dumps({"Version": "2012-10-17", "Statement": [ours]}))


@pytest.mark.parametrize(
    ("drift", "name", "found"),
    [
        (drift_access, "private", False),
        (drift_part_of_access, "private", False),
        (drift_ownership, "ownership", "ObjectWriter"),
        (drift_encryption, "encryption", "none"),
        (drift_versioning, "versioning", "Suspended"),
        (drift_cleaning, "cleaning", {"noncurrent_days": 1, "abort_upload_days": 7}),
        (drift_cleaning_off, "cleaning", {"noncurrent_days": None, "abort_upload_days": None}),
        (drift_cleaning_of_a_part, "cleaning", {"noncurrent_days": 30, "abort_upload_days": None}),
        (drift_tls, "tls_only", False),
        (drift_weaker_tls, "tls_only", False),
    ],
)
def test_each_drift_is_read_and_brought_back(ours: Any, drift: Any, name: str, found: Any) -> None:
    drift(ours)
    assert S3Bucket(properties()).read() == {**observed(), name: found}
    S3Bucket(properties()).bring()
    assert S3Bucket(properties()).read() == observed()


def test_a_rule_of_others_that_appears_later_is_drift(ours: Any) -> None:
    rules = ours.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]
    rules.append({"ID": "expire", "Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 30}})
    ours.put_bucket_lifecycle_configuration(Bucket=NAME, LifecycleConfiguration={"Rules": rules})
    found = S3Bucket(properties()).read()
    assert found
    assert found["cleaning"]["harmful"] == ["expire"]
    with pytest.raises(DeploymentError, match="lifecycle rule expire deletes or archives"):
        S3Bucket(properties()).bring()


def test_tags_come_and_go_and_those_of_others_stay(ours: Any) -> None:
    S3Bucket(properties(tags={"a": "1", "b": "2"})).bring()
    others = [*ours.get_bucket_tagging(Bucket=NAME)["TagSet"], {"Key": "theirs", "Value": "3"}]
    ours.put_bucket_tagging(Bucket=NAME, Tagging={"TagSet": others})
    assert S3Bucket(properties(tags={"a": "1", "b": "2"})).read() == observed(tags={"a": "1", "b": "2"})
    S3Bucket(properties(tags={"b": "4"}, former_tags=["a"])).bring()
    tags = {tag["Key"]: tag["Value"] for tag in ours.get_bucket_tagging(Bucket=NAME)["TagSet"]}
    assert tags == {"b": "4", "theirs": "3"}


def test_what_is_right_is_not_written_again(ours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    bucket, asked = S3Bucket(properties()), []
    bucket.client.meta.events.register("before-call.s3", lambda model, **_: asked.append(model.name))
    bucket.bring()
    assert asked
    assert all(name.startswith("Get") for name in asked), asked


# Deleted


def buckets(aws: Any) -> list[str]:
    return [bucket["Name"] for bucket in aws.list_buckets()["Buckets"]]


def test_an_empty_bucket_is_deleted(ours: Any) -> None:
    S3Bucket(properties()).delete()
    assert buckets(ours) == []
    S3Bucket(properties()).delete()


def test_a_bucket_with_objects_stays(ours: Any) -> None:
    put(ours, "a")
    with pytest.raises(DeploymentError, match="has objects, so it stays; write `delete_with_objects: true`"):
        S3Bucket(properties()).delete()
    assert ours.get_object(Bucket=NAME, Key="a")


def test_a_bucket_with_nothing_but_old_versions_stays(ours: Any) -> None:
    put(ours, "a")
    ours.delete_object(Bucket=NAME, Key="a")
    with pytest.raises(DeploymentError, match="has objects"):
        S3Bucket(properties()).delete()
    assert len(ours.list_object_versions(Bucket=NAME)["Versions"]) == 1


def test_with_the_word_a_bucket_goes_with_everything_in_it(ours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.resources.s3_bucket._BATCH", 2)
    put(ours, "a", "a", "b", "c", "d")
    ours.delete_object(Bucket=NAME, Key="b")
    ours.create_multipart_upload(Bucket=NAME, Key="e")
    S3Bucket(properties(delete_with_objects=True)).delete()
    assert buckets(ours) == []


def test_objects_that_cannot_go_are_named(ours: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    put(ours, "locked")
    bucket = S3Bucket(properties(delete_with_objects=True))
    answer = {"Errors": [{"Key": "locked", "Code": "AccessDenied"}]}
    monkeypatch.setattr(bucket.client, "delete_objects", lambda **_: answer)
    with pytest.raises(DeploymentError, match="1 of its objects cannot be deleted, the first is locked"):
        bucket.delete()
    assert buckets(ours) == [NAME]
