"""VictoriaMetrics, one node: takes all samples from Prometheus, keeps them for long, and answers queries over them.

A cluster of it, in `victoria_cluster`, is told the same.
"""

from __future__ import annotations

from math import ceil

from components.config.base import seconds
from components.context import Context
from components.services.probes import port_probe
from components.spec import File, Metrics, Service, Volume

NAME, PORT = "victoria-metrics", 8428
WRITE_PATH = "/api/v1/write"
_FOLDER = "/etc/victoria-metrics"
_DAY = 86400


def victoria_metrics(context: Context) -> Service:
    """Plan the node. It has no configuration file: all that can be said is an argument, so a change replaces it."""
    return Service(
        name=NAME,
        product="VictoriaMetrics",
        image=context.image(NAME),
        user="65534:65534",
        resources=context.resources(NAME, memory=1024, cpus=1.0),
        config_folder=_FOLDER,
        files=access_files(context, _FOLDER),
        args=(*keeping(context, "/victoria-metrics-data"), *deduplication(context), *serving(context, _FOLDER, PORT)),
        ports=(context.port("http", PORT, "victoria", context.access.scheme),),
        volumes=(Volume(f"{NAME}-data", "/victoria-metrics-data"),),
        probe=port_probe(PORT),
        stop_grace=120,
        metrics=(Metrics(NAME, PORT, protected=True),),
    )


def keeping(context: Context, folder: str) -> tuple[str, ...]:
    """Arguments of a program that keeps samples: where, and for how long."""
    kept = ceil(seconds(context.config.storage.victoria.retention) / _DAY)
    return (
        f"-storageDataPath={folder}",
        f"-retentionPeriod={kept}d",
        # What it has taken and not written yet is lost when it is killed: at most about four times this. It is the
        # shortest that has an effect; the default is 5s.
        "-inmemoryDataFlushInterval=2s",
        # A snapshot that is forgotten would keep the disk of everything that is merged or deleted after it.
        "-snapshotsMaxAge=3d",
    )


def deduplication(context: Context) -> tuple[str, ...]:
    """With replicas of Prometheus: of the samples of one series, one in each interval.

    The shortest interval of the stack, for with a longer one samples would go that no replica has twice.
    """
    if len(context.replicas("prometheus")) == 1:
        return ()
    config = context.config
    asked = [config.scrape.interval, config.scrape.evaluation_interval]
    asked += [service.interval for service in config.services]
    asked += [probe.interval for probe in config.probes]
    return (f"-dedup.minScrapeInterval={min((each for each in asked if each), key=seconds)}",)


def access_files(context: Context, folder: str) -> tuple[File, ...]:
    """Certificate, key and password; each is read again by itself when it changes."""
    needed = ("tls.crt", "tls.key", "secrets/access-password")
    every = (*context.access.server_files(), *context.access.client_files(f"{folder}/current"))
    return tuple(file for file in every if file.path in needed)


def serving(context: Context, folder: str, port: int) -> tuple[str, ...]:
    """Arguments of a program that answers over HTTP: where, and to whom. `folder` is that of its files."""
    access, listening = context.config.access, f"-httpListenAddr=:{port}"
    if access is None:
        return (listening,)
    folder = f"{folder}/current"
    return (
        listening,
        "-tls",
        f"-tlsCertFile={folder}/tls.crt",
        f"-tlsKeyFile={folder}/tls.key",
        "-tlsMinVersion=TLS12",
        f"-httpAuth.username={access.username}",
        f"-httpAuth.password=file://{folder}/secrets/access-password",
    )
