"""Copies of the stack's data: where to, how often, how long they are kept, and what is in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal, Self, get_args

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from components.config.base import Matching, Model, NotEmpty, Secret, is_duration, seconds
from components.config.bucket import OWNED, Bucket, bucket_address_problems
from components.config.errors import Problem
from components.config.platform import namespaces

if TYPE_CHECKING:
    from components.config.stack import StackConfig

Part = Literal["prometheus", "alertmanager", "grafana"]
PARTS: tuple[Part, ...] = get_args(Part)
"""Services whose data is copied."""
SHORTEST, LONGEST = 15 * 60, 86400
"""Seconds from one run to the next. The alerts take a copy that is older than a day and an hour for late."""
_TIME = re.compile(r"([01]\d|2[0-3]):([0-5]\d)")


def _quoted(value: object) -> object:
    if isinstance(value, int):  # how YAML reads 14:30
        raise ValueError('must be a time of day in quotes, such as "14:30"')
    return value


def _check_schedule(value: str) -> str:
    if not _TIME.fullmatch(value) and not (is_duration(value) and SHORTEST <= seconds(value) <= LONGEST):
        raise ValueError('must be a time of day in UTC such as "02:30", or 15m to 24h from one run to the next')
    return value


class Destination(Model):
    """Where copies go: a folder of the machine with the Docker engine, or a bucket; in a cluster a bucket."""

    folder: Annotated[str, Matching(r"^/[^\s,:]+$", "an absolute path without spaces, such as /srv/backup")] | None = (
        Field(
            default=None,
            description="Has to exist. On another disk than the stack's data, or it is lost with it. Not in a cluster.",
        )
    )
    bucket: Bucket | None = Field(
        default=None,
        description="Has to exist; the stack only uses it. In a cluster each program's copies are below "
        "observatory-<environment>/<program>.",
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.folder is None) == (self.bucket is None):
            raise ValueError("must name one place: a folder, or a bucket")
        return self


class Keep(Model):
    """Which stay: those of two days, and the last of each of so many days, weeks and months. Others are removed."""

    daily: int = Field(default=7, ge=1, le=3650, description="Days.")
    weekly: int = Field(default=4, ge=0, le=520, description="Weeks.")
    monthly: int = Field(default=6, ge=0, le=120, description="Months.")


class Backup(Model):
    """Encrypted copies of the stack's data, made by restic."""

    to: Destination
    password: Secret = Field(
        description="Encrypts all copies. Keep it elsewhere, too: without it nobody can read them, and it does not "
        "come back with the stack."
    )
    schedule: Annotated[str, BeforeValidator(_quoted), AfterValidator(_check_schedule)] = Field(
        default="02:30", description='Time of day in UTC ("02:30"), or from one run to the next (15m to 24h).'
    )
    keep: Keep = Keep()
    include: Annotated[tuple[Part, ...], NotEmpty()] = Field(
        default=PARTS, description="Whose data. In a cluster not that of a `grafana.database`."
    )

    @property
    def period(self) -> tuple[int, int]:
        """Seconds from one run to the next, and how long after midnight UTC the first of a day begins."""
        if time := _TIME.fullmatch(self.schedule):
            return 86400, int(time[1]) * 3600 + int(time[2]) * 60
        return round(seconds(self.schedule)), 0


def backup_problems(config: StackConfig) -> Iterator[Problem]:
    """What must hold between backups and the rest."""
    backup = config.backup
    if backup is None:
        return
    if config.kubernetes:
        yield from _cluster_problems(config, backup)
    there = [part for part in PARTS if part != "grafana" or config.grafana.enabled]
    if "include" not in backup.model_fields_set:
        if config.storage.remote:
            reason = f"is required with storage.backend {config.storage.backend}, whose samples are in no copy"
            hint = f"`include: [{', '.join(there)}]`, where it is enough to copy what Prometheus keeps for `retention`"
            yield Problem("backup.include", reason, hint=hint)
    else:
        for index, part in enumerate(backup.include):
            if part not in there:
                reason = "there is no Grafana: grafana.enabled is false"
                yield Problem(f"backup.include[{index}]", reason, part, f"`include: [{', '.join(there)}]`")
    if bucket := backup.to.bucket:
        for key in sorted(bucket.model_fields_set & {*OWNED, "encryption"}):
            reason = "is not for backups: the bucket is yours and only used, and copies are encrypted before they leave"
            yield Problem(f"backup.to.bucket.{key}", reason)
        yield from bucket_address_problems("backup.to.bucket", bucket)
        own = config.storage.bucket
        if own and (own.address, own.name, own.prefix) == (bucket.address, bucket.name, bucket.prefix):
            hint = "another bucket: what deletes one must not delete the other"
            yield Problem("backup.to.bucket", "holds the stack's own samples (storage.bucket)", bucket.name, hint)


def _cluster_problems(config: StackConfig, backup: Backup) -> Iterator[Problem]:
    """What copies cannot be in a cluster, where each pod makes its own."""
    if backup.to.folder:
        hint = "`backup.to.bucket`: of AWS, or of a server in the cluster that speaks S3"
        yield Problem("backup.to.folder", "is for platform: docker: pods have no common folder", backup.to.folder, hint)
    assert config.kubernetes
    if config.kubernetes.operator == "existing":
        namespace, instance = namespaces(config)[0], f"observatory-{config.environment}"[:63]
        claims = f"kubectl -n {namespace} get pvc -l app.kubernetes.io/instance={instance}"
        hint = f"let the storage copy the claims that `{claims}` lists: docs/guide/backup.md#by-the-storage; or `none`"
        yield Problem("backup", "needs kubernetes.operator: none, for the operator makes the pods itself", hint=hint)
    if config.grafana.enabled and config.grafana.database and "grafana" in backup.include:
        rest = ", ".join(part for part in backup.include if part != "grafana")
        hint = f"let the database make its own copies, and write `include: [{rest or 'prometheus, alertmanager'}]`"
        reason = "names grafana, whose database (grafana.database) is copied on platform: docker only"
        yield Problem("backup.include", reason, hint=hint)
