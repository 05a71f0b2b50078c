"""Lifecycle rules of a bucket: ours clean up after deletions and uploads; none may delete objects by their age."""

from __future__ import annotations

from typing import Any

from components.platforms.errors import DeploymentError
from components.resources.s3_errors import code_of

Client = Any  # boto3's client of S3; importing boto3 costs a third of a second
Properties = dict[str, Any]
_NONCURRENT, _UPLOADS = "observatory-noncurrent-versions", "observatory-unfinished-uploads"
ABORT_UPLOAD_DAYS = 7
"""Days after which parts of an upload that nobody finished go; the longest upload takes hours."""
_ARCHIVES = {"GLACIER", "DEEP_ARCHIVE"}


def _rules(props: Properties) -> list[dict[str, Any]]:
    """Our lifecycle rules. None of them ever deletes a current object: how long those stay is the compactor's job."""
    every: dict[str, Any] = {"Status": "Enabled", "Filter": {"Prefix": ""}}
    days = props["cleaning"]
    return [
        {
            **every,
            "ID": _NONCURRENT,
            "NoncurrentVersionExpiration": {"NoncurrentDays": int(days["noncurrent_days"])},
            "Expiration": {"ExpiredObjectDeleteMarker": True},
        },
        {
            **every,
            "ID": _UPLOADS,
            "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": int(days["abort_upload_days"])},
        },
    ]


def _lifecycle(client: Client, props: Properties) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        found = client.get_bucket_lifecycle_configuration(Bucket=props["name"]).get("Rules", [])
    except ClientError as error:
        if code_of(error) != "NoSuchLifecycleConfiguration":
            raise
        return []
    return [dict(rule) for rule in found]


def read_cleaning(client: Client, props: Properties) -> dict[str, Any]:
    """Days of both of our rules, None where one is not there as a whole, and the names of harmful ones, if any."""
    rules = _lifecycle(client, props)
    ours = {rule["ID"]: rule for rule in rules if rule.get("ID") in (_NONCURRENT, _UPLOADS) and _whole(rule)}
    old, uploads = ours.get(_NONCURRENT, {}), ours.get(_UPLOADS, {})
    found = {
        "noncurrent_days": old.get("NoncurrentVersionExpiration", {}).get("NoncurrentDays"),
        "abort_upload_days": uploads.get("AbortIncompleteMultipartUpload", {}).get("DaysAfterInitiation"),
    }
    harmful = sorted(str(rule.get("ID", "without a name")) for rule in rules if _harms(rule, props["prefix"]))
    return {**found, "harmful": harmful} if harmful else found


def _whole(rule: dict[str, Any]) -> bool:
    """Whether a rule is on, and for the whole bucket."""
    return rule["Status"] == "Enabled" and _prefix_of(rule) == "" and not rule.get("Filter", {}).keys() - {"Prefix"}


def _prefix_of(rule: dict[str, Any]) -> str:
    filters = rule.get("Filter", {})
    return str(filters.get("Prefix") or filters.get("And", {}).get("Prefix") or rule.get("Prefix") or "")


def _harms(rule: dict[str, Any], prefix: str) -> bool:
    """Whether a rule deletes objects of ours by age, or moves them where they cannot be read at once."""
    if rule["Status"] != "Enabled" or not _overlap(_prefix_of(rule), prefix):
        return False
    archived = any(move.get("StorageClass") in _ARCHIVES for move in rule.get("Transitions", []))
    return archived or bool({"Days", "Date"} & rule.get("Expiration", {}).keys())


def _overlap(one: str, other: str) -> bool:
    return one.startswith(other) or other.startswith(one)


def write_cleaning(client: Client, props: Properties, current: Any) -> None:
    """Set our rules and keep all others. Raises DeploymentError where one of those would take history away."""
    if harmful := current.get("harmful"):
        raise DeploymentError(
            f"bucket {props['name']}: its lifecycle rule {', '.join(harmful)} deletes or archives objects by age, and "
            "history with them; remove that rule (storage.retention says how long samples stay)"
        )
    foreign = [rule for rule in _lifecycle(client, props) if rule.get("ID") not in (_NONCURRENT, _UPLOADS)]
    client.put_bucket_lifecycle_configuration(
        Bucket=props["name"], LifecycleConfiguration={"Rules": [*foreign, *_rules(props)]}
    )
