"""Backup: copies the stack's data into a restic repository, on a schedule, and tells Prometheus how that went.

On Docker one program sees the data of all others. In a cluster a claim is for the pods of one node, so there one stands
beside each program with data, with a repository of its own.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.config import StackConfig
from components.config.backup import Backup, Part
from components.config.bucket import Bucket
from components.context import Context
from components.replicas import replica_name
from components.services.grafana_dump import NAME as GRAFANA_DUMP
from components.services.probes import port_probe
from components.services.thanos_files import bucket_calls
from components.spec import Call, File, HostMount, Metrics, Service, Volume, secret_token

NAME, PRODUCT, PORT = "backup", "Backup", 9199
FOLDER = "/etc/backup"
STATE = "/var/lib/backup"
STATE_FOLDER = ".backup"
"""On the volume of the program that it stands beside."""
REPOSITORY = "/repository"
SCRIPT = f"{FOLDER}/current/backup.sh"
STATE_VOLUME = Volume("backup-data", STATE)
_HERE = Path(__file__).parent


def data_path(volume: str) -> str:
    """Where the backup sees a volume of another service; also where it stands in a snapshot."""
    return f"/data/{volume}"


def backups(context: Context) -> list[Service]:
    """Plan them where the stack file asks for copies; `covering` gives each its data once the others are planned."""
    settings = context.config.backup
    if settings is None:
        return []
    if context.config.kubernetes is None:
        return [_for_all(context, settings)]
    owners = [replica_name(part, number) for part in settings.include for number in _copied_replicas(context, part)]
    return [_beside(context, settings, owner) for owner in owners]


def _for_all(context: Context, settings: Backup) -> Service:
    """Runs as root, with the three rights that it takes to read and restore the files of other users."""
    folder = settings.to.folder
    return replace(
        _program(context, STATE),
        user="0:0",
        host_mounts=(HostMount(folder, REPOSITORY, writable=True),) if folder else (),
        volumes=(STATE_VOLUME,),
        capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER"),
        calls=(Call(),) if settings.to.bucket else (),
    )


def _beside(context: Context, settings: Backup, owner: str) -> Service:
    """Runs as the user whose files it copies. What it remembers is on the same volume, and in no copy."""
    volume = f"{owner}-data"
    assert settings.to.bucket, "folders are for Docker"
    return replace(
        _program(context, f"{data_path(volume)}/{STATE_FOLDER}"),
        name=f"{NAME}-{owner}",
        replica_of=NAME,
        beside=owner,
        prepares=("take", volume),
        calls=bucket_calls(settings.to.bucket),
    )


def _program(context: Context, state: str) -> Service:
    return Service(
        name=NAME,
        product=PRODUCT,
        image=context.image(NAME),
        user="",
        resources=context.resources(NAME, memory=512, cpus=0.5),
        entrypoint=("sh", SCRIPT),
        args=("serve",),
        env=(("HOME", state), ("STATE", state), ("TMPDIR", f"{state}/tmp")),
        config_folder=FOLDER,
        scratch=("/tmp",),
        probe=port_probe(PORT),
        metrics=(Metrics(NAME, PORT),),
    )


def covering(service: Service, context: Context, others: Sequence[Service]) -> Service:
    """A backup, of the volumes of those among `others` whose data the stack file asks for."""
    settings = _settings_of(context)
    user = service.user
    if service.beside:
        (owner,) = others = [other for other in others if other.name == service.beside]
        user, covered = owner.user, others
    else:
        covered = [other for other in others if _belongs_to(other) in settings.include]
    shares = tuple(Volume(volume.name, data_path(volume.name)) for other in covered for volume in other.volumes)
    files = _files(context, settings, others, shares, service.beside)
    return replace(service, user=user, files=files, shares=shares)


def _copied_replicas(context: Context, part: Part) -> range:
    """Of a part of the stack; none of one that is not there, by the stack file or for want of its image."""
    if not context.image(part) or (part == "grafana" and not context.config.grafana.enabled):
        return range(0)
    return context.replicas(part) if part == "prometheus" else range(1, 2)


def _belongs_to(service: Service) -> str:
    """The part of the stack whose data a service has; nobody's where another replica has the same.

    Alertmanagers tell each other everything, and Grafanas share a database. Of Prometheus servers each may have samples
    of the last hours that no other has, and that are not in the bucket yet.
    """
    if service.name == GRAFANA_DUMP:
        return "grafana"
    return service.group if service.group == "prometheus" else service.name


def _settings_of(context: Context) -> Backup:
    settings = context.config.backup
    assert settings, "planned only where the stack file asks for it"
    return settings


def _files(
    context: Context, settings: Backup, others: Sequence[Service], shares: Sequence[Volume], beside: str
) -> tuple[File, ...]:
    """All but the script are read again for each run."""
    return (
        File("backup.sh", (_HERE / "backup.sh").read_text(encoding="utf-8"), live=False),
        File("metrics.sh", (_HERE / "backup_metrics.sh").read_text(encoding="utf-8"), reload=False),
        File("settings", _settings(context, settings, shares, beside), reload=False),
        File("stack.json", _reference(context, others), reload=False),
        File("secrets/password", secret_token(settings.password.secret), reload=False),
        *_credentials(settings.to.bucket),
    )


def _settings(context: Context, settings: Backup, shares: Sequence[Volume], beside: str) -> str:
    """Variables for the script, in the shell's own spelling."""
    period, offset = settings.period
    keep = settings.keep
    bucket = settings.to.bucket
    values: dict[str, Any] = {
        "ENVIRONMENT": context.config.environment,
        "BACKUP": beside or "stack",
        "RESTIC_REPOSITORY": repository_beside(context.config, bucket, beside) if beside else repository(bucket),
        "AWS_DEFAULT_REGION": bucket.region if bucket else "",
        "BUCKET_LOOKUP": "path" if bucket and bucket.path_style else "auto",
        "PERIOD": period,
        "OFFSET": offset,
        "KEEP": f"--keep-daily {keep.daily} --keep-weekly {keep.weekly} --keep-monthly {keep.monthly}",
        "VOLUMES": " ".join(volume.name for volume in shares),
    }
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def repository(bucket: Bucket | None, below: str = "") -> str:
    """The place in restic's spelling; `below` is a path within a bucket's."""
    if bucket is None:
        return REPOSITORY
    scheme = "http" if bucket.insecure else "https"
    path = "/".join(part for part in (bucket.name, bucket.prefix, below) if part)
    return f"s3:{scheme}://{bucket.address}/{path}"


def repository_beside(config: StackConfig, bucket: Bucket | None, owner: str) -> str:
    """The place of one program's own copies."""
    return repository(bucket, f"observatory-{config.environment}/{owner}")


def _credentials(bucket: Bucket | None) -> tuple[File, ...]:
    """The keys as a file in AWS' own format; without one, restic asks for the machine's role."""
    if bucket is None or bucket.credentials is None:
        return ()
    keys = bucket.credentials
    text = (
        "[default]\n"
        f"aws_access_key_id = {secret_token(keys.access_key.secret)}\n"
        f"aws_secret_access_key = {secret_token(keys.secret_key.secret)}\n"
    )
    return (File("secrets/aws", text, reload=False),)


def _reference(context: Context, others: Sequence[Service]) -> str:
    """What ran when a copy was made: the stack file's values, and image, user and volumes of each service."""
    services = [
        {"name": each.name, "image": each.image, "user": each.user, "volumes": [volume.name for volume in each.volumes]}
        for each in others
    ]
    stack = context.config.model_dump(mode="json", exclude_unset=True)
    return json.dumps({"stack": stack, "services": services}, indent=2, sort_keys=True) + "\n"
