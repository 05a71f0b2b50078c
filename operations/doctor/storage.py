"""Diagnoses of what is stored: disks, the write-ahead log, blocks, copies elsewhere."""

from __future__ import annotations

from collections.abc import Iterator

from operations.doctor.facts import Facts
from operations.doctor.findings import Diagnosis, Finding, Severity
from operations.doctor.programs import last_words

FULL, FILLING = 0.03, 0.1
"""Shares of a disk's space that are left when it counts as full, and as filling."""
BEHIND = 120.0
"""Seconds that a remote storage may be behind."""
NO_SPACE = r"no space left on device|disk quota exceeded|ENOSPC"
CORRUPT = r"corruption|corrupted|WAL read error|unexpected (checksum|non-zero byte)|opening storage failed"
_DISK = 'fstype!~"tmpfs|ramfs|overlay|squashfs|iso9660|nsfs|autofs|fuse.*"'


def full(facts: Facts) -> Iterator[Finding]:
    """A program that cannot write, by its own words; or a disk on which nothing is left."""
    for name in facts.programs:
        if said := facts.said(name, NO_SPACE):
            yield Finding(name, f"it cannot write: {said.strip()[-300:]}", _space(facts, name))
    for series in facts.queries.get("disk-full", ()):
        yield Finding(_disk(series.labels), f"{series.value:.1%} of its space is left", _space(facts, "prometheus"))


def filling(facts: Facts) -> Iterator[Finding]:
    """A disk with little space left, which gets less."""
    for series in facts.queries["disk-filling"]:
        if series.value >= FULL:
            yield Finding(_disk(series.labels), f"{series.value:.1%} of its space is left", _space(facts, "prometheus"))


def _disk(labels: object) -> str:
    return "{instance} {mountpoint}".format_map(_Unknown(labels))  # type: ignore[call-overload]


class _Unknown(dict[str, str]):
    def __missing__(self, key: str) -> str:
        return "?"


def _space(facts: Facts, name: str) -> str:
    look = f"{facts.docker} system df -v | grep observatory; df -h"
    if facts.config.kubernetes:
        look = f"{facts.kubectl} get pvc"
    service = facts.plan.service(name)
    if service and service.group == "prometheus":
        volume = "`kubernetes.volumes.prometheus`, or less: " if facts.config.kubernetes else ""
        return f"{look}\n{volume}`retention.size` (80 % of the disk at most) and `retention.time`, then {facts.deploy}"
    if name.startswith("jaeger"):
        return f"{look}\n`tracing.retention` in the stack file, then {facts.deploy}"
    return look


def wal(facts: Facts) -> Iterator[Finding]:
    """A log of samples that could not be read at the start."""
    count = facts.answers.get("runtime", {}).get("corruptionCount", 0)
    if count:
        saw = f"its write-ahead log was corrupt in {count} places when it started; the samples behind them are lost"
        said = facts.said("prometheus", CORRUPT, within=3600)
        back = f"a restore brings them back: ./observatory restore {facts.stack}" if facts.config.backup else ""
        remedy = f"it has repaired itself; was it killed, or its disk full?\n{back}".strip()
        yield Finding("prometheus", f"{saw}\n{said}".strip(), remedy)
        return
    for name, program in facts.programs.items():
        service = facts.plan.service(name)
        if service and service.group == "prometheus" and program.state != "running" and facts.said(name, CORRUPT):
            backup = (
                f"./observatory restore {facts.stack}" if facts.config.backup else "there is no `backup` to restore"
            )
            saw = f"it cannot read its own data{last_words(program)}"
            yield Finding(name, saw, backup if facts.config.kubernetes else f"{backup}\n{_without_log(facts, name)}")


def _without_log(facts: Facts, name: str) -> str:
    """The commands that let a Prometheus start without its write-ahead log, which stays beside."""
    container = facts.container(name)
    moved = f"run --rm --volumes-from {container} busybox mv /prometheus/wal /prometheus/wal.bad"
    return f"or give up the last two hours: {facts.docker} {moved}; {facts.docker} start {container}"


def compaction(facts: Facts) -> Iterator[Finding]:
    """Blocks that cannot be merged or read."""
    for series in facts.queries["compaction-failed"]:
        saw = f"merging or loading blocks failed {series.value:.0f} times in the last minutes"
        said = facts.said("prometheus", r"(?i)compact|block.*(fail|err)|reload.*block", 300)
        remedy = f"is its disk full? Else a block is broken: {facts.logs('prometheus')} names it; move its folder away"
        yield Finding(facts.service_at(series.where), f"{saw}\n{said}".strip(), remedy)


def remote(facts: Facts) -> Iterator[Finding]:
    """A remote storage that does not take samples as fast as they come."""
    for series in facts.queries["remote-storage-behind"]:
        to = series.labels.get("url") or series.labels.get("remote_name", "?")
        saw = f"{to} is {series.value:.0f} s behind" if series.value > BEHIND else f"{to} refuses samples"
        remedy = f"does it run, and take the login? {facts.logs('prometheus')}"
        yield Finding(facts.service_at(series.where), saw, remedy)


def bucket(facts: Facts) -> Iterator[Finding]:
    """A bucket that cannot be written or read, or whose compactor has stopped."""
    for series in facts.queries["bucket-failing"]:
        where = facts.service_at(series.where)
        if series.labels.get("what") == "halted":
            saw = "the compactor has halted: something in the bucket is not as it has to be"
        else:
            saw = f"{series.value:.0f} of its operations on the bucket failed in the last minutes"
        yield Finding(where, saw, f"{facts.logs(where)}\nthen `storage.bucket`: its endpoint, name and credentials")


_NEEDS = ("prometheus",)
_LEFT = f"node_filesystem_avail_bytes{{{_DISK}}} / (node_filesystem_size_bytes{{{_DISK}}} > 0)"
DIAGNOSES = (
    Diagnosis(
        "disk-full",
        Severity.CRITICAL,
        "A program cannot write any more.",
        full,
        query=f"min by (instance, mountpoint) ({_LEFT}) < {FULL}",
    ),
    Diagnosis(
        "disk-filling",
        Severity.WARNING,
        "Little space is left on a disk.",
        filling,
        _NEEDS,
        query=f"min by (instance, mountpoint) ({_LEFT}) < {FILLING}",
    ),
    Diagnosis(
        "wal-corrupt",
        Severity.CRITICAL,
        'Prometheus could not read its write-ahead log ("error reading Prometheus").',
        wal,
        explained_by=("disk-full",),
    ),
    Diagnosis(
        "compaction-failed",
        Severity.CRITICAL,
        "Prometheus cannot merge or load its blocks; its disk fills, and old samples may be missing.",
        compaction,
        _NEEDS,
        query=(
            "sum by (instance) (increase(prometheus_tsdb_compactions_failed_total[5m]) "
            "+ increase(prometheus_tsdb_reloads_failures_total[5m])) > 0"
        ),
        explained_by=("disk-full",),
    ),
    Diagnosis(
        "remote-storage-behind",
        Severity.CRITICAL,
        "Samples do not reach the remote storage in time.",
        remote,
        _NEEDS,
        query=(
            "(max by (instance) (prometheus_remote_storage_highest_timestamp_in_seconds) - on (instance) "
            "group_right () max by (instance, url, remote_name) "
            "(prometheus_remote_storage_queue_highest_sent_timestamp_seconds > 0)) > 120 or "
            "sum by (instance, url, remote_name) "
            "(increase(prometheus_remote_storage_samples_failed_total[$window])) > 0"
        ),
    ),
    Diagnosis(
        "bucket-failing",
        Severity.CRITICAL,
        "Samples do not reach the bucket, or cannot be had from it.",
        bucket,
        _NEEDS,
        query=(
            "sum by (instance) (increase(thanos_objstore_bucket_operation_failures_total[$window])) > 0 or "
            'label_replace(max by (instance) (thanos_compact_halted) == 1, "what", "halted", "", "")'
        ),
    ),
)
