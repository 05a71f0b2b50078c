"""Backup: copies the stack's data into a restic repository, on a schedule, and tells Prometheus how that went."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from components.config.backup import Backup
from components.config.storage import Bucket
from components.context import Context
from components.services.grafana_dump import NAME as GRAFANA_DUMP
from components.services.probes import port_probe
from components.spec import Call, File, HostMount, Metrics, Service, Volume, secret_token

NAME, PORT = "backup", 9199
FOLDER = "/etc/backup"
STATE = "/var/lib/backup"
REPOSITORY = "/repository"
SCRIPT = f"{FOLDER}/current/backup.sh"
STATE_VOLUME = Volume("backup-data", STATE)
_HERE = Path(__file__).parent


def data_path(volume: str) -> str:
    """Where the backup sees a volume of another service; also where it stands in a snapshot."""
    return f"/data/{volume}"


def backup(context: Context) -> Service:
    """Plan the backup; `covering` gives it the data of the others once they are planned.

    It runs as root, with the three rights that it takes to read and restore the files of other users.
    """
    settings = _settings_of(context)
    folder = settings.to.folder
    return Service(
        name=NAME,
        product="Backup",
        image=context.image(NAME),
        user="0:0",
        resources=context.resources(NAME, memory=512, cpus=0.5),
        entrypoint=("sh", SCRIPT),
        args=("serve",),
        env=(("HOME", STATE), ("TMPDIR", f"{STATE}/tmp")),
        config_folder=FOLDER,
        host_mounts=(HostMount(folder, REPOSITORY, writable=True),) if folder else (),
        volumes=(STATE_VOLUME,),
        capabilities=("CHOWN", "DAC_OVERRIDE", "FOWNER"),
        calls=(Call(),) if settings.to.bucket else (),
        scratch=("/tmp",),
        probe=port_probe(PORT),
        metrics=(Metrics(NAME, PORT),),
    )


def covering(service: Service, context: Context, others: Sequence[Service]) -> Service:
    """The backup, of the volumes of those among `others` whose data the stack file asks for."""
    settings = _settings_of(context)
    shares = tuple(
        Volume(volume.name, data_path(volume.name))
        for other in others
        if _belongs_to(other) in settings.include
        for volume in other.volumes
    )
    return replace(service, files=_files(context, settings, others, shares), shares=shares)


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


def _files(context: Context, settings: Backup, others: Sequence[Service], shares: Sequence[Volume]) -> tuple[File, ...]:
    """All but the script are read again for each run."""
    return (
        File("backup.sh", (_HERE / "backup.sh").read_text(encoding="utf-8"), live=False),
        File("metrics.sh", (_HERE / "backup_metrics.sh").read_text(encoding="utf-8"), reload=False),
        File("settings", _settings(context, settings, shares), reload=False),
        File("stack.json", _reference(context, others), reload=False),
        File("secrets/password", secret_token(settings.password.secret), reload=False),
        *_credentials(settings.to.bucket),
    )


def _settings(context: Context, settings: Backup, shares: Sequence[Volume]) -> str:
    """Variables for the script, in the shell's own spelling."""
    period, offset = settings.period
    keep = settings.keep
    bucket = settings.to.bucket
    values: dict[str, Any] = {
        "ENVIRONMENT": context.config.environment,
        "RESTIC_REPOSITORY": repository(bucket),
        "AWS_DEFAULT_REGION": bucket.region if bucket else "",
        "BUCKET_LOOKUP": "path" if bucket and bucket.path_style else "auto",
        "PERIOD": period,
        "OFFSET": offset,
        "KEEP": f"--keep-daily {keep.daily} --keep-weekly {keep.weekly} --keep-monthly {keep.monthly}",
        "VOLUMES": " ".join(volume.name for volume in shares),
    }
    return "".join(f"{name}={shlex.quote(str(value))}\n" for name, value in values.items())


def repository(bucket: Bucket | None) -> str:
    """The place in restic's spelling."""
    if bucket is None:
        return REPOSITORY
    scheme = "http" if bucket.insecure else "https"
    prefix = f"/{bucket.prefix}" if bucket.prefix else ""
    return f"s3:{scheme}://{bucket.address}/{bucket.name}{prefix}"


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
