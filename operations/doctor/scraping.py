"""Diagnoses of scrapes: why a target has no data, told by the reason that Prometheus gives."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from components.config.base import seconds
from operations.consistency import scrape_jobs
from operations.doctor.facts import Facts
from operations.doctor.findings import Diagnosis, Finding, Severity
from operations.doctor.programs import GONE
from operations.operated import job_of

Target = Mapping[str, Any]
NEARLY_LATE = 0.8
"""Share of the timeout from which a scrape is about to fail."""
_REASONS: Mapping[str, str] = {
    "target-refused": r"connection refused|no such host|no route to host|network is unreachable|server misbehaving|"
    r"connection reset|EOF|i/o timeout.*lookup",
    "target-unauthorised": r"HTTP status (401|403)|oauth2: ",
    "target-timeout": r"context deadline exceeded|Client\.Timeout|i/o timeout",
    "target-over-limit": r"limit exceeded|limit of \d+ exceeded|too many targets|sample_limit|exceed.*limit|"
    r"limit.*exceed",
    "target-certificate": r"x509|tls: |certificate",
}
"""Diagnosis to what Prometheus' error says then; what none of them knows is an answer that cannot be read."""


def reason(error: str) -> str:
    """The diagnosis of a scrape's error."""
    return next((name for name, said in _REASONS.items() if re.search(said, error)), "target-unreadable")


def _failing(facts: Facts, diagnosis: str, remedy: Callable[[Facts, Target], str]) -> Iterator[Finding]:
    """One finding for each failing place: a program of the stack with several jobs is told once."""
    found: dict[str, list[Target]] = defaultdict(list)
    for target in facts.answers["targets"]:
        if target["health"] == "down" and reason(target["lastError"]) == diagnosis:
            found[facts.service_at(target["scrapeUrl"])].append(target)
    for where, targets in found.items():
        jobs = ", ".join(sorted({job_of(facts.config, target["scrapePool"]) for target in targets}))
        last = targets[-1]
        yield Finding(where, f"{jobs}: {last['scrapeUrl']}: {last['lastError']}", remedy(facts, last))


def _service_key(facts: Facts, target: Target) -> str:
    return facts.service_key(job_of(facts.config, target["scrapePool"]))


def _to_reach(facts: Facts, target: Target) -> str:
    key = _service_key(facts, target)
    if not key:
        return facts.up
    advice = f"does it run, and listen on more than loopback? Then its address: `{key}.discovery` and `{key}.port`"
    if facts.config.kubernetes:
        return advice
    return f"{advice}; a container of yours is reached only through a network that `docker.networks` names"


def _to_log_in(facts: Facts, target: Target) -> str:
    key = _service_key(facts, target)
    if not key:
        return f"the password was changed and is not live everywhere: {facts.deploy}"
    return (
        f"`{key}.authentication` in the stack file, and its secret: pulumi config set --secret observatory:NAME "
        f"--stack {facts.pulumi_stack}; then {facts.deploy}"
    )


def _more_time(facts: Facts, target: Target) -> str:
    key = _service_key(facts, target) or "scrape"
    return (
        f"`{key}.timeout` (now {target['scrapeTimeout']}) and, where that is shorter, `{key}.interval`; or make the "
        f"program answer sooner: time curl -s {target['scrapeUrl']} | wc -l"
    )


def _higher_limit(facts: Facts, target: Target) -> str:
    key = _service_key(facts, target)
    most = f"curl -s {target['scrapeUrl']} | cut -d'{{' -f1 | sort | uniq -c | sort -n | tail"
    if not key:
        return f"which metric has so many series? {most}"
    return (
        f"labels with ever new values (user ids, times, whole paths) first: {most}\n"
        f"then `{key}.drop`, or a higher `{key}.sample_limit`, `label_limit`, `target_limit`"
    )


def _right_certificate(facts: Facts, target: Target) -> str:
    key = _service_key(facts, target)
    if not key:
        return f"./observatory certs {facts.stack}, then {facts.deploy}"
    return f"`{key}.tls.ca` for an own authority, `{key}.tls.server_name` for another name; `{key}.scheme`"


def _readable(facts: Facts, target: Target) -> str:
    key = _service_key(facts, target)
    if not key:
        return f"{facts.logs(facts.service_at(target['scrapeUrl']))}"
    return (
        f"`{key}.path` and `{key}.scheme`; without a known Content-Type `{key}.fallback_protocol`; "
        f"look: curl -i {target['scrapeUrl']} | head"
    )


_TOLD: Mapping[str, tuple[str, Callable[[Facts, Target], str]]] = {
    "target-refused": ("Nothing listens at a target's address, or it cannot be reached.", _to_reach),
    "target-unauthorised": ("A target does not take Prometheus' login (401, 403, OAuth2).", _to_log_in),
    "target-timeout": ('A scrape takes longer than its timeout ("context deadline exceeded").', _more_time),
    "target-over-limit": (
        'A scrape is lost as a whole because it is over a limit ("too many samples").',
        _higher_limit,
    ),
    "target-certificate": ("A target's certificate is refused.", _right_certificate),
    "target-unreadable": ("A target answers with something that is no metrics: 404, 500, a web page.", _readable),
}


def _look(name: str) -> Callable[[Facts], Iterator[Finding]]:
    return lambda facts: _failing(facts, name, _TOLD[name][1])


def without_targets(facts: Facts) -> Iterator[Finding]:
    """A planned job whose discovery finds nothing."""
    pools = {job_of(facts.config, target["scrapePool"]) for target in facts.answers["targets"]}
    for job in scrape_jobs(facts.plan):
        name = job["job_name"]
        if name not in pools:
            key = facts.service_key(name)
            where = f"`{key}.discovery`" if key else "the planned job"
            yield Finding(name, "its discovery finds no target", f"check {where}; was it deployed? {facts.deploy}")


def empty(facts: Facts) -> Iterator[Finding]:
    """A target that answers well, and with no sample that is kept."""
    for series in facts.queries["target-empty"]:
        job = series.labels.get("job", "")
        key = facts.service_key(job)
        if not key:
            continue  # programs of the stack may have nothing to tell yet
        yield Finding(
            series.where,
            f"job {job}: scraped without an error, and no sample is kept of it",
            f"`{key}.path`: is it that of the metrics? `{key}.keep` and `{key}.drop`: do they leave anything?",
        )


def slow(facts: Facts) -> Iterator[Finding]:
    """A target that answers only just in time."""
    for target in facts.answers["targets"]:
        took, limit = target.get("lastScrapeDuration", 0.0), seconds(target["scrapeTimeout"])
        if target["health"] == "up" and took > NEARLY_LATE * limit:
            where = facts.service_at(target["scrapeUrl"])
            saw = f"job {target['scrapePool']}: a scrape takes {took:.1f} s of its {limit:g} s"
            yield Finding(where, saw, _more_time(facts, target))


def discovery(facts: Facts) -> Iterator[Finding]:
    """Targets that Prometheus could not ask for, or not make out of what it was told."""
    for series in facts.queries["discovery-failing"]:
        what = series.labels.get("mechanism") or series.labels.get("config") or series.labels.get("scrape_job", "?")
        saw = f"discovery of {what} failed {series.value:.0f} times in the last minutes; new targets are not found"
        pool = series.labels.get("config") or series.labels.get("scrape_job", "")
        key = facts.service_key(job_of(facts.config, pool)) or "services[]"
        yield Finding("prometheus", saw, f"{facts.logs('prometheus')}\nthen `{key}.discovery` of the stack file")


_NEEDS = ("prometheus",)
DIAGNOSES = (
    *(
        Diagnosis(name, Severity.CRITICAL, means, _look(name), _NEEDS, explained_by=(*GONE, "endpoint-silent"))
        for name, (means, _) in _TOLD.items()
    ),
    Diagnosis(
        "job-without-target", Severity.WARNING, "A scrape job's discovery finds nothing.", without_targets, _NEEDS
    ),
    Diagnosis(
        "target-empty",
        Severity.WARNING,
        'A target answers, and nothing of it is stored ("no data").',
        empty,
        _NEEDS,
        query="min by (job, instance) (scrape_samples_post_metric_relabeling) == 0 and on (job, instance) up == 1",
    ),
    Diagnosis("scrape-slow", Severity.WARNING, "A scrape takes nearly as long as it may.", slow, _NEEDS),
    Diagnosis(
        "discovery-failing",
        Severity.WARNING,
        "Prometheus cannot find targets.",
        discovery,
        _NEEDS,
        query=(
            "sum by (mechanism, config) (increase(prometheus_sd_refresh_failures_total[$window])) > 0 or "
            "sum by (scrape_job) (increase(prometheus_target_sync_failed_total[$window])) > 0"
        ),
    ),
)
