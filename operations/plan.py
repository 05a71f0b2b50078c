"""`plan`: what a stack file asks for, as a table for people or as JSON for scripts."""

from __future__ import annotations

from typing import Any

from components.config import StackConfig
from components.config.declarations import BYTES_PER_SERIES, memory_text
from components.config.services import MonitoredService
from components.onboarding import expected_series, instances
from components.plan import plan_stack_file
from components.spec import Plan, Port, Service
from operations import console
from operations.consistency import scrape_jobs


def describe(config: StackConfig, plan: Plan) -> dict[str, Any]:
    """The plan as data. Keys are only ever added; memory in MiB, CPU in cores."""
    services = (*plan.services, *plan.withheld)
    return {
        "environment": plan.environment,
        "platform": config.platform,
        "access": "TLS and password" if config.access else f"open, {_reached(config)}",
        "services": [_service(service, service in plan.withheld) for service in services],
        "targets": [_target(job) for job in scrape_jobs(plan)],
        "series": [_series(service) for service in config.services],
        "secrets": _secrets(plan),
        "withheld": list(plan.unavailable),
        "notes": list(plan.notes),
        "totals": {
            "services": len(plan.services),
            "memory": sum(service.resources.memory for service in plan.services),
            "cpus": round(sum(service.resources.cpus for service in plan.services), 3),
            "volumes": sum(len(service.volumes) for service in plan.services),
        },
    }


def _service(service: Service, withheld: bool) -> dict[str, Any]:
    return {
        "name": service.name,
        "product": service.product,
        "image": service.image or None,
        "withheld": withheld,
        "endpoints": [
            {
                "name": port.name,
                "internal": f"{service.name}:{port.number}",
                "scheme": port.scheme,
                "published": _published(port),
            }
            for port in service.ports
        ],
        "volumes": [{"name": volume.name, "path": volume.path} for volume in service.volumes],
        "files": len(service.files),
        "memory": service.resources.memory,
        "cpus": service.resources.cpus,
        "secrets": list(service.secrets),
    }


def _reached(config: StackConfig) -> str:
    """From where people get to endpoints that ask for no password."""
    if config.kubernetes is None:
        return "on loopback"
    return "at its hosts" if any(config.kubernetes.hosts.given.values()) else "inside of the cluster"


def _published(port: Port) -> str | None:
    if port.published is None:
        return None
    return f"[{port.address}]:{port.published}" if ":" in port.address else f"{port.address}:{port.published}"


def _target(job: dict[str, Any]) -> dict[str, Any]:
    """A scrape job: its fixed addresses, or how they are found."""
    discovery = [key.removesuffix("_sd_configs") for key in job if key.endswith("_sd_configs")]
    addresses = [target for group in job.get("static_configs") or [] for target in group.get("targets") or []]
    scheme, path = job.get("scheme", "http"), job.get("metrics_path", "/metrics")
    return {"job": job["job_name"], "scheme": scheme, "path": path, "addresses": addresses, "discovery": discovery}


def _series(service: MonitoredService) -> dict[str, Any]:
    """What a service is expected to bring, by its declaration; memory in bytes, of Prometheus."""
    expected = expected_series(service)
    return {
        "service": service.name,
        "instances": instances(service),
        "expected": expected,
        "budget": service.series_budget,
        "memory": expected * BYTES_PER_SERIES,
    }


def _secrets(plan: Plan) -> list[dict[str, Any]]:
    """Every secret of what is deployed: who needs it, and whether the deployment makes it up itself."""
    needed: dict[str, list[str]] = {}
    for service in plan.services:
        for name in service.secrets:
            needed.setdefault(name, []).append(service.name)
    return [
        {"name": name, "services": services, "generated": name in plan.generated_secrets}
        for name, services in needed.items()
    ]


def lines(plan: dict[str, Any]) -> list[str]:
    """The same for people."""
    found = [f"{plan['environment']} on {plan['platform']}: {plan['access']}", ""]
    rows = [_row(service) for service in plan["services"]]
    found += _headed(rows, ["SERVICE", "MEMORY", "CPU", "PUBLISHED", "INTERNAL", "VOLUMES", "IMAGE"])
    targets = [
        [target["job"], ", ".join(target["addresses"]) or f"found by {', '.join(target['discovery'])}", target["path"]]
        for target in plan["targets"]
    ]
    found += ["", *_headed(targets, ["SCRAPE JOB", "TARGETS", "PATH"])]
    if plan["series"]:
        series = [
            [each["service"], str(each["instances"]), expected, f"{each['budget']:,}", memory]
            for each in plan["series"]
            for expected, memory in [_expected(each["expected"])]
        ]
        found += ["", *_headed(series, ["SERVICE", "INSTANCES", "SERIES", "BUDGET", "MEMORY IN PROMETHEUS"])]
    if plan["secrets"]:
        secrets = [
            [
                secret["name"],
                ", ".join(secret["services"]),
                "made up at the first deployment"
                if secret["generated"]
                else f"pulumi config set --secret observatory:{secret['name']} -s {plan['environment']}",
            ]
            for secret in plan["secrets"]
        ]
        found += ["", *_headed(secrets, ["SECRET", "NEEDED BY", "COMES FROM"])]
    totals = plan["totals"]
    summary = (
        f"{totals['services']} services, at most {totals['memory']} MiB and {totals['cpus']:g} cores, "
        f"{totals['volumes']} volumes"
    )
    found += ["", summary]
    return [*found, *plan["notes"]]


def _expected(series: int) -> tuple[str, str]:
    return (f"{series:,}", memory_text(series)) if series else ("not declared", "-")


def _row(service: dict[str, Any]) -> list[str]:
    published = [endpoint["published"] for endpoint in service["endpoints"] if endpoint["published"]]
    internal = [endpoint["internal"].rpartition(":")[2] for endpoint in service["endpoints"]]
    volumes = [volume["name"] for volume in service["volumes"]]
    return [
        service["name"],
        f"{service['memory']} MiB",
        f"{service['cpus']:g}",
        ", ".join(published) or "-",
        ", ".join(internal) or "-",
        ", ".join(volumes) or "-",
        service["image"] or "none: left out",
    ]


def _headed(rows: list[list[str]], head: list[str]) -> list[str]:
    first, *rest = console.table(rows, head)
    return [console.paint(first, "bold"), *rest]


def plan_command(stack: str, json: bool) -> int:
    """Show a stack's plan."""
    described = describe(*plan_stack_file(stack))
    if json:
        console.print_json(described)
    else:
        console.say("\n".join(lines(described)))
    return 0
