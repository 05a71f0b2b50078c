"""Least-privilege policies: what each program may do with the bucket, and no more. Pure; IAM documents as data.

What the programs really ask for was read in Thanos 0.42 (`pkg/block`, `pkg/shipper`, `pkg/compact`) and its S3
client: only the compactor deletes; an interrupted upload of another is overwritten at its next try, or cleaned by the
compactor.
"""

from __future__ import annotations

import re
from typing import Any

from components.config.bucket import Bucket

Document = dict[str, Any]

# Region to partition, as in AWS' own table of partitions; everything else is the commercial one.
_PARTITIONS = (
    (re.compile(r"^cn-"), "aws-cn"),
    (re.compile(r"^us-gov-"), "aws-us-gov"),
    (re.compile(r"^us-isob-"), "aws-iso-b"),
    (re.compile(r"^(us-isof|eu-isof)-"), "aws-iso-f"),
    (re.compile(r"^eu-isoe-"), "aws-iso-e"),
    (re.compile(r"^us-iso-"), "aws-iso"),
    (re.compile(r"^eusc-"), "aws-eusc"),
)
_READ = ("s3:GetObject",)
# A block's files are uploaded in parts of 64 MiB; what fails is aborted. Overwriting needs no right to delete.
_WRITE = ("s3:GetObject", "s3:PutObject", "s3:AbortMultipartUpload")
_DELETE = (*_WRITE, "s3:DeleteObject")
COMPONENTS = {
    "sidecar": _WRITE,
    "store": _READ,
    "compactor": _DELETE,
    "ruler": _WRITE,
    "receive": _WRITE,
    "backup": _WRITE,
}
"""Program to its actions on objects; all of them list. The querier and its frontend never touch the bucket."""


def partition(region: str) -> str:
    """The part of AWS that a region belongs to, as it stands in ARNs."""
    return next((name for pattern, name in _PARTITIONS if pattern.match(region)), "aws")


def bucket_arn(name: str, region: str) -> str:
    """The bucket's name in policies; S3-compatible servers take `arn:aws:s3:::` too."""
    return f"arn:{partition(region)}:s3:::{name}"


def tls_only_statement(name: str, region: str) -> Document:
    """Refuses whoever comes without TLS, whatever else they may."""
    arn = bucket_arn(name, region)
    return {
        "Sid": "ObservatoryTlsOnly",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def component_policies(bucket: Bucket) -> dict[str, Document]:
    """Component to its IAM document.

    Listing is not limited to the prefix: S3 answers "not found" only to those who may list, and asks without a prefix
    then, so that a condition on it would turn each missing object into an error.
    """
    return {component: _document(bucket, actions) for component, actions in COMPONENTS.items()}


def _document(bucket: Bucket, actions: tuple[str, ...]) -> Document:
    arn, region = bucket_arn(bucket.name, bucket.region), bucket.region
    folder = f"{bucket.prefix}/" if bucket.prefix else ""
    statements: list[Document] = [
        {"Sid": "List", "Effect": "Allow", "Action": ["s3:ListBucket"], "Resource": [arn]},
        {"Sid": "Objects", "Effect": "Allow", "Action": list(actions), "Resource": [f"{arn}/{folder}*"]},
    ]
    if not isinstance(bucket.encryption, str):
        kms_key = bucket.encryption.kms_key
        # Parts of an upload are read back by S3 to be put together: so who writes decrypts, too.
        keys = ["kms:Decrypt", "kms:GenerateDataKey"] if "s3:PutObject" in actions else ["kms:Decrypt"]
        through = [f"s3.{region}.amazonaws.com"]
        if partition(region) == "aws-cn":
            through.append(f"s3.{region}.amazonaws.com.cn")
        condition: Document = {"StringEquals": {"kms:ViaService": through}}
        owner, _, path = kms_key.rpartition(":")
        if path.startswith("alias/"):  # a policy names keys only, and their aliases in a condition
            condition["ForAnyValue:StringEquals"] = {"kms:ResourceAliases": path}
            kms_key = f"{owner}:key/*"
        statements.append(
            {"Sid": "Key", "Effect": "Allow", "Action": keys, "Resource": [kms_key], "Condition": condition}
        )
    return {"Version": "2012-10-17", "Statement": statements}
