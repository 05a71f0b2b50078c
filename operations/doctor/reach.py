"""Diagnoses of the ways in: ports that do not answer, passwords, certificates, clocks."""

from __future__ import annotations

from collections.abc import Iterator

from operations.doctor.facts import Facts
from operations.doctor.findings import Diagnosis, Finding, Severity
from operations.doctor.programs import GONE

DAY = 24 * 3600
SOON = 14 * DAY
"""Seconds before its end from which a certificate has to be replaced."""
CLOCKS_APART = 30.0
"""Seconds by which two clocks may differ before samples, silences and alerts are dated wrongly."""


def engine(facts: Facts) -> Iterator[Finding]:
    """The platform does not answer, so containers cannot be looked at."""
    if "platform" in facts.missing:
        kind = "cluster" if facts.config.kubernetes else "Docker engine"
        key = "kubernetes.context" if facts.config.kubernetes else "docker.host"
        remedy = f"is it running, and is `{key}` of the stack file right? " + (
            f"{facts.kubectl} cluster-info" if facts.config.kubernetes else f"{facts.docker} info"
        )
        yield Finding(kind, facts.missing["platform"], remedy)


def silent(facts: Facts) -> Iterator[Finding]:
    """A published endpoint that does not answer, or not with what it should."""
    for name, failure in facts.failures.items():
        if failure.status not in (401, 403):
            remedy = f"does another program have its port? {_who_listens(facts, name)}\n{facts.up}"
            yield Finding(service_of(facts, name), failure.detail, remedy)


def _who_listens(facts: Facts, endpoint: str) -> str:
    service = facts.plan.service(service_of(facts, endpoint))
    ports = [str(port.published) for port in service.ports if port.published] if service else []
    return f"ss -ltnp 'sport = :{ports[0]}'" if ports else f"{facts.docker} ps"


def service_of(facts: Facts, endpoint: str) -> str:
    """The service behind an endpoint's name."""
    names = {"otlp": "jaeger", "grafana-login": "grafana"}
    if endpoint == "thanos":
        return "thanos-query-frontend" if facts.plan.service("thanos-query-frontend") else "thanos-query"
    if endpoint == "victoria-metrics" and facts.config.storage.victoria_cluster:
        return "vmselect"
    return names.get(endpoint, endpoint)


def refused_login(facts: Facts) -> Iterator[Finding]:
    """An endpoint that does not take the stack's own password."""
    for name, failure in facts.failures.items():
        if failure.status in (401, 403):
            yield Finding(service_of(facts, name), failure.detail, _password(facts, name))


def _password(facts: Facts, endpoint: str) -> str:
    if endpoint == "grafana-login":
        return (
            f"pulumi stack output grafanaAdminPassword --show-secrets --stack {facts.pulumi_stack}: is it the one "
            f"that you use? A changed one goes live by {facts.deploy}; then delete the cookies of Grafana's address"
        )
    secret = facts.config.access.password.secret if facts.config.access else "accessPassword"
    return (
        f"pulumi config get observatory:{secret} --stack {facts.pulumi_stack}: is it the one that you use? "
        f"A changed one goes live by {facts.deploy}"
    )


def certificate(facts: Facts) -> Iterator[Finding]:
    """A certificate that ends soon, or has: the stack's own, and those that probes look at."""
    ends = {service_of(facts, name): end for name, end in facts.certificates.items()}
    for series in facts.queries.get("certificate-expiring", ()):
        # Those of probes; the stack's own are asked for directly, so that a dead Prometheus hides none.
        if series.labels.get("probe") != "stack-certificate":
            ends.setdefault(series.where, series.value)
    for where, end in ends.items():
        left = end - facts.now
        if left < SOON:
            when = f"ends in {left / DAY:.1f} days" if left > 0 else f"ended {-left / DAY:.1f} days ago"
            own = facts.plan.service(where) is not None
            remedy = f"./observatory certs {facts.stack}, then {facts.deploy}" if own else "renew it where it is served"
            yield Finding(where, f"its certificate {when}", remedy)


def clocks(facts: Facts) -> Iterator[Finding]:
    """A clock that differs: the engine's from this machine's, or a host's from that of Prometheus."""
    remedy = "switch time synchronisation on there: timedatectl set-ntp true; chronyc tracking shows how far it is"
    if facts.platform_clock is not None and abs(facts.platform_clock - facts.now) > CLOCKS_APART:
        saw = f"the engine's clock is {facts.platform_clock - facts.now:+.0f} s from that of this machine"
        yield Finding("clock of the engine", saw, remedy)
    for series in facts.queries.get("clock-skew", ()):
        if abs(series.value) > CLOCKS_APART:
            yield Finding(series.where, f"its clock is {series.value:+.0f} s from that of Prometheus", remedy)


DIAGNOSES = (
    Diagnosis(
        "platform-unreachable",
        Severity.CRITICAL,
        "The Docker engine or the cluster does not answer, so nothing is known of the containers.",
        engine,
    ),
    Diagnosis(
        "endpoint-silent",
        Severity.CRITICAL,
        'A published port does not answer, or another program does ("connection refused").',
        silent,
        explained_by=GONE,
    ),
    Diagnosis(
        "endpoint-login-refused",
        Severity.CRITICAL,
        "A product does not take the password (401, 403, Grafana's login comes back again and again).",
        refused_login,
    ),
    Diagnosis(
        "certificate-expiring",
        Severity.CRITICAL,
        "A certificate ends within two weeks; then everything refuses it.",
        certificate,
        query="min by (instance, probe) (probe_ssl_earliest_cert_expiry)",
    ),
    Diagnosis(
        "clock-skew",
        Severity.WARNING,
        "Clocks differ: samples are thrown away, silences and alerts begin and end at the wrong time.",
        clocks,
        query="max by (instance) (node_time_seconds - timestamp(node_time_seconds))",
    ),
)
