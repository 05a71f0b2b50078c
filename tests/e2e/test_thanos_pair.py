"""Two Prometheus behind Thanos, every connection by TLS: either is killed again and again, and nobody sees a gap."""

from __future__ import annotations

import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import httpx
import pytest
from docker.models.containers import Container

from operations.checks.thanos import CHECKS, RULER_CHECKS
from tests.e2e.engine import Engine, free_ports, until
from tests.e2e.lengths import Lengths
from tests.e2e.project import Project
from tests.e2e.pushing import Pushing
from tests.e2e.receiver import Receiver
from tests.e2e.replicas import deliveries
from tests.e2e.s3 import ACCESS_KEY, SECRET_KEY, S3Server
from tests.e2e.stack import TIMINGS, Stack

REPLICAS, SIDECARS = ("prometheus", "prometheus-2"), ("thanos-sidecar", "thanos-sidecar-2")
INTERVAL = 1
"""Seconds between scrapes."""
PAUSE = 8 * INTERVAL
"""Seconds without a sample of the one killed, at least: more than those that its death may show of both as one."""
APART = 12 * INTERVAL
"""Seconds from one death to the next, at least."""
SCRAPED = 'up{job="node-exporter"}'
TLS = {"ca": {"secret": "tlsCa"}, "certificate": {"secret": "tlsCertificate"}, "key": {"secret": "tlsKey"}}
PROMISE = {"objectives": {"availability": {"target": "99.9%"}}}
GRPC = 10901


@dataclass
class Pair:
    """The stack, and the webhook that its alerts go to."""

    stack: Stack
    receiver: Receiver

    def asked(self, query: str, **more: str) -> list[dict[str, Any]]:
        """What Thanos answers to a query of now, be it whole or not."""
        with suppress(httpx.TransportError, AssertionError):
            answer = self.stack.get("thanos", "/api/v1/query", query=query, **more)
            found: list[dict[str, Any]] = answer["data"]["result"]
            return found
        return []

    def alone(self, seconds: float, end: float | None = None) -> list[dict[str, Any]]:
        """The samples of each Prometheus by itself, of some seconds up to a time or now."""
        return self.asked(f"{SCRAPED}[{seconds:.0f}s]", dedup="false", time=f"{end or time.time():.3f}")

    def address(self, container: Container) -> str:
        """In the stack's network."""
        container.reload()
        networks = container.attrs["NetworkSettings"]["Networks"]
        return str(networks[f"observatory-{self.stack.environment}"]["IPAddress"])

    def scrapes(self, prometheus: Container, since: float) -> bool:
        """Whether a Prometheus has samples of after a time, as it says itself."""
        url = f"https://{self.address(prometheus)}:9090/api/v1/query"
        # By address, which no certificate is valid for.
        with (
            suppress(httpx.TransportError),
            httpx.Client(verify=False, auth=self.stack.credentials, trust_env=False, timeout=60) as client,
        ):
            answer = client.get(url, params={"query": f"max(timestamp({SCRAPED}))"})
            found = answer.json()["data"]["result"] if answer.is_success else []
            return bool(found) and float(found[0]["value"][1]) > since
        return False


@pytest.fixture(scope="module")
def pair(project: Project, engine: Engine, run_name: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    """The stack, running; two of its targets are not there, so that each of them has an alert."""
    gateway = engine.gateway()
    server, receiver = S3Server(tmp_path_factory.mktemp("pair") / "s3", gateway), Receiver(gateway)
    environment, (port, receive, *gone) = f"{run_name}-pair", free_ports(4)
    targets = {"static": {"targets": [f"127.0.0.1:{each}" for each in gone]}}
    with ExitStack() as at_end:
        at_end.callback(engine.remove, environment)
        at_end.callback(server.stop)
        at_end.callback(receiver.close)
        server.start()
        server.make_bucket("metrics")
        stack = Stack(
            project,
            engine,
            environment,
            access={"password": {"secret": "accessPassword"}, "tls": TLS},
            storage=server.storage(tls=TLS, ruler=["slo", "http"], receive={"clients": TLS["ca"]}),
            high_availability={"prometheus": 2, "one_host": True},
            scrape={"interval": f"{INTERVAL}s", "timeout": f"{INTERVAL}s", "evaluation_interval": "2s"},
            services=[{"name": "gone", "team": "web", "discovery": targets, "exposes": ["http"], **PROMISE}],
            alerts={
                "ServiceDown": {"for": "2s"},
                "APIHighErrorRate": {"for": "1s"},
                "APILowAvailability": False,
            },  # the second would hold the first back
            alerting={
                "group_by": ["alertname", "instance"],
                "group_wait": "1s",
                "group_interval": "1s",
                "channels": {"hook": {"type": "webhook", "url": {"secret": "hookUrl"}, "send_resolved": False}},
                "default_channels": ["hook"],
            },
            tracing={"backend": "none"},
            exporters__blackbox=False,
            probes=[],
            ports__thanos=port,
            ports__receive=receive,
        )
        stack.ports |= {"thanos": port, "receive": receive}
        stack.configure()
        made = project.run("./observatory", "certs", environment)
        assert made.code == 0, made
        secrets = {"accessPassword": "password-of-the-pair-7c02", "hookUrl": receiver.url}
        for name, value in {**secrets, "s3AccessKey": ACCESS_KEY, "s3SecretKey": SECRET_KEY}.items():
            stack.set_secret(name, value)
        stack.credentials = ("observatory", secrets["accessPassword"])
        stack.authority = ssl.create_default_context(cadata=stack.pulumi("config", "get", "observatory:tlsCa").output)
        stack.up(what="up from nothing with two Prometheus, a bucket, and TLS everywhere")
        found = Pair(stack, receiver)
        until(lambda: len(found.alone(10)) == 2, "both have samples of the same series", 180)
        yield found


def greeting(address: str, context: ssl.SSLContext) -> bytes:
    """What a gRPC server says first. With TLS 1.3 a client learns only by reading that it is refused."""
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE  # it is the servers that are tested
    context.set_alpn_protocols(["h2"])
    try:
        with socket.create_connection((address, GRPC), 60) as plain, context.wrap_socket(plain) as connection:
            connection.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))
            return connection.recv(64)
    except (ssl.SSLError, ConnectionError, TimeoutError) as error:
        return str(error).encode()


def answered(address: str, context: ssl.SSLContext) -> bool:
    """Whether a server speaks HTTP/2 with who shows this."""
    return greeting(address, context)[3:4] == b"\x04"


def refused(address: str, context: ssl.SSLContext) -> bool:
    """Whether it says that it wants a certificate; that it answers is no matter of time."""
    said = greeting(address, context)
    assert said[3:4] != b"\x04", f"{address} answers who shows no certificate"
    return b"certificate required" in said.lower()


@pytest.fixture(scope="module")
def certificate(pair: Pair, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stack's own certificate, as files: what its parts show each other."""
    folder = tmp_path_factory.mktemp("certificate")
    for name, secret in (("ca.crt", "tlsCa"), ("tls.crt", "tlsCertificate"), ("tls.key", "tlsKey")):
        (folder / name).write_text(pair.stack.pulumi("config", "get", f"observatory:{secret}").output)
    return folder


def test_only_who_shows_a_certificate_is_answered(pair: Pair, certificate: Path) -> None:
    """By each part of Thanos that others ask: what it says to strangers is a refusal, and not one of HTTP/2's."""
    for service, container in pair.stack.engine.containers(pair.stack.environment).items():
        if service.startswith("thanos") and service not in ("thanos-compact", "thanos-query-frontend"):
            address = pair.address(container)
            stranger, known = ssl.create_default_context(), ssl.create_default_context()
            known.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
            # The store gateway listens only once it has looked through the bucket.
            until(partial(answered, address, known), f"{service} says the settings that begin every HTTP/2", 180)
            until(partial(refused, address, stranger), f"{service} refuses strangers", 180)


def test_a_rule_is_evaluated_over_what_another_server_pushes(pair: Pair, certificate: Path, tmp_path: Path) -> None:
    """Which no Prometheus of the stack has: both rulers record it, and it is shown once."""
    stack, url = pair.stack, f"https://localhost:{pair.stack.ports['receive']}/api/v1/receive"
    with pytest.raises(httpx.TransportError, match=r"(?i)certificate.required"):
        httpx.post(url, content=b"", verify=stack.authority, trust_env=False, timeout=60)
    tls = {"ca_file": "ca.crt", "cert_file": "tls.crt", "key_file": "tls.key"}
    to = {"url": url, "tls_config": {key: f"{certificate}/{name}" for key, name in tls.items()}}
    labels = {"environment": stack.environment, "service": "gone", "team": "web"}
    pushing = Pushing(tmp_path / "pushing", to, labels)
    try:
        recorded = "slo:sli_error:ratio_rate5m"

        def objective() -> list[dict[str, Any]]:
            """Right once each of the counters has some samples: they do not arrive together."""
            found = pair.asked(f'{recorded}{{service="gone"}}')
            return [each for each in found if float(each["value"][1]) == pytest.approx(0.1, abs=0.01)]

        (series,) = until(objective, "the ruler records an objective, and right", 240)
        assert "replica" not in series["metric"]
        assert series["metric"]["environment"] == stack.environment
        until(lambda: len(pair.asked(recorded, dedup="false")) == 2, "both rulers have recorded it", 180)
        assert stack.query(recorded) == stack.query("http_requests_total") == []
        alert = 'ALERTS{alertname="APIHighErrorRate",alertstate="firing"}'
        until(lambda: pair.asked(alert), "the alert fires", 180)
        until(lambda: told_of(pair, "APIHighErrorRate"), "the alert is told", 180)
    finally:
        pushing.stop()
    assert told_of(pair, "APIHighErrorRate") == 1, "by two rulers, as one"


def told_of(pair: Pair, alertname: str) -> int:
    """In how many messages an alert without an instance has come."""
    alerts = [alert for each in list(pair.receiver.deliveries) for alert in each.body["alerts"]]
    return sum(alert["labels"]["alertname"] == alertname for alert in alerts)


def test_either_of_two_prometheus_is_killed(pair: Pair, lengths: Lengths) -> None:
    """In turn, for more than eight scrapes each: no gap, nothing twice, and each alert is told once.

    Two minutes each at the usual 15 seconds between scrapes are eight as well, and the querier counts in scrapes. Once
    two are missing it goes on with the next sample of the other one, three after the last. What it has not chosen it
    leaves out for twice that time: so seven are the longest pause that a death makes, and two deaths are more than nine
    apart here, for if the other one died meanwhile the pause would be longer, though both have samples of it.
    """
    stack, dead = pair.stack, max(PAUSE, lengths.dead)
    firing = 'ALERTS{alertname="ServiceDown",alertstate="firing"}'
    until(lambda: len(pair.asked(firing, dedup="false")) == 4, "both have fired both alerts", 240)
    until(lambda: len(deliveries(pair.receiver, "ServiceDown")) == 2, "both are told", 180)
    told, start = deliveries(pair.receiver, "ServiceDown"), time.time()
    for kill in range(lengths.kills):
        container, died = stack.container(REPLICAS[1 - kill % 2]), time.monotonic()
        container.kill()
        time.sleep(dead)
        container.start()
        until(partial(pair.scrapes, container, time.time()), "it has fresh samples", 180)
        time.sleep(max(0.0, died + APART - time.monotonic()))
    until(lambda: len(pair.alone(PAUSE)) == 2, "both answer the querier", 180)
    end = time.time()
    seconds = end - start + 10  # with some from before the first

    def complete() -> Any:
        """An answer for which both were heard: a busy machine may keep one waiting for too long."""
        found = stack.get("thanos", "/api/v1/query", query=f"{SCRAPED}[{seconds:.0f}s]", time=f"{end:.3f}")
        return None if found.get("warnings") else found

    answer = until(complete, "an answer without warnings")
    (series,) = answer["data"]["result"]
    assert "replica" not in series["metric"]
    times = [float(at) for at, _ in series["values"]]
    assert times == sorted(set(times)), "in order, and none twice"

    def both() -> list[dict[str, Any]] | None:
        found = pair.alone(seconds, end)
        return found if len(found) == 2 else None

    each_alone = [[float(at) for at, _ in found["values"]] for found in until(both, "the samples of each")]
    scraped = {at for found in each_alone for at in found}
    assert set(times) <= scraped, "no sample that neither has scraped"
    each_pause = [sorted(pauses(found)) for found in each_alone]
    killed = sorted(pause for found in each_pause for pause in found[-lengths.kills // 2 :])
    usual = max(pause for found in each_pause for pause in found[: -lengths.kills // 2])
    longest, again = max(pauses(times)), deliveries(pair.receiver, "ServiceDown") - told
    # What a busy machine let neither scrape is no gap of the querier's; it, too, makes it leave one out for twice that.
    busy = 3 * max(0.0, max(pauses(sorted(scraped))) - INTERVAL)
    TIMINGS.append(
        f"         {lengths.kills} kills of either Prometheus in turn in {seconds:.0f} s, a scrape each {INTERVAL} s "
        f"(at times in {usual:.1f}): without a sample of the one killed for {killed[0]:.1f} to {killed[-1]:.1f} s, of "
        f"both as one for {longest:.1f} s at most; alerts told again: {again.total()}"
    )
    assert killed[0] >= dead
    assert longest <= 7 * usual + busy, f"a gap of {longest:.1f} s"
    # A scrape that is late right before a death keeps the other one's samples out for twice as long.
    assert longest - busy < killed[0] + 2 * (usual - INTERVAL)
    assert not again, "told again"


def pauses(times: list[float]) -> list[float]:
    """Seconds between any two samples that follow each other."""
    return [later - earlier for earlier, later in pairwise(times)]


def test_verify_finds_every_part_connected(pair: Pair) -> None:
    """After all those deaths, too."""
    arguments = ("--timeout", "180", "--json", pair.stack.environment)
    outcome = pair.stack.project.run("./observatory", "verify", *arguments)
    report = json.loads(outcome.output[outcome.output.index("{") :])
    ours = {check.name for check in (*CHECKS, *RULER_CHECKS)}
    found = {each["name"]: each for each in report["checks"] if each["name"] in ours}
    assert {name: each["status"] for name, each in found.items()} == dict.fromkeys(ours, "ok"), found
    pair.stack.no_changes()


def test_what_lacks_a_store_says_so_and_is_not_remembered(pair: Pair) -> None:
    """Without either Prometheus an answer is short, with a warning; once they are back the same question is whole."""
    stack, end = pair.stack, time.time() - 60  # the query frontend never remembers the last minute

    def ask() -> tuple[int, bool]:
        """Samples of one series in the minute before, and whether the answer comes with a warning."""
        period = {"start": f"{end - 60:.0f}", "end": f"{end:.0f}", "step": "1"}
        answer = stack.get("thanos", "/api/v1/query_range", query=SCRAPED, **period)
        return sum(len(each["values"]) for each in answer["data"]["result"]), bool(answer.get("warnings"))

    stopped = int(time.time())

    def noticed(sidecar: Container) -> bool:
        return b"updating timestamps failed" in sidecar.logs(since=stopped)

    for name in REPLICAS:
        stack.container(name).stop(timeout=30)
    try:
        # As long as a sidecar takes to notice: after that a querier could leave it out in silence.
        for name in SIDECARS:
            until(partial(noticed, stack.container(name)), f"{name} has noticed that its Prometheus is gone", 180)
        time.sleep(6)  # the querier asks each store every five seconds how it is
        assert ask() == (0, True)
    finally:
        for name in REPLICAS:
            stack.container(name).start()
    started = time.time()
    for name in REPLICAS:
        until(partial(pair.scrapes, stack.container(name), started), "it scrapes again", 180)

    def whole() -> bool:
        """A value for each of 61 seconds, as each sample counts until the next one."""
        count, warned = ask()
        return count >= 58 and not warned

    until(whole, "the same question is answered in whole", 120)
