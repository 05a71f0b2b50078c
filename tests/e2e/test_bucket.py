"""The bucket of a stack on a real S3 server, by Pulumi: made, drifted, changed, refused, deleted.

Only the bucket is deployed (`--target`), so no engine is needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from components.config.bucket import Bucket
from components.platforms.errors import DeploymentError
from components.resources.bucket import wanted
from components.resources.s3_bucket import S3Bucket
from components.resources.s3_features import FEATURES
from components.yaml_text import dump, load
from operations import remove
from operations.certificates import make_certificates
from tests.e2e.engine import free_ports
from tests.e2e.project import Outcome, Project
from tests.e2e.s3 import ACCESS_KEY, SECRET_KEY, S3Server

NAME = "observatory-e2e-bucket"


class BucketStack:
    """A stack of which nothing but the bucket is deployed."""

    def __init__(self, project: Project, endpoint: str) -> None:
        self.project, self.name = project, "bucket"
        self.file = project.folder / "stacks" / f"Pulumi.{self.name}.yaml"
        self.bucket = {
            "name": NAME,
            "region": "us-east-1",
            "endpoint": endpoint,
            "path_style": True,
            "encryption": "none",
            "credentials": {"access_key": {"secret": "s3AccessKey"}, "secret_key": {"secret": "s3SecretKey"}},
        }
        self.s3: Any = boto3.client(
            "s3",
            endpoint_url=endpoint,
            region_name="us-east-1",
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )
        self.pulumi("stack", "init", "--no-select", check=True)
        self.configure()
        for secret, value in (("s3AccessKey", ACCESS_KEY), ("s3SecretKey", SECRET_KEY)):
            self.pulumi("config", "set", "--secret", f"observatory:{secret}", stdin=value, check=True)

    def configure(self, data: dict[str, Any] | None = None, **bucket: Any) -> None:
        """The stack file, with other settings of the bucket."""
        document = load(self.file.read_text()) if self.file.exists() else {}
        document.setdefault("config", {})["observatory:stack"] = {
            "environment": self.name,
            "docker": {"host": "unix:///nonexistent.sock"},
            "storage": {"backend": "thanos", "bucket": {**self.bucket, **bucket}},
            **({"data": data} if data else {}),
        }
        self.file.write_text(dump(document))

    def pulumi(self, *arguments: str, stdin: str = "", check: bool = False) -> Outcome:
        """Run a Pulumi command for this stack."""
        outcome = self.project.start(
            "pulumi", *arguments, "--stack", self.name, "--non-interactive", "--color=never", stdin=stdin
        ).wait()
        assert outcome.code == 0 or not check, str(outcome)
        return outcome

    def on_bucket(self, *arguments: str, check: bool = True) -> Outcome:
        """Run a command on the bucket alone."""
        if arguments[0] == "destroy":  # of all that there is: the bucket and what it stands under
            return self.pulumi(*arguments, check=check)
        parts = ("bucket", f"observatory-{self.name}")
        targets = [word for part in parts for word in ("--target", f"urn:pulumi:{self.name}::observatory::**::{part}")]
        return self.pulumi(*arguments, *targets, check=check)

    def up(self) -> Outcome:
        """An update that has to succeed, and a preview after it that has to be empty, even of a refreshed state."""
        outcome = self.on_bucket("up", "--yes", "--skip-preview")
        self.on_bucket("preview", "--expect-no-changes", "--diff")
        self.on_bucket("preview", "--refresh", "--expect-no-changes", "--diff")
        return outcome

    def refused(self, *arguments: str) -> str:
        """What a command says that has to fail, for people."""
        outcome = self.on_bucket(*arguments, check=False)
        assert outcome.code != 0, outcome
        assert "Traceback" not in outcome.output, outcome
        return outcome.output

    def exists(self) -> bool:
        """Whether the server has the bucket."""
        try:
            self.s3.head_bucket(Bucket=NAME)
        except ClientError:
            return False
        return True

    def state(self) -> dict[str, Any]:
        """What the state has of the bucket."""
        resources = json.loads(self.pulumi("stack", "export", check=True).output)["deployment"]["resources"]
        (found,) = (each for each in resources if each["urn"].endswith("::bucket"))
        return dict(found)


def test_a_bucket_for_tls_only_refuses_whoever_comes_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same bucket on the same server by both of its ports; the policy is what makes the difference."""
    made = make_certificates("e2e", ["127.0.0.1"], 1, datetime.now(UTC))
    for name, text in (("ca", made.ca), ("certificate", made.certificate), ("key", made.key)):
        (tmp_path / name).write_text(text)
    monkeypatch.setenv("AWS_CA_BUNDLE", str(tmp_path / "ca"))
    (port,) = free_ports(1)
    files = (f"-s3.cert.file={tmp_path}/certificate", f"-s3.key.file={tmp_path}/key")
    server = S3Server(tmp_path / "server", "127.0.0.1", f"-s3.port.https={port}", *files)
    settings = Bucket.model_validate(
        {
            "name": NAME,
            "region": "us-east-1",
            "endpoint": f"https://127.0.0.1:{port}",
            "path_style": True,
            "encryption": "none",
        }
    )
    secure = {**wanted(settings, {}), "access_key": ACCESS_KEY, "secret_key": SECRET_KEY}
    open_ = {**secure, "endpoint": server.endpoint}
    server.start()
    try:
        S3Bucket({**open_, "tls_only": False}).make()
        assert S3Bucket(open_).exists()
        S3Bucket(secure).bring()
        assert S3Bucket(secure).read() == {feature.name: secure[feature.name] for feature in FEATURES}
        with pytest.raises(DeploymentError, match="the credentials may not do"):
            S3Bucket(open_).exists()
        S3Bucket(secure).delete()
        assert not S3Bucket(secure).exists()
    finally:
        server.stop()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    found = S3Server(tmp_path_factory.mktemp("s3") / "server", "127.0.0.1")
    found.start()
    yield found
    found.stop()


@pytest.fixture
def stack(server: S3Server, tmp_path: Path) -> Iterator[BucketStack]:
    found = BucketStack(Project(tmp_path), server.endpoint)
    yield found
    if found.exists():
        for page in found.s3.get_paginator("list_object_versions").paginate(Bucket=NAME):
            for each in [*page.get("Versions", []), *page.get("DeleteMarkers", [])]:
                found.s3.delete_object(Bucket=NAME, Key=each["Key"], VersionId=each["VersionId"])
        found.s3.delete_bucket(Bucket=NAME)


def test_a_bucket_is_made_kept_and_brought_back(stack: BucketStack) -> None:
    made = stack.up()
    assert "cannot block public access; it goes without" in made.output, made
    assert "is spoken to without TLS" in made.output, made
    assert stack.s3.get_bucket_versioning(Bucket=NAME)["Status"] == "Enabled"
    rules = {rule["ID"]: rule for rule in stack.s3.get_bucket_lifecycle_configuration(Bucket=NAME)["Rules"]}
    assert rules["observatory-noncurrent-versions"]["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}

    stack.s3.put_bucket_versioning(Bucket=NAME, VersioningConfiguration={"Status": "Suspended"})
    stack.s3.delete_bucket_lifecycle(Bucket=NAME)
    drifted = stack.on_bucket("refresh", "--preview-only", "--diff").output
    assert '"Enabled" => "Suspended"' in drifted, drifted
    assert "noncurrent_days" in drifted, drifted
    again = stack.on_bucket("up", "--yes", "--refresh", "--skip-preview")
    assert "updated" in again.output, again
    assert stack.s3.get_bucket_versioning(Bucket=NAME)["Status"] == "Enabled"

    stack.configure(tags={"team": "platform"}, noncurrent_days=14)
    preview = stack.on_bucket("preview", "--diff").output
    assert "14" in preview, preview
    stack.up()
    assert stack.s3.get_bucket_tagging(Bucket=NAME)["TagSet"] == [{"Key": "team", "Value": "platform"}]


def test_the_keys_are_nowhere_in_plain_text(stack: BucketStack) -> None:
    stack.up()
    stack.on_bucket("refresh", "--yes", "--skip-preview")
    stack.on_bucket("up", "--yes", "--skip-preview", "--refresh")
    exported = stack.pulumi("stack", "export", check=True).output
    assert NAME in exported
    everything = [exported, stack.file.read_text()]
    everything += [file.read_text(errors="replace") for file in stack.project.state.rglob("*") if file.is_file()]
    for text in everything:
        assert SECRET_KEY not in text
        assert ACCESS_KEY not in text


def test_policies_are_an_output(stack: BucketStack) -> None:
    stack.pulumi("preview")
    shown = stack.pulumi("preview", "--diff").output
    assert "bucketPolicies" in shown, shown
    assert f"arn:aws:s3:::{NAME}" in shown, shown


def test_another_name_is_refused_before_anything_happens(stack: BucketStack) -> None:
    stack.up()
    stack.configure(name="observatory-e2e-other")
    assert f"the history lies in bucket {NAME}" in " ".join(stack.refused("preview").split())
    assert stack.exists()
    stack.configure(prefix="metrics")
    assert "storage.bucket.prefix: none cannot become metrics" in " ".join(stack.refused("preview").split())


def test_a_bucket_of_others_is_taken_over_only_when_told(stack: BucketStack) -> None:
    stack.configure(adopt=True)
    assert "does not exist, so it cannot be taken over" in stack.refused("up", "--yes", "--skip-preview")
    stack.configure()
    stack.s3.create_bucket(Bucket=NAME)
    stack.s3.put_object(Bucket=NAME, Key="01ABC/meta.json", Body=b"{}")
    assert "exists already, and this stack did not make it" in stack.refused("up", "--yes", "--skip-preview")
    assert "Status" not in stack.s3.get_bucket_versioning(Bucket=NAME)
    stack.configure(adopt=True)
    stack.up()
    assert stack.s3.get_bucket_versioning(Bucket=NAME)["Status"] == "Enabled"
    assert stack.s3.get_object(Bucket=NAME, Key="01ABC/meta.json")["Body"].read() == b"{}"


def test_encryption_that_the_server_cannot_do_is_an_error(stack: BucketStack) -> None:
    stack.configure(encryption="sse-s3")
    output = stack.refused("up", "--yes", "--skip-preview")
    assert "does not encrypt what is written then" in " ".join(output.split()), output
    assert not stack.exists()


def test_a_removal_leaves_the_bucket(stack: BucketStack) -> None:
    stack.up()
    state = stack.state()
    assert (state["type"], state["id"], state["protect"], state["retainOnDelete"]) == (remove.BUCKET, NAME, True, True)
    assert "protected" in stack.refused("destroy", "--yes", "--skip-preview")
    stack.pulumi("state", "unprotect", "--all", "--yes", check=True)
    stack.on_bucket("destroy", "--yes", "--skip-preview")
    assert stack.exists()


def test_a_bucket_with_objects_goes_only_at_an_explicit_word(stack: BucketStack) -> None:
    stack.configure(data={"keep": False})
    stack.up()
    stack.s3.put_object(Bucket=NAME, Key="a", Body=b"x")
    stack.s3.delete_object(Bucket=NAME, Key="a")
    assert "has objects, so it stays" in stack.refused("destroy", "--yes", "--skip-preview")
    assert stack.exists()
    stack.configure(data={"keep": False}, delete_with_objects=True)
    stack.up()
    assert stack.state()["outputs"]["delete_with_objects"] is True
    down = stack.project.run("./observatory", "down", stack.name)
    assert down.code == 1, down
    assert f"deployed with data.keep: false, so its data would go with the containers:\n  {NAME}" in down.output
    assert stack.exists()
    stack.on_bucket("destroy", "--yes", "--skip-preview")
    assert not stack.exists()


def test_a_bucket_that_is_gone_is_seen(stack: BucketStack) -> None:
    stack.up()
    stack.s3.delete_bucket(Bucket=NAME)
    assert "delete" in stack.on_bucket("refresh", "--preview-only", "--diff").output
