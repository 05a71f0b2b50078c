"""Errors in one line that says what to do: asked of a server that answers as AWS and others do."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from botocore.retries.standard import ExponentialBackoff

from components.platforms.errors import DeploymentError
from components.resources.s3_bucket import S3Bucket
from tests.resources.conftest import properties

Answer = Callable[[str, str], tuple[int, str, dict[str, str]]]
"""Method and path to status, code of the error (or a whole body) and headers."""


@contextmanager
def server(answer: Answer) -> Iterator[tuple[str, list[str]]]:
    """Its address, and a list of what it was asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def _answer(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            asked.append(f"{self.command} {self.path}")
            status, code, headers = answer(self.command, self.path)
            body = f"<Error><Code>{code}</Code><Message>of the server</Message></Error>" if code.isalnum() else code
            self.send_response(status)
            for key, value in headers.items():
                self.send_header(key, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body.encode())

        do_GET = do_PUT = do_HEAD = _answer  # noqa: N815 - as its base class calls them

        def log_message(self, *_: Any) -> None:
            return

    running = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=running.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{running.server_port}", asked
    finally:
        running.shutdown()
        running.server_close()


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """No pauses between tries, and no settings of this machine."""
    monkeypatch.setattr(ExponentialBackoff, "delay_amount", lambda *_: 0)
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nonexistent")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def error(endpoint: str, **settings: Any) -> str:
    keys = {"access_key": "a", "secret_key": "the-secret-key"}
    with pytest.raises(DeploymentError) as caught:
        S3Bucket(properties(endpoint=endpoint, path_style=True, **{**keys, **settings})).make()
    text = str(caught.value)
    assert "\n" not in text
    assert "the-secret-key" not in text
    assert text.startswith("bucket acme-metrics")
    return text


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (403, "AccessDenied", "allow them s3:ListBucket on arn:*:s3:::acme-metrics, or the bucket is someone else's"),
        (400, "ExpiredToken", "the credentials have expired; sign in again"),
        (403, "InvalidAccessKeyId", "the server does not know these credentials (InvalidAccessKeyId)"),
        (403, "SignatureDoesNotMatch", "the server does not know these credentials (SignatureDoesNotMatch)"),
        (403, "RequestTimeTooSkewed", "clock is wrong"),
        (503, "SlowDown", "asks for fewer requests (SlowDown), after several tries"),
        (500, "Strange", "ListObjectsV2 failed: Strange of the server"),
    ],
)
def test_what_the_first_question_finds(status: int, code: str, expected: str) -> None:
    with server(lambda *_: (status, code, {})) as (address, _):
        assert expected in error(address)


@pytest.mark.parametrize(
    ("status", "code", "expected"),
    [
        (409, "BucketAlreadyExists", "the name belongs to someone else, for names are taken world-wide"),
        (403, "AccessDenied", "may not do CreateBucket; allow them s3:CreateBucket on arn:*:s3:::acme-metrics"),
        (409, "OperationAborted", "still busy with an earlier change"),
        (400, "TooManyBuckets", "as many buckets as it may"),
        (400, "InvalidBucketName", "does not take this name"),
        (400, "IllegalLocationConstraintException", "is not in this region; write the right one"),
        (501, "NotImplemented", "cannot do CreateBucket; make the bucket yourself and name it with `backend: s3`"),
    ],
)
def test_what_making_it_finds(status: int, code: str, expected: str) -> None:
    def answer(method: str, path: str) -> tuple[int, str, dict[str, str]]:
        return (404, "", {}) if method == "HEAD" else (status, code, {})

    with server(answer) as (address, _):
        assert expected in error(address)


def test_a_redirect_names_the_region() -> None:
    with server(lambda *_: (301, "PermanentRedirect", {"x-amz-bucket-region": "eu-west-3"})) as (address, _):
        assert "it is in the region eu-west-3; write the right one into storage.bucket.region" in error(address)


def test_an_action_that_is_not_called_like_its_request_is_named() -> None:
    with server(lambda *_: (403, "AccessDenied", {})) as (address, _):
        props = properties(endpoint=address, path_style=True, access_key="a", secret_key="b")
        with pytest.raises(DeploymentError, match="may not do GetPublicAccessBlock; allow them s3:GetBucketPublicAcc"):
            S3Bucket(props).bring()


def test_a_busy_server_is_asked_again() -> None:
    def answer(method: str, path: str) -> tuple[int, str, dict[str, str]]:
        return (503, "SlowDown", {}) if len(asked) < 4 else (404, "", {})

    with server(answer) as (address, asked):
        props = properties(endpoint=address, path_style=True, access_key="a", secret_key="b")
        assert S3Bucket(props).exists() is False
        assert len(asked) == 4


def test_a_server_that_stays_busy_is_asked_five_times() -> None:
    def answer(method: str, path: str) -> tuple[int, str, dict[str, str]]:
        return (404, "", {}) if method == "HEAD" else (503, "SlowDown", {})

    with server(answer) as (address, asked):
        assert "asks for fewer requests" in error(address)
        assert len([each for each in asked if each.startswith("PUT")]) == 5


def test_a_server_that_is_not_there() -> None:
    with server(lambda *_: (200, "", {})) as (address, _):
        pass
    assert f"{address} cannot be reached; check storage.bucket.endpoint" in error(address)


def test_a_server_without_the_tls_that_was_asked_for() -> None:
    with server(lambda *_: (200, "", {})) as (address, _):
        assert "is not trusted; name its authority's file in AWS_CA_BUNDLE" in error(address.replace("http", "https"))


def test_a_server_that_speaks_something_else() -> None:
    def answer(method: str, path: str) -> tuple[int, str, dict[str, str]]:
        return (200, "", {}) if method == "HEAD" else (200, "<html><p>Welcome", {})

    with server(answer) as (address, _):
        assert f"; look whether {address} is an S3 server, and well" in error(address, adopt=True)


def test_no_credentials_at_all() -> None:
    with server(lambda *_: (200, "", {})) as (address, asked):
        text = error(address, access_key="", secret_key="")
        assert "there are no credentials; set storage.bucket.credentials" in text
        assert not asked


def test_a_profile_that_is_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "set AWS_PROFILE to one that" in error("http://127.0.0.1:9", access_key="", secret_key="")


# Servers other than AWS'


def lacking(*parts: str) -> Answer:
    """A server that has every setting as wanted, besides those that it does not know."""

    def answer(method: str, path: str) -> tuple[int, str, dict[str, str]]:
        if any(part in path for part in parts):
            return 501, "NotImplemented", {}
        return 404, "", {}

    return answer


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("encryption", "cannot encrypt objects; write `encryption: none`, or make the bucket yourself"),
        ("versioning", "cannot keep versions of objects; make the bucket yourself"),
        ("lifecycle", "cannot remove old versions and unfinished uploads; make the bucket yourself"),
        ("tagging", "cannot have tags; make the bucket yourself"),
    ],
)
def test_what_a_server_must_be_able_to_do(aws: Any, part: str, expected: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with played(monkeypatch, part), pytest.raises(DeploymentError) as caught:
        S3Bucket(elsewhere(tags={"a": "b"})).make()
    assert f"bucket acme-metrics: https://s3.example.com {expected}" in str(caught.value)
    assert aws.list_buckets()["Buckets"] == []


def test_what_only_aws_has_is_named_and_goes_without(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with played(monkeypatch, "public_access_block", "ownership"):
        made = S3Bucket(elsewhere()).make()
        assert made["unsupported"] == ["block public access", "switch access lists off"]
        found = S3Bucket(elsewhere()).read()
    assert found
    assert (found["private"], found["ownership"]) == (True, "BucketOwnerEnforced")


def test_nothing_is_asked_of_a_server_that_is_not_wanted_of_it(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with played(monkeypatch, "encryption", "tagging", "policy"):
        made = S3Bucket({**elsewhere(encryption="none"), "tls_only": False}).make()
    assert made["unsupported"] == []


def test_aws_itself_is_never_let_off(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with played(monkeypatch, "public_access_block"), pytest.raises(DeploymentError, match="cannot do"):
        S3Bucket(properties()).make()


def test_encryption_that_is_accepted_and_not_done_is_refused(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("components.resources.s3_features._encrypts", lambda *_: False)
    with played(monkeypatch), pytest.raises(DeploymentError, match="accepts sse-s3 as encryption, but does not"):
        S3Bucket(elsewhere()).make()


def test_a_setting_that_is_accepted_and_not_kept_is_refused(aws: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    with played(monkeypatch):
        bucket = S3Bucket(elsewhere())
        monkeypatch.setattr(bucket.client, "put_bucket_versioning", lambda **_: {})
        with pytest.raises(DeploymentError, match="cannot keep versions of objects"):
            bucket.make()


def elsewhere(**settings: Any) -> dict[str, Any]:
    return properties(endpoint="https://s3.example.com", **settings)


@contextmanager
def played(monkeypatch: pytest.MonkeyPatch, *lacking: str) -> Iterator[None]:
    """The server in memory in place of the one at the endpoint, without some of its requests."""
    from botocore.exceptions import ClientError

    from components.resources import s3_bucket

    connect = s3_bucket.connect

    def connected(props: dict[str, Any]) -> Any:
        client = connect({**props, "endpoint": ""})

        def refuse(model: Any, **_: Any) -> None:
            name = "".join(f"_{c.lower()}" if c.isupper() else c for c in model.name)
            if any(part in name for part in lacking):
                raise ClientError({"Error": {"Code": "NotImplemented", "Message": "no"}}, model.name)

        client.meta.events.register("before-call.s3", refuse)
        create = client.create_bucket
        where = {"LocationConstraint": props["region"]}
        client.create_bucket = lambda **more: create(**{"CreateBucketConfiguration": where, **more})
        return client

    with monkeypatch.context() as patch:
        patch.setattr(s3_bucket, "connect", connected)
        yield
