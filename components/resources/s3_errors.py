"""What an S3 server refuses, in one line that says what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from components.platforms.errors import DeploymentError

NOT_IMPLEMENTED = frozenset({"NotImplemented", "XNotImplemented", "MethodNotAllowed", "UnsupportedOperation", "501"})
_THROTTLED = {"SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "503", "429"}
_EXPIRED = {"ExpiredToken", "ExpiredTokenException", "RequestExpired", "TokenRefreshRequired"}
_UNKNOWN_KEYS = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "InvalidToken", "AuthFailure", "InvalidClientTokenId"}
_OTHER_REGION = {
    "301",
    "307",
    "PermanentRedirect",
    "TemporaryRedirect",
    "AuthorizationHeaderMalformed",
    "IllegalLocationConstraintException",
    "InvalidLocationConstraint",
}
DENIED = {"403", "AccessDenied", "AllAccessDisabled", "AccountProblem", "Forbidden"}
_ACTIONS = {
    # Where the action that a policy has to allow is not called like the request.
    "HeadBucket": "s3:ListBucket",
    "ListObjectsV2": "s3:ListBucket",
    "ListObjectVersions": "s3:ListBucketVersions",
    "ListMultipartUploads": "s3:ListBucketMultipartUploads",
    "DeleteObjects": "s3:DeleteObject and s3:DeleteObjectVersion",
    "GetPublicAccessBlock": "s3:GetBucketPublicAccessBlock",
    "PutPublicAccessBlock": "s3:PutBucketPublicAccessBlock",
    "GetBucketEncryption": "s3:GetEncryptionConfiguration",
    "PutBucketEncryption": "s3:PutEncryptionConfiguration",
    "DeleteBucketEncryption": "s3:PutEncryptionConfiguration",
    "GetBucketLifecycleConfiguration": "s3:GetLifecycleConfiguration",
    "PutBucketLifecycleConfiguration": "s3:PutLifecycleConfiguration",
}


def code_of(error: Any) -> str:
    """The server's own word for a refusal, such as `NoSuchBucket`; for a HEAD request its status."""
    return str(error.response.get("Error", {}).get("Code", ""))


@contextmanager
def plain_words(bucket: str, endpoint: str = "") -> Iterator[None]:
    """Turn errors of boto3 into a `DeploymentError` of one line. `endpoint` is "" for AWS' own."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except ClientError as error:
        raise DeploymentError(f"bucket {bucket}: {_refusal(error, bucket, endpoint)}") from None
    except BotoCoreError as error:
        raise DeploymentError(f"bucket {bucket}: {_failure(error, endpoint)}") from None


def _refusal(error: Any, bucket: str, endpoint: str) -> str:
    """What the server answered, and the way on."""
    code, operation = code_of(error), error.operation_name
    message = str(error.response.get("Error", {}).get("Message", "")).strip()
    headers = error.response.get("ResponseMetadata", {}).get("HTTPHeaders", {})
    if code in DENIED:
        action = _ACTIONS.get(operation, f"s3:{operation}")
        owner = ", or the bucket is someone else's and needs another name" if action == "s3:ListBucket" else ""
        return f"the credentials may not do {operation}; allow them {action} on arn:*:s3:::{bucket}{owner}"
    if code in _OTHER_REGION:
        region = headers.get("x-amz-bucket-region") or error.response.get("Error", {}).get("Region")
        where = f"is in the region {region}" if region else "is not in this region"
        return f"it {where}; write the right one into storage.bucket.region"
    if code in _THROTTLED:
        return f"the server asks for fewer requests ({code}), after several tries; wait some minutes and run it again"
    if code in _EXPIRED:
        return "the credentials have expired; sign in again (`aws sso login`, or a new session), then run it again"
    if code in _UNKNOWN_KEYS:
        return f"the server does not know these credentials ({code}); check both keys, and that they are of this server"
    words = {
        "BucketAlreadyExists": "the name belongs to someone else, for names are taken world-wide; choose another one",
        "NoSuchBucket": "it is gone; `pulumi refresh` forgets it, and the next update makes a new, empty one",
        "404": "it is gone; `pulumi refresh` forgets it, and the next update makes a new, empty one",
        "OperationAborted": "the server is still busy with an earlier change of it; run it again in some minutes",
        "RequestTimeTooSkewed": "this machine's clock is wrong by more than 15 minutes; set it",
        "TooManyBuckets": "the account has as many buckets as it may; remove one, or ask for more",
        "BucketNotEmpty": "something still writes to it; stop that, then run it again",
        "InvalidBucketName": "the server does not take this name; choose another one",
    }
    if code in words:
        return words[code]
    if code in NOT_IMPLEMENTED:
        return f"{endpoint or 'the server'} cannot do {operation}; {OWN_BUCKET}"
    doubt = f"; look whether {endpoint} is an S3 server, and well" if endpoint else ""
    return f"{operation} failed: {code} {message}{doubt}"


OWN_BUCKET = "make the bucket yourself and name it with `backend: s3`"
"""The way on where a server lacks what a bucket of the stack has to have."""


def _failure(error: Any, endpoint: str) -> str:
    """Why there was no answer at all."""
    from botocore import exceptions as kinds

    where = endpoint or "AWS"
    if isinstance(error, kinds.NoCredentialsError | kinds.PartialCredentialsError):
        return (
            "there are no credentials; set storage.bucket.credentials, or those of this machine "
            "(AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a role)"
        )
    if isinstance(error, kinds.ProfileNotFound):
        return f"{error}; set AWS_PROFILE to one that `aws configure list-profiles` shows"
    if isinstance(
        error, kinds.SSOError | kinds.SSOTokenLoadError | kinds.TokenRetrievalError | kinds.CredentialRetrievalError
    ):
        return f"the credentials of this machine cannot be read ({error}); sign in again, for example `aws sso login`"
    if isinstance(error, kinds.SSLError):
        return f"the certificate of {where} is not trusted; name its authority's file in AWS_CA_BUNDLE"
    if isinstance(error, kinds.HTTPClientError | kinds.ConnectionError):
        return f"{where} cannot be reached; check storage.bucket.endpoint, the network and a proxy ({error})"
    if isinstance(
        error, kinds.ParamValidationError | kinds.InvalidRegionError | kinds.InvalidEndpointConfigurationError
    ):
        return " ".join(str(error).split())
    return f"{type(error).__name__}: {error}"
