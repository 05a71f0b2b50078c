"""More than one of a program, so that one may fail: how many, and what must hold for that to be of use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

from pydantic import AfterValidator, Field

from components.config.base import Model, Switch
from components.config.errors import Problem

if TYPE_CHECKING:
    from components.config.stack import StackConfig

MOST = 9
"""Every Alertmanager hears from every other, and every Prometheus asks every target: more add load, not safety."""
ODD = (3, 5, 7, 9)


def _check_count(value: int) -> int:
    if value == 1:
        raise ValueError("is no high availability: leave it out for one, or ask for more")
    if not 2 <= value <= MOST:
        raise ValueError(f"must be from 2 to {MOST}")
    return value


def _check_odd(value: int) -> int:
    if value == 1:
        return _check_count(value)
    if value not in ODD:
        even = "" if value % 2 else ": a network can split an even number into halves, neither in the right"
        raise ValueError(f"must be 3, 5, 7 or 9{even}")
    return value


Count = Annotated[int, AfterValidator(_check_count), Field(json_schema_extra={"minimum": 2, "maximum": MOST})]
OddCount = Annotated[int, AfterValidator(_check_odd), Field(json_schema_extra={"enum": [*ODD]})]

REPLICATED = ("prometheus", "alertmanager", "grafana", "jaeger")


class HighAvailability(Model):
    """How many of each program there are."""

    prometheus: Count | None = Field(
        default=None,
        description="Each scrapes everything and evaluates all rules. Needs `storage` with backend thanos, s3 or "
        "victoria, which shows their series as one. Default: one.",
    )
    alertmanager: OddCount | None = Field(
        default=None, description="A cluster, which sends each message once: 3, 5, 7 or 9. Default: one."
    )
    grafana: Count | None = Field(
        default=None, description="All show the same. Needs `grafana.database`, which they share. Default: one."
    )
    jaeger: Count | None = Field(
        default=None, description="Needs `tracing.storage` that they share: a database. Default: one."
    )
    one_host: Switch = Field(
        default=False,
        description="Replicas may share a machine. On Docker they always do, so it has to be said: they outlive the "
        "crash of a program, not that of the machine.",
    )

    def count(self, product: str) -> int:
        """How many replicas of a product there are."""
        return getattr(self, product, None) or 1

    @property
    def asked(self) -> dict[str, int]:
        """Product to its replicas, where there are more than one."""
        return {name: count for name in REPLICATED if (count := self.count(name)) > 1}


def high_availability_problems(config: StackConfig) -> Iterator[Problem]:
    """Replicas that the rest of the stack file would make useless."""
    wanted = config.high_availability
    if not wanted.asked:
        return
    if wanted.count("prometheus") > 1 and not config.storage.deduplicates:
        reason = {
            "local": "nothing would show their series as one: with backend local each has only its own",
            "cortex": "nothing would make their samples one: Cortex as one program refuses what it has from the other",
        }[config.storage.backend]
        hint = "leave it out, or keep samples in a bucket: `storage: {backend: thanos, ...}`"
        yield Problem("high_availability.prometheus", reason, str(wanted.prometheus), hint)
    yield from _shared_problems(config)
    if config.platform == "docker" and not wanted.one_host:
        reason = "replicas on one Docker host do not outlive it"
        hint = "`one_host: true` if it is a program's crash that they are against; else platform: kubernetes"
        yield Problem("high_availability", reason, ", ".join(f"{k}: {v}" for k, v in wanted.asked.items()), hint)


def _shared_problems(config: StackConfig) -> Iterator[Problem]:
    """Replicas that would each have data of their own, so that an answer depended on who gives it."""
    wanted = config.high_availability
    if wanted.count("grafana") > 1:
        key, value = "high_availability.grafana", str(wanted.grafana)
        if not config.grafana.enabled:
            yield Problem(key, "there is no Grafana: grafana.enabled is false", value)
        elif config.grafana.database is None:
            reason = "each would have users and dashboards of its own, in a file"
            hint = "`grafana: {database: {host: db.example.com, password: {secret: grafanaDatabase}}}`"
            yield Problem(key, reason, value, hint)
    if wanted.count("jaeger") > 1:
        key, value = "high_availability.jaeger", str(wanted.jaeger)
        if config.tracing.backend != "jaeger":
            yield Problem(key, f"there is no Jaeger: tracing.backend is {config.tracing.backend}", value)
        elif not config.tracing.shared:
            reason = f"each would have traces of its own: tracing.storage is {config.tracing.storage}"
            hint = "keep traces in cassandra, elasticsearch or opensearch"
            yield Problem(key, reason, value, hint)
