"""A bucket on an S3 server, as the stack file names it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Literal
from urllib.parse import urlsplit

from pydantic import Field

from components.config.base import Matching, Model, Secret, Switch, Url
from components.config.errors import Problem

_TAG = re.compile(r"[\w .:/=+@-]*")
"""What AWS takes in keys and values of tags."""
OWNED = ("adopt", "delete_with_objects", "noncurrent_days", "tags")
"""Settings of a bucket that the stack itself makes and keeps."""


class BucketCredentials(Model):
    """Keys of one identity that may use the bucket."""

    access_key: Secret = Field(description="Its access key.")
    secret_key: Secret = Field(description="Its secret key.")


class KmsKey(Model):
    """Encryption with a key of your own in AWS KMS."""

    kms_key: Annotated[
        str, Matching(r"^arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)/\S+$", "the ARN of a KMS key or alias")
    ] = Field(description="ARN of the key, in the region of the bucket.")


class Bucket(Model):
    """A bucket on AWS S3 or any server that speaks its protocol."""

    name: Annotated[
        str,
        Matching(
            r"^(?!.*\.[.-])(?!.*-\.)(?!\d+(\.\d+){3}$)(?!xn--)(?!.*(-s3alias|--ol-s3)$)"
            r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$",
            "3 to 63 lower-case letters, digits, dots and hyphens, as bucket names are: no two dots, no dot beside a "
            "hyphen, no IP address, not xn-- at the beginning or -s3alias at the end",
        ),
    ] = Field(description="Of the bucket.")
    region: Annotated[str, Matching(r"^[a-z0-9][a-z0-9-]*$", "the name of a region, such as eu-central-1")] = Field(
        description="Of the bucket; `us-east-1` on servers that have none."
    )
    endpoint: Url | None = Field(
        default=None,
        description="Of another S3 server: https://s3.example.com. Default: AWS in the region. With http:// "
        "everything goes unencrypted.",
    )
    path_style: Switch = Field(
        default=False, description="Addresses of the form endpoint/bucket, which servers outside of AWS mostly ask for."
    )
    prefix: (
        Annotated[
            str,
            Matching(
                r"^(?!(.*/)?\.{1,2}(/|$))[A-Za-z0-9_.-]+(/[A-Za-z0-9_.-]+)*$",
                "names with / between them, such as metrics/prod, and none of . and ..",
            ),
        ]
        | None
    ) = Field(default=None, description="Folder in the bucket. One stack alone may use a bucket and prefix.")
    credentials: BucketCredentials | None = Field(
        default=None, description="Default: the machine's or the pod's own role."
    )
    encryption: KmsKey | Literal["sse-s3", "none"] = Field(
        default="sse-s3",
        description="Of objects at rest: `sse-s3` (keys of the server), `{kms_key: arn:...}`, or `none` for servers "
        "without it.",
    )
    adopt: Switch = Field(default=False, description="Take over a bucket that exists; with backend thanos.")
    delete_with_objects: Switch = Field(
        default=False, description="Destroying the stack deletes the bucket with all samples; with backend thanos."
    )
    noncurrent_days: int = Field(
        default=30, ge=1, le=3650, description="Days that deleted objects can be had back; with backend thanos."
    )
    tags: dict[str, str] = Field(default_factory=dict, description="On the bucket; with backend thanos.")

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the secrets that its credentials are."""
        keys = self.credentials
        return (keys.access_key.secret, keys.secret_key.secret) if keys else ()

    @property
    def address(self) -> str:
        """Host and port of the server."""
        if self.endpoint is None:
            suffix = ".cn" if self.region.startswith("cn-") else ""
            return f"s3.{self.region}.amazonaws.com{suffix}"
        return urlsplit(self.endpoint).netloc

    @property
    def insecure(self) -> bool:
        """Whether the server is spoken to without TLS, because the stack file says so."""
        return self.endpoint is not None and self.endpoint.startswith("http://")


def bucket_problems(backend: str, bucket: Bucket) -> Iterator[Problem]:
    """What no bucket of `storage.bucket` may be; only backend thanos makes and keeps one."""
    if backend != "thanos":
        for key in sorted(bucket.model_fields_set & {*OWNED}):
            reason = f"is for a bucket that the stack makes; with backend {backend} it is yours and only used"
            yield Problem(f"storage.bucket.{key}", reason, hint="`backend: thanos` makes and keeps it")
    if bucket.encryption == "none" and re.fullmatch(r"s3\..*amazonaws\.(com|com\.cn|eu)(:443)?", bucket.address):
        hint = "leave it out, for AWS encrypts in any case"
        yield Problem("storage.bucket.encryption", "is for servers that cannot encrypt", "none", hint)
    if isinstance(bucket.encryption, KmsKey) and bucket.region != (found := bucket.encryption.kms_key.split(":")[3]):
        reason = f"must be a key of the bucket's region {bucket.region}"
        yield Problem("storage.bucket.encryption.kms_key", reason, found)
    if len(bucket.tags) > 50:
        yield Problem("storage.bucket.tags", "must be at most 50", str(len(bucket.tags)))
    for key, value in sorted(bucket.tags.items()):
        if not _TAG.fullmatch(key) or not 1 <= len(key) <= 128 or key.lower().startswith("aws:"):
            reason = "must be 1 to 128 letters, digits, spaces and any of _ . : / = + - @, and not begin with aws:"
            yield Problem(f"storage.bucket.tags.{key[:40]}", reason)
        elif not _TAG.fullmatch(value) or len(value) > 256:
            reason = "must be at most 256 letters, digits, spaces and any of _ . : / = + - @"
            yield Problem(f"storage.bucket.tags.{key[:40]}", reason, value)
    yield from bucket_address_problems("storage.bucket", bucket)


def bucket_address_problems(key: str, bucket: Bucket) -> Iterator[Problem]:
    """What no request to a bucket could be right with; `key` is where the bucket stands in the stack file."""
    if "." in bucket.name and not bucket.path_style:
        reason = "has a dot, so no certificate is valid for its address"
        yield Problem(f"{key}.name", reason, bucket.name, "leave the dot out, or set `path_style: true`")
    endpoint = bucket.endpoint or ""
    parts = urlsplit(endpoint)
    if parts.path.strip("/") or parts.query or parts.fragment:
        yield Problem(f"{key}.endpoint", "must end after host and port", endpoint, "`prefix` names a folder")
