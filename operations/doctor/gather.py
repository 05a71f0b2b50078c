"""Gathers all facts at once: containers from their platform, the rest from whatever answers. Bounded in time."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

import httpx
from docker.errors import DockerException

from components.config import StackConfig
from components.config.base import seconds
from components.platforms.errors import DeploymentError
from components.spec import Plan
from operations.cluster import Cluster, forwarded
from operations.doctor.cluster_view import cluster_view
from operations.doctor.engine_view import engine_view
from operations.doctor.facts import Facts, Program, Series
from operations.doctor.findings import Diagnosis
from operations.errors import CommandError
from operations.http import Endpoint
from operations.operated import is_operated
from operations.results import Result
from operations.running import Check, CheckFailed, NotChecked, Running, run_check
from operations.verify import planned_checks

AT_ONCE = 16
"""Questions at a time: enough to be quick, few enough for a server that is in trouble."""
_READY = {
    "prometheus": "/-/ready",
    "alertmanager": "/-/ready",
    "jaeger": "/api/services",
    "grafana": "/api/health",
    "grafana-login": "/api/org",
    # Not its readiness: the query frontend's asks the querier without the password that this one may want.
    "thanos": "/-/healthy",
}
"""Endpoint to what it answers when it works."""
Question = tuple[str, str, Mapping[str, str], Callable[[Any], Any]]
_QUESTIONS: Mapping[str, Question] = {
    "targets": ("prometheus", "/api/v1/targets", {"state": "active"}, lambda found: found["data"]["activeTargets"]),
    "rules": ("prometheus", "/api/v1/rules", {}, lambda found: found["data"]["groups"]),
    "runtime": ("prometheus", "/api/v1/status/runtimeinfo", {}, lambda found: found["data"]),
    "tsdb": ("prometheus", "/api/v1/status/tsdb", {}, lambda found: found["data"]),
    "names": ("prometheus", "/api/v1/label/__name__/values", {}, lambda found: found["data"]),
    "alerts": ("alertmanager", "/api/v2/alerts", {}, list),
    "silences": ("alertmanager", "/api/v2/silences", {}, list),
    "services": ("jaeger", "/api/services", {}, lambda found: found["data"] or []),
}
"""What the products themselves are asked: endpoint, path, parameters, and what of the answer is a fact."""
_CHECKED = (
    "prometheus sends to alertmanager",
    "prometheus runs the planned configuration",
    "prometheus runs the planned rules",
    "alertmanager runs the planned configuration",
    "the alertmanagers are one cluster",
    "every datasource works",
    "every dashboard is there",
)
"""Checks of `verify` that change nothing and tell of a known failure."""


@contextmanager
def reached(
    config: StackConfig, plan: Plan, wanted: Sequence[tuple[str, str]]
) -> Iterator[tuple[Plan, dict[str, str]]]:
    """The plan with its ports as they are reached from here; and of services without a way to them, why."""
    reasons: dict[str, str] = {}
    with ExitStack() as ways:
        for product, port in wanted:
            try:
                plan = ways.enter_context(forwarded(config, plan, {(product, port)}))
            except CommandError as error:
                reasons[product] = error.message
        yield plan, reasons


def gather(
    config: StackConfig,
    plan: Plan,
    stack: str,
    endpoints: Mapping[str, Endpoint],
    unreachable: Mapping[str, str],
    diagnoses: Sequence[Diagnosis],
) -> Facts:
    """Ask everything that answers, a few questions at a time; what does not is a fact as well."""
    with ThreadPoolExecutor(AT_ONCE) as pool, ThreadPoolExecutor(AT_ONCE) as asking:
        missing = {name: f"{name} is not part of this stack" for name in _READY if name not in endpoints} | dict(
            unreachable
        )
        seen = pool.submit(_programs, config, plan, asking)
        failures = _failures(pool, endpoints)
        missing |= {name: f"{name} does not answer: {failure.detail}" for name, failure in failures.items()}
        answering = {name: each for name, each in endpoints.items() if name not in failures}
        answers = {
            name: pool.submit(_answer, answering[question[0]], question)
            for name, question in _QUESTIONS.items()
            if question[0] in answering
        }
        queries = {
            each.name: pool.submit(_query, answering["prometheus"], _windowed(config, each.query))
            for each in diagnoses
            if each.query and "prometheus" in answering
        }
        running = Running(config, plan, answering, 0.0, missing)
        silent: dict[str, CheckFailed] = {}
        checks = {each.name: pool.submit(_check, each, running, silent) for each in _checks(plan, config, answering)}
        certificates = {
            name: pool.submit(certificate_end, each.url)
            for name, each in endpoints.items()
            if each.url.startswith("https")
        }
        found = _settled(answers, failures, missing)
        asked = _settled(queries, failures, missing)
        checked = {name: future.result() for name, future in checks.items()}
        for name, failure in silent.items():
            failures.setdefault(name, failure)
            missing.setdefault(name, failure.detail)
        programs, clock, reason = seen.result()
        if reason:
            missing["platform"] = reason
        return Facts(
            config=config,
            plan=plan,
            stack=stack,
            now=time.time(),
            platform_clock=clock,
            programs=programs,
            answers=found,
            queries=asked,
            checks=checked,
            failures=failures,
            certificates={name: end for name, future in certificates.items() if (end := future.result())},
            missing=missing,
        )


def _programs(
    config: StackConfig, plan: Plan, pool: ThreadPoolExecutor
) -> tuple[dict[str, Program], float | None, str]:
    try:
        if config.kubernetes:
            return cluster_view(Cluster(config), plan, pool, is_operated(config)), None, ""
        before = time.time()
        programs, clock = engine_view(config.docker.host or "", plan, pool)
        # As if it had been read at the end: what the questions took is no skew.
        return programs, clock + (time.time() - before) if clock else None, ""
    except (DeploymentError, CommandError, DockerException, OSError) as error:
        return {}, None, getattr(error, "message", "") or str(error)


def _failures(pool: ThreadPoolExecutor, endpoints: Mapping[str, Endpoint]) -> dict[str, CheckFailed]:
    """Endpoints that do not answer as they do when they work."""

    def failure(name: str) -> CheckFailed | None:
        try:
            endpoints[name].get(_READY[name])
        except CheckFailed as error:
            return error
        return None

    names = [name for name in endpoints if name in _READY]
    return {name: error for name, error in zip(names, pool.map(failure, names), strict=True) if error}


def _answer(endpoint: Endpoint, question: Question) -> Any:
    _, path, parameters, of = question
    return of(endpoint.get_json(path, **parameters))


def _query(endpoint: Endpoint, expression: str) -> tuple[Series, ...]:
    result = endpoint.prometheus("/api/v1/query", query=expression)["result"]
    return tuple(Series(each["metric"], float(each["value"][1])) for each in result)


def _windowed(config: StackConfig, expression: str) -> str:
    """The query with a range of a few scrapes, two minutes at least."""
    return expression.replace("$window", f"{max(120, 4 * int(seconds(config.scrape.interval)))}s")


def _checks(plan: Plan, config: StackConfig, answering: Mapping[str, Endpoint]) -> list[Check]:
    return [
        check
        for check in planned_checks(plan, config)
        if check.name in _CHECKED and all(need in answering for need in check.needs)
    ]


def _check(check: Check, running: Running, silent: dict[str, CheckFailed]) -> Result:
    """Its result. No answer is none, but a fact of the server, which is among the silent ones then."""

    def run(running: Running) -> str:
        try:
            return check.run(running)
        except CheckFailed as error:
            if not error.status and not isinstance(error.__context__, httpx.TransportError):
                raise
            said = (name for name in check.needs if error.detail.startswith(running.endpoints[name].service))
            silent[next(said, check.needs[0])] = error
            raise NotChecked(error.detail) from None

    return run_check(replace(check, run=run), running)


def _settled(
    futures: Mapping[str, Future[Any]], failures: dict[str, CheckFailed], missing: dict[str, str]
) -> dict[str, Any]:
    """The answers; a server that stops answering meanwhile is a failure like one that never did."""
    found = {}
    for name, future in futures.items():
        try:
            found[name] = future.result()
        except (CheckFailed, KeyError, TypeError, ValueError) as error:
            source = _QUESTIONS[name][0] if name in _QUESTIONS else "prometheus"
            reason = (
                error
                if isinstance(error, CheckFailed)
                else CheckFailed(f"{source} answers in an unknown shape: {error}")
            )
            failures.setdefault(source, reason)
            missing.setdefault(source, reason.detail)
    return found


def certificate_end(url: str) -> float:
    """When the certificate that an endpoint shows ends, whoever signed it; 0 where it shows none."""
    from cryptography import x509

    parts = urlsplit(url)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with suppress(OSError), socket.create_connection((parts.hostname or "", parts.port or 443), 5) as plain:
        with context.wrap_socket(plain, server_hostname=parts.hostname) as secured:
            shown = secured.getpeercert(binary_form=True)
        if shown:
            return x509.load_der_x509_certificate(shown).not_valid_after_utc.timestamp()
    return 0.0
