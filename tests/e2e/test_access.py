"""TLS and a password before everything that can have them: on, rotated, off and on again."""

from __future__ import annotations

import ssl
from secrets import token_hex

import httpx
import pytest

from tests.e2e.engine import until
from tests.e2e.stack import Stack

OPEN = {"jaeger", "jaeger-spans", "cadvisor"}
"""Scrape pools of programs without access control of their own."""


def trust(stack: Stack) -> None:
    """Believe in the authority that the stack's certificate is signed by now."""
    authority = stack.pulumi("config", "get", "observatory:tlsCa").output
    stack.authority = ssl.create_default_context(cadata=authority)


@pytest.fixture
def protected(access_stack: Stack) -> Stack:
    """The stack with access control, running its base configuration."""
    stack = access_stack
    stack.configure()
    if stack.credentials is None:
        certificates = stack.project.run("./observatory", "certs", stack.environment)
        assert certificates.code == 0, certificates
        stack.set_secret("accessPassword", "first-password-e1a7")
        stack.credentials = ("observatory", "first-password-e1a7")
    if stack.dirty:
        stack.up(what="up from nothing with TLS and passwords")
    trust(stack)  # a test that failed may have left another authority
    return stack


def refuses(stack: Stack, auth: tuple[str, str] | None) -> bool:
    """Whether Prometheus and Alertmanager want other credentials."""
    paths = {"prometheus": "/api/v1/query?query=1", "alertmanager": "/api/v2/status"}
    with httpx.Client(verify=stack.authority, trust_env=False, auth=auth, timeout=60) as client:
        answers = [client.get(f"https://localhost:{stack.ports[name]}{path}") for name, path in paths.items()]
    return all(answer.status_code == 401 for answer in answers)


def test_everything_talks_through_tls_with_a_password(protected: Stack) -> None:
    """Scrapes, alerts and health checks work; nobody else gets in."""
    stack = protected
    pools = stack.targets_up("alertmanager", "node-exporter", "probe-prometheus-ready", "prometheus")
    assert len(pools) >= 7
    targets = stack.get("prometheus", "/api/v1/targets", state="active")["data"]["activeTargets"]
    for target in targets:
        scheme = "http" if target["scrapePool"] in OPEN else "https"
        assert target["scrapeUrl"].startswith(f"{scheme}://"), target["scrapeUrl"]
    assert refuses(stack, None)
    assert refuses(stack, ("observatory", "wrong"))
    with httpx.Client(trust_env=False, timeout=60) as client:
        answer = client.get(f"http://localhost:{stack.ports['prometheus']}/-/ready")
    assert answer.status_code == 400, "plain HTTP gets an answer from a TLS port"
    watchdog = {"filter": 'alertname="Watchdog"'}
    until(
        lambda: stack.get("alertmanager", "/api/v2/alerts", **watchdog), "the Watchdog, sent with TLS and password", 180
    )
    stack.no_changes()
    outcome = stack.project.run("./observatory", "verify", stack.environment, "--timeout", "180")
    assert outcome.code == 0, outcome


def test_a_rotated_password_takes_effect(protected: Stack) -> None:
    """The old one is refused at once; scrapes and alerts go on; no container was restarted."""
    stack, before = protected, protected.starts()
    old, password = stack.credentials, token_hex(16)
    stack.set_secret("accessPassword", password)
    stack.credentials = ("observatory", password)
    stack.up(what="a rotated password is live")
    until(lambda: refuses(stack, old), "the old password is refused", 180)
    assert not refuses(stack, stack.credentials)
    stack.targets_up()
    assert stack.starts() == before
    stack.no_changes()


def test_rotated_certificates_take_effect(protected: Stack) -> None:
    """A new authority and certificate are used by servers and clients, again without a restart."""
    stack, before = protected, protected.starts()
    old = stack.authority
    certificates = stack.project.run("./observatory", "certs", stack.environment)
    assert certificates.code == 0, certificates
    stack.up(what="rotated certificates are live")
    trust(stack)
    stack.targets_up()
    new, stack.authority = stack.authority, old
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        stack.text("prometheus", "/-/ready", patience=0)
    stack.authority = new
    assert stack.starts() == before
    until(lambda: stack.query('up{job="alertmanager"} == 1'), "a scrape with the new authority", 180)


def test_health_checks_get_in(protected: Stack) -> None:
    """Those of the engine use TLS, the rotated password and the rotated authority."""
    protected.await_health()


def test_access_off_and_on_again(protected: Stack) -> None:
    """That is another way to start the programs: their containers are replaced, their data stays."""
    stack = protected
    at, before = stack.remember_sample(), stack.starts()
    stack.configure(access=None)
    stack.up(what="access control off")
    credentials, stack.credentials = stack.credentials, None
    assert stack.has_sample(at)
    stack.targets_up()
    after = stack.starts()
    assert {"alertmanager", "node-exporter", "prometheus"} <= {name for name in before if after[name] != before[name]}
    stack.configure()
    stack.credentials = credentials
    stack.up(what="access control on")
    assert stack.has_sample(at)
    assert refuses(stack, None)
    stack.targets_up()
