"""Other Prometheus servers whose results this one collects: regions under one global server."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field

from components.config.base import Duration, Model, Name, NotEmpty, Url, seconds
from components.config.errors import Problem
from components.config.services import Authentication, ClientTls

if TYPE_CHECKING:
    from components.config.stack import StackConfig

JOB, LABEL = "federate", "region"
"""Label `job` of the regions' own targets, and the label that all series of a region carry."""
_OWN_NAMES = re.compile(r"localhost|127\..*|::1|0\.0\.0\.0|prometheus(-\d+)?")


def _check_selector(value: str) -> str:
    import promql_parser  # only stacks with a federation pay for it here

    try:
        if isinstance(promql_parser.parse(value), promql_parser.VectorSelector):
            return value
    except ValueError:
        pass
    raise ValueError('must be a selector of series, such as up{job="shop"} or {__name__=~"job:.+"}')


Selector = Annotated[str, AfterValidator(_check_selector)]


class FederatedServer(Model):
    """The Prometheus server of one region."""

    name: Name = Field(description="Of the region: label `region` on all of its series; each only once.")
    url: Url = Field(description="Of its Prometheus, as this one reaches it: https://prometheus.eu.example.com.")
    match: Annotated[tuple[Selector, ...], NotEmpty()] = Field(
        default=('{__name__=~"[^:]+:.+"}', "up", 'ALERTS{alertstate="firing"}'),
        description="Which of its series; a series that any of these selects. Default: what its rules record, what "
        "is up, and alerts that fire.",
    )
    interval: Duration | None = Field(
        default=None,
        description="At most 2m30s; not shorter than the region evaluates its rules. Default: the stack's scrape "
        "interval.",
    )
    timeout: Duration | None = Field(
        default=None, description="Default: the stack's, or the interval where that is shorter."
    )
    authentication: Authentication | None = Field(default=None, description="How Prometheus logs in. Default: not.")
    tls: ClientTls | None = Field(default=None, description="Own authority or client certificate; needs https.")
    sample_limit: int = Field(default=50000, ge=1, description="Samples of the region; above it nothing is taken.")


def federation_problems(config: StackConfig) -> Iterator[Problem]:
    """Regions that are this server itself, that are there twice, or whose series could not be told from its own."""
    names = Counter(server.name for server in config.federation)
    urls = Counter(server.url.rstrip("/") for server in config.federation)
    for index, server in enumerate(config.federation):
        key = f"federation[{index}]"
        if names[server.name] > 1:
            yield Problem(f"{key}.name", "is there twice; series of two regions would be one", server.name)
        if urls[server.url.rstrip("/")] > 1:
            yield Problem(f"{key}.url", "is there twice; each of its series would be, too", server.url)
        if _is_own(config, server.url):
            reason = "leads to this server itself, which would collect its own series again with each scrape"
            yield Problem(f"{key}.url", reason, server.url, "name the Prometheus of another stack")
        if server.tls and not server.url.startswith("https://"):
            yield Problem(f"{key}.tls", "needs an https:// url", server.url)
        yield from _interval_problems(config, key, server)
    for index, service in enumerate(config.services):
        if (value := service.labels.get(LABEL, "")) in names:
            reason = "is the name of a federated region, so that rules would pass over this service"
            yield Problem(f"services[{index}].labels.{LABEL}", reason, value, "give one of them another name")


def _interval_problems(config: StackConfig, key: str, server: FederatedServer) -> Iterator[Problem]:
    interval = server.interval or config.scrape.interval
    if not 1 <= seconds(interval) <= 150:
        reason = "must be between 1s and 2m30s: above that, series drop out of queries between two scrapes"
        yield Problem(f"{key}.interval", reason, interval)
    if server.timeout and seconds(server.timeout) > seconds(interval):
        yield Problem(f"{key}.timeout", f"must not be longer than its interval {interval}", server.timeout)


def _is_own(config: StackConfig, url: str) -> bool:
    """As far as a stack file can tell: by what its own programs call it, and by what people do."""
    there = urlsplit(url)
    if _OWN_NAMES.fullmatch(there.hostname or ""):
        return True
    cluster = config.kubernetes
    known = {config.external_urls.prometheus or ""}
    if cluster and cluster.ingress and cluster.ingress.hosts.prometheus:
        known.add(f"https://{cluster.ingress.hosts.prometheus}")
    if there.hostname == "host.docker.internal" and (published := config.ports.published().get("prometheus")):
        known.add(f"{there.scheme}://{there.hostname}:{published[1]}")
    return url.rstrip("/") in {each.rstrip("/") for each in known}
