"""The bucket of a stack with `backend: thanos` as a Pulumi resource.

Like the other dynamic providers, the class is pickled by reference and captures nothing; boto3 is imported in the
plugin's process alone, and only when the server is asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pulumi
from pulumi.dynamic import CreateResult, DiffResult, ReadResult, UpdateResult
from pulumi.dynamic import Resource as DynamicResource

from components.config.bucket import Bucket
from components.platforms.docker_live import PlainSpokenProvider
from components.platforms.errors import DeploymentError
from components.resources.s3_cleaning import ABORT_UPLOAD_DAYS, Properties

_OUTPUTS_ONLY = ("adopted", "unsupported")
_FIXED = ("name", "region", "prefix")


def wanted(bucket: Bucket, secrets: Mapping[str, pulumi.Output[str]]) -> dict[str, Any]:
    """The resource's inputs: where the bucket is, who asks, and one property for each of `FEATURES`."""
    keys = bucket.credentials
    return {
        "name": bucket.name,
        "region": bucket.region,
        "endpoint": bucket.endpoint or "",
        "path_style": bucket.path_style,
        "prefix": bucket.prefix or "",
        "access_key": secrets[keys.access_key.secret] if keys else "",
        "secret_key": secrets[keys.secret_key.secret] if keys else "",
        "adopt": bucket.adopt,
        "delete_with_objects": bucket.delete_with_objects,
        "private": True,
        "ownership": "BucketOwnerEnforced",
        "encryption": encryption(bucket),
        "versioning": "Enabled",
        "cleaning": {"noncurrent_days": bucket.noncurrent_days, "abort_upload_days": ABORT_UPLOAD_DAYS},
        "tags": bucket.tags,
        # On a server without TLS that policy would lock out everyone, ourselves included.
        "tls_only": not bucket.insecure,
    }


def encryption(bucket: Bucket) -> str:
    """How objects are encrypted, as one text: `sse-s3`, `none`, or `aws:kms` with the key."""
    return bucket.encryption if isinstance(bucket.encryption, str) else f"aws:kms {bucket.encryption.kms_key}"


class BucketProvider(PlainSpokenProvider):
    """Makes, reads, changes and deletes one bucket; its name is the resource's id. Properties: see `wanted`."""

    def create(self, props: Properties) -> CreateResult:
        """Make it, or take it over where that is asked for."""
        from components.resources.s3_bucket import S3Bucket

        return CreateResult(props["name"], {**props, **S3Bucket(props).make()})

    def diff(self, _id: str, olds: Properties, news: Properties) -> DiffResult:
        """Any difference is a change in place. Another name, region or folder would lose the history: refused."""
        for key in _FIXED:
            if olds.get(key) != news.get(key):
                folder = f", folder {olds['prefix']}," if olds.get("prefix") else ""
                raise DeploymentError(
                    f"storage.bucket.{key}: {olds.get(key) or 'none'} cannot become {news.get(key) or 'none'}, for the "
                    f"history lies in bucket {olds.get('name')}{folder} and would stay behind; change it back, or copy "
                    "the objects into a bucket of your own and name that one with `backend: s3`"
                )
        asked = (key for key in news if not key.startswith("__") and key not in _OUTPUTS_ONLY)
        return DiffResult(changes=any(olds.get(key) != news[key] for key in asked))

    def read(self, _id: str, props: Properties) -> ReadResult:
        """What is there now, for `refresh` and drift; an empty id where the bucket is gone."""
        from components.resources.s3_bucket import S3Bucket

        found = S3Bucket(props).read()
        return ReadResult("", {}) if found is None else ReadResult(props["name"], {**props, **found})

    def update(self, _id: str, olds: Properties, news: Properties) -> UpdateResult:
        """Set what differs from what is wanted."""
        from components.resources.s3_bucket import S3Bucket

        bucket = S3Bucket({**news, "former_tags": sorted(olds["tags"].keys() - news["tags"].keys())})
        if olds["endpoint"] != news["endpoint"] and not bucket.exists():
            raise DeploymentError(
                f"storage.bucket.endpoint: {news['endpoint'] or 'AWS'} has no bucket {news['name']}, for the history "
                f"lies at {olds['endpoint'] or 'AWS'}; change it back, or copy the bucket there first"
            )
        return UpdateResult({**news, "adopted": olds.get("adopted", False), **bucket.bring()})

    def delete(self, _id: str, props: Properties) -> None:
        """Delete it if it is empty or may go with its objects. One that was taken over needs that word in any case."""
        from components.resources.s3_bucket import S3Bucket

        if not props.get("adopted") or props["delete_with_objects"]:
            S3Bucket(props).delete()


class StorageBucket(DynamicResource, module="storage", name="Bucket"):
    """The bucket; `unsupported` lists what its server cannot do."""

    unsupported: pulumi.Output[list[str]]


def storage_bucket(
    bucket: Bucket, keep: bool, secrets: Mapping[str, pulumi.Output[str]], parent: pulumi.Resource
) -> StorageBucket:
    """Register the bucket. With `keep`, as for volumes, a removal leaves it, unless it may go with its objects."""
    resource = StorageBucket(
        BucketProvider(),
        "bucket",
        {**wanted(bucket, secrets), **dict.fromkeys(_OUTPUTS_ONLY)},
        pulumi.ResourceOptions(
            parent=parent,
            protect=keep,
            retain_on_delete=keep and not bucket.delete_with_objects,
            additional_secret_outputs=["access_key", "secret_key"],
        ),
    )
    if bucket.insecure:
        pulumi.log.warn(
            f"bucket {bucket.name}: {bucket.endpoint} is spoken to without TLS, so keys and samples can be read on the "
            "way, and connections without TLS are not refused",
            resource,
        )
    resource.unsupported.apply(lambda words: _tell(words or [], bucket, resource))
    return resource


def _tell(words: list[str], bucket: Bucket, resource: pulumi.Resource) -> None:
    if words:
        pulumi.log.warn(f"bucket {bucket.name}: {bucket.endpoint} cannot {', '.join(words)}; it goes without", resource)
