"""What a bucket of the stack has to be, one value for each: how it is read from the server, and how it is set.

Values are plain and canonical, so that what is wanted and what is there can be compared, shown and kept in the state.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from components.platforms.errors import DeploymentError
from components.resources.s3_cleaning import Client, Properties, read_cleaning, write_cleaning
from components.resources.s3_errors import DENIED, NOT_IMPLEMENTED, OWN_BUCKET, code_of
from components.resources.s3_policies import tls_only_statement

_PRIVATE = dict.fromkeys(("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets"), True)
_TRIAL = "observatory-encryption-trial"


def elsewhere(props: Properties) -> bool:
    """Whether the server is another one than AWS' own, whose addresses may be given as an endpoint, too."""
    host = urlsplit(props["endpoint"]).hostname or ""
    return bool(host) and not re.search(r"(^|\.)amazonaws\.(com(\.cn)?|eu)$", host)


@dataclass(frozen=True, slots=True)
class Feature:
    """One property of a bucket. `missing` is the server's word for "never set", which reads as `unset`."""

    name: str
    words: str
    read: Callable[[Client, Properties], Any]
    write: Callable[[Client, Properties, Any], None]
    missing: str = ""
    unset: Any = None
    optional: bool = False
    """Only AWS has it; elsewhere buckets are private without it, so a server that lacks it is named, not refused."""

    def current(self, client: Client, props: Properties) -> Any:
        """What the server has now; a ClientError where it does not answer that."""
        from botocore.exceptions import ClientError

        try:
            return self.read(client, props)
        except ClientError as error:
            if self.missing and code_of(error) == self.missing:
                return self.unset
            raise


def _read_private(client: Client, props: Properties) -> bool:
    found = client.get_public_access_block(Bucket=props["name"])["PublicAccessBlockConfiguration"]
    return bool({key: found.get(key) for key in _PRIVATE} == _PRIVATE)


def _write_private(client: Client, props: Properties, _current: Any) -> None:
    client.put_public_access_block(Bucket=props["name"], PublicAccessBlockConfiguration=_PRIVATE)


def _read_ownership(client: Client, props: Properties) -> str:
    rules = client.get_bucket_ownership_controls(Bucket=props["name"])["OwnershipControls"]["Rules"]
    return str(rules[0]["ObjectOwnership"]) if rules else ""


def _write_ownership(client: Client, props: Properties, _current: Any) -> None:
    rules = [{"ObjectOwnership": props["ownership"]}]
    client.put_bucket_ownership_controls(Bucket=props["name"], OwnershipControls={"Rules": rules})


def _read_encryption(client: Client, props: Properties) -> str:
    if props["encryption"] == "none":
        return _read_no_encryption(client, props)
    rules = client.get_bucket_encryption(Bucket=props["name"])["ServerSideEncryptionConfiguration"]["Rules"]
    if not rules:
        return "none"
    default = rules[0].get("ApplyServerSideEncryptionByDefault", {})
    if default.get("SSEAlgorithm") == "AES256":
        return "sse-s3"
    without = "" if rules[0].get("BucketKeyEnabled") else " without a bucket key"
    return f"{default.get('SSEAlgorithm')} {default.get('KMSMasterKeyID', 'of AWS')}{without}"


def _read_no_encryption(client: Client, props: Properties) -> str:
    """As above, but a server that knows nothing of encryption has none."""
    from botocore.exceptions import ClientError

    try:
        return _read_encryption(client, {**props, "encryption": ""})
    except ClientError as error:
        if code_of(error) in NOT_IMPLEMENTED:
            return "none"
        raise


def _write_encryption(client: Client, props: Properties, current: Any) -> None:
    name, wanted = props["name"], props["encryption"]
    _put_encryption(client, name, wanted)
    if wanted != "none" and elsewhere(props) and not _encrypts(client, name):
        _put_encryption(client, name, current)
        raise DeploymentError(
            f"bucket {name}: {props['endpoint']} accepts {wanted.partition(' ')[0]} as encryption, but does not "
            "encrypt what is written then; give the server a key, or write `encryption: none` into storage.bucket"
        )


def _put_encryption(client: Client, name: str, wanted: str) -> None:
    if wanted == "none":
        client.delete_bucket_encryption(Bucket=name)
        return
    _, _, key = wanted.partition(" ")
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key} if key else {"SSEAlgorithm": "AES256"}
    rule = {"ApplyServerSideEncryptionByDefault": default, **({"BucketKeyEnabled": True} if key else {})}
    client.put_bucket_encryption(Bucket=name, ServerSideEncryptionConfiguration={"Rules": [rule]})


def _encrypts(client: Client, name: str) -> bool:
    """Whether an object that is written now is encrypted. Some servers take the setting and cannot honour it."""
    from botocore.exceptions import ClientError

    try:
        written = client.put_object(Bucket=name, Key=_TRIAL, Body=b"")
    except ClientError as error:
        if code_of(error) in DENIED:
            raise
        return False
    version = {"VersionId": written["VersionId"]} if written.get("VersionId") else {}
    client.delete_object(Bucket=name, Key=_TRIAL, **version)
    return bool(written.get("ServerSideEncryption"))


def _read_versioning(client: Client, props: Properties) -> str:
    return str(client.get_bucket_versioning(Bucket=props["name"]).get("Status", "Off"))


def _write_versioning(client: Client, props: Properties, _current: Any) -> None:
    client.put_bucket_versioning(Bucket=props["name"], VersioningConfiguration={"Status": props["versioning"]})


def _tags(client: Client, props: Properties) -> dict[str, str]:
    from botocore.exceptions import ClientError

    try:
        found = client.get_bucket_tagging(Bucket=props["name"]).get("TagSet", [])
    except ClientError as error:
        if code_of(error) != "NoSuchTagSet":
            raise
        return {}
    return {tag["Key"]: tag["Value"] for tag in found}


def _read_tags(client: Client, props: Properties) -> dict[str, str]:
    """Those that the stack file names, now or until now; others are somebody else's."""
    ours = {*props["tags"], *props.get("former_tags", ())}
    if not ours:
        return {}
    return {key: value for key, value in _tags(client, props).items() if key in ours}


def _write_tags(client: Client, props: Properties, _current: Any) -> None:
    former = {*props.get("former_tags", ())}
    kept = {key: value for key, value in _tags(client, props).items() if key not in former}
    tags = [{"Key": key, "Value": value} for key, value in {**kept, **props["tags"]}.items()]
    client.put_bucket_tagging(Bucket=props["name"], Tagging={"TagSet": tags})


def _statements(client: Client, props: Properties) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError

    try:
        document = json.loads(client.get_bucket_policy(Bucket=props["name"])["Policy"])
    except ClientError as error:
        if code_of(error) != "NoSuchBucketPolicy":
            raise
        return []
    found = document.get("Statement", [])
    return [found] if isinstance(found, dict) else list(found)


def _read_tls_only(client: Client, props: Properties) -> bool:
    from botocore.exceptions import ClientError

    ours = tls_only_statement(props["name"], props["region"])
    try:
        return any(_same(each, ours) for each in _statements(client, props))
    except ClientError as error:
        if not props["tls_only"] and code_of(error) in NOT_IMPLEMENTED:
            return False
        raise


def _same(found: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether a statement says what ours says; servers write lists of one and the principal in several ways."""
    return _listed(found) == _listed(ours)


def _listed(statement: dict[str, Any]) -> dict[str, Any]:
    principal = statement.get("Principal")
    everyone = principal in ("*", {"AWS": "*"}, {"AWS": ["*"]})
    lists = {
        key: sorted([value] if isinstance(value, str) else value)
        for key in ("Action", "Resource")
        if (value := statement.get(key)) is not None
    }
    conditions = {
        kind: {key: str(value[0] if isinstance(value, list) else value).lower() for key, value in keys.items()}
        for kind, keys in statement.get("Condition", {}).items()
    }
    return {**statement, **lists, "Principal": "*" if everyone else principal, "Condition": conditions}


def _write_tls_only(client: Client, props: Properties, _current: Any) -> None:
    ours = tls_only_statement(props["name"], props["region"])
    statements = [each for each in _statements(client, props) if each.get("Sid") != ours["Sid"]]
    if props["tls_only"]:
        statements.append(ours)
    if not statements:
        client.delete_bucket_policy(Bucket=props["name"])
        return
    policy = {"Version": "2012-10-17", "Statement": statements}
    client.put_bucket_policy(Bucket=props["name"], Policy=json.dumps(policy))


FEATURES = (
    Feature(
        "private",
        "block public access",
        _read_private,
        _write_private,
        "NoSuchPublicAccessBlockConfiguration",
        unset=False,
        optional=True,
    ),
    Feature(
        "ownership",
        "switch access lists off",
        _read_ownership,
        _write_ownership,
        "OwnershipControlsNotFoundError",
        unset="",
        optional=True,
    ),
    Feature(
        "encryption",
        "encrypt objects",
        _read_encryption,
        _write_encryption,
        "ServerSideEncryptionConfigurationNotFoundError",
        unset="none",
    ),
    Feature("versioning", "keep versions of objects", _read_versioning, _write_versioning),
    Feature("cleaning", "remove old versions and unfinished uploads", read_cleaning, write_cleaning),
    Feature("tags", "have tags", _read_tags, _write_tags, unset={}),
    # Last: from here on the server answers over TLS alone.
    Feature("tls_only", "refuse connections without TLS", _read_tls_only, _write_tls_only, unset=False),
)


def observe(client: Client, props: Properties) -> Iterator[tuple[Feature, Any, bool]]:
    """Each feature with what the server has of it, and whether it can have it at all."""
    from botocore.exceptions import ClientError

    for feature in FEATURES:
        try:
            yield feature, feature.current(client, props), True
        except ClientError as error:
            if not elsewhere(props) or code_of(error) not in NOT_IMPLEMENTED:
                raise
            yield feature, feature.unset, False


def unable(feature: Feature, props: Properties) -> DeploymentError:
    """That a server lacks what a bucket of the stack must have."""
    way = "write `encryption: none`, or " if feature.name == "encryption" else ""
    return DeploymentError(f"bucket {props['name']}: {props['endpoint']} cannot {feature.words}; {way}{OWN_BUCKET}")
