"""One bucket on an S3 server, through boto3: made, taken over, brought to what is wanted, read, deleted.

Nothing here knows Pulumi. Every error is a `DeploymentError` of one line.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from components.platforms.errors import DeploymentError
from components.resources.s3_cleaning import Client, Properties
from components.resources.s3_errors import NOT_IMPLEMENTED, code_of, plain_words
from components.resources.s3_features import elsewhere, observe, unable

_BATCH = 1000
"""Objects that one request can delete."""


def connect(props: Properties) -> Client:
    """A client for the bucket's server, with the stack's keys or those of this machine."""
    import boto3
    from botocore.config import Config

    own = elsewhere(props)
    settings = Config(
        retries={"mode": "standard", "total_max_attempts": 5},
        connect_timeout=5,
        read_timeout=60,
        s3={"addressing_style": "path" if props["path_style"] else "auto"},
        # Newer kinds of checksums are unknown to many servers.
        request_checksum_calculation="when_required" if own else "when_supported",
        response_checksum_validation="when_required" if own else "when_supported",
    )
    return boto3.session.Session().client(
        "s3",
        region_name=props["region"],
        endpoint_url=props["endpoint"] or None,
        aws_access_key_id=props["access_key"] or None,
        aws_secret_access_key=props["secret_key"] or None,
        config=settings,
    )


class S3Bucket:
    """The bucket that `props` describe (see `components.resources.bucket`), on its server."""

    def __init__(self, props: Properties):
        self.props, self.name = props, str(props["name"])
        with self._words():
            self.client = connect(props)

    def _words(self) -> Any:
        return plain_words(self.name, str(self.props["endpoint"]))

    def make(self) -> Properties:
        """Make the bucket, or take over one where that is asked for; returns what is there then."""
        with self._words():
            there, adopt = self.exists(), self.props["adopt"]
            if there and not adopt:
                raise DeploymentError(
                    f"bucket {self.name} exists already, and this stack did not make it; choose another name, or write "
                    "`adopt: true` into storage.bucket if the stack may take it over with everything in it"
                )
            if not there and adopt:
                raise DeploymentError(
                    f"bucket {self.name} does not exist, so it cannot be taken over; check its name and region, or "
                    "leave `adopt` out of storage.bucket to have it made"
                )
            if there:
                self._refuse_weaker()
                return {**self.bring(), "adopted": True}
            self._create()
            try:
                return {**self.bring(), "adopted": False}
            except BaseException:
                # Or the next try would find a bucket that nobody wants to have made.
                with suppress(Exception):
                    self.client.delete_bucket(Bucket=self.name)
                raise

    def exists(self) -> bool:
        """Whether the bucket is there, and in the region that it is looked for in."""
        from botocore.exceptions import ClientError

        with self._words():
            try:
                found = self.client.head_bucket(Bucket=self.name)
            except ClientError as error:
                if code_of(error) in ("404", "NoSuchBucket"):
                    return False
                # The answer to HEAD has no body, so no reason; the answer to this one has.
                self.client.list_objects_v2(Bucket=self.name, MaxKeys=1)
                raise
        region = found.get("BucketRegion")
        # boto3 follows a bucket into its region by itself; the programs of the stack would not.
        if region and not elsewhere(self.props) and region != self.props["region"]:
            raise DeploymentError(
                f"bucket {self.name} is in the region {region}, not in {self.props['region']}; write the right one "
                "into storage.bucket.region"
            )
        return True

    def _create(self) -> None:
        region = self.props["region"]
        # The oldest region has no name in this request, and other servers know their own only.
        where = {} if elsewhere(self.props) or region == "us-east-1" else {"LocationConstraint": region}
        self.client.create_bucket(Bucket=self.name, **({"CreateBucketConfiguration": where} if where else {}))
        self.client.get_waiter("bucket_exists").wait(Bucket=self.name, WaiterConfig={"Delay": 1, "MaxAttempts": 30})

    def _refuse_weaker(self) -> None:
        """A bucket that is taken over keeps its own key, unless the stack file names one."""
        for feature, found, _able in observe(self.client, self.props):
            if feature.name == "encryption" and found not in ("none", "sse-s3") and found != self.props["encryption"]:
                wanted = self.props["encryption"]
                if not wanted.startswith("aws:kms "):
                    raise DeploymentError(
                        f"bucket {self.name} is encrypted by {found}, and {wanted} would be weaker; name the key in "
                        "storage.bucket.encryption: `{kms_key: arn:...}`"
                    )

    def bring(self) -> Properties:
        """Set what differs from what is wanted, and nothing else; returns what is there then."""
        with self._words():
            lacking = []
            for feature, found, able in observe(self.client, self.props):
                wanted = self.props[feature.name]
                if found == wanted or (able and self._set(feature, found)):
                    continue
                if not feature.optional:
                    raise unable(feature, self.props)
                lacking.append(feature.words)
            return {"unsupported": lacking}

    def _set(self, feature: Any, found: Any) -> bool:
        """Set one feature; False where the server cannot. Other servers than AWS' are asked whether they kept it."""
        from botocore.exceptions import ClientError

        try:
            feature.write(self.client, self.props, found)
        except ClientError as error:
            if elsewhere(self.props) and code_of(error) in NOT_IMPLEMENTED:
                return False
            raise
        return not elsewhere(self.props) or feature.current(self.client, self.props) == self.props[feature.name]

    def read(self) -> Properties | None:
        """What the server has of every feature; None where the bucket is gone. What it cannot have is as wanted."""
        if not self.exists():
            return None
        with self._words():
            return {
                feature.name: found if able else self.props[feature.name]
                for feature, found, able in observe(self.client, self.props)
            }

    def delete(self) -> None:
        """Delete the bucket: an empty one, or with `delete_with_objects` all that is in it. A gone one is fine."""
        if not self.exists():
            return
        with self._words():
            # Not left to the server: some delete a bucket that holds nothing but old versions.
            if not self.props["delete_with_objects"] and next(self._versions(), None):
                raise DeploymentError(
                    f"bucket {self.name} has objects, so it stays; write `delete_with_objects: true` into "
                    "storage.bucket and update the stack once, if they may go for good"
                )
            if self.props["delete_with_objects"]:
                self._empty()
            self.client.delete_bucket(Bucket=self.name)

    def _versions(self) -> Iterator[dict[str, str]]:
        """Every object, old version and delete marker; Key and VersionId."""
        for page in self.client.get_paginator("list_object_versions").paginate(Bucket=self.name):
            for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                yield {"Key": each["Key"], "VersionId": each["VersionId"]}

    def _empty(self) -> None:
        batch: list[dict[str, str]] = []
        for version in self._versions():
            batch.append(version)
            if len(batch) == _BATCH:
                self._delete(batch)
                batch = []
        self._delete(batch)
        for page in self.client.get_paginator("list_multipart_uploads").paginate(Bucket=self.name):
            for upload in page.get("Uploads", []):
                self.client.abort_multipart_upload(Bucket=self.name, Key=upload["Key"], UploadId=upload["UploadId"])

    def _delete(self, batch: list[dict[str, str]]) -> None:
        if not batch:
            return
        failed = self.client.delete_objects(Bucket=self.name, Delete={"Objects": batch, "Quiet": True}).get("Errors")
        if failed:
            raise DeploymentError(
                f"bucket {self.name}: {len(failed)} of its objects cannot be deleted, the first is "
                f"{failed[0].get('Key')} ({failed[0].get('Code')}): it may be locked for a time; the bucket stays"
            )
