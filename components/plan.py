"""From a stack file's values to everything that is deployed: pure, so previews, reports and tests share it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from components.beside import read_beside
from components.config import Problem, StackConfig, StackFileError, load_stack_file
from components.config.load import FOLDER, stack_path
from components.context import Context
from components.images import SUBSTITUTES, ImageCatalogue, load_catalogue
from components.notes import stack_notes
from components.rules import chosen_groups
from components.services.alertmanager import alertmanagers
from components.services.backup import PRODUCT as BACKUP
from components.services.backup import backups, covering
from components.services.blackbox_exporter import blackbox_exporter
from components.services.cadvisor import cadvisor
from components.services.cortex import cortex
from components.services.demo import TRAFFIC, demo, with_demo
from components.services.grafana import ADMIN_PASSWORD, SECRET_KEY, grafanas, provisioned
from components.services.grafana import NAME as GRAFANA
from components.services.grafana_dump import NAME as GRAFANA_DUMP
from components.services.grafana_dump import grafana_dumps
from components.services.jaeger import jaegers
from components.services.kube_state_metrics import kube_state_metrics
from components.services.node_exporter import node_exporter
from components.services.prometheus import NAME as PROMETHEUS
from components.services.prometheus import prometheuses
from components.services.thanos import thanos
from components.services.thanos_ruler import ruling
from components.services.victoria_cluster import victoria_cluster
from components.services.victoria_metrics import victoria_metrics
from components.spec import RESTART_KEY, SECRET_TOKEN, Plan, Service

ESSENTIAL = ("prometheus", "alertmanager")
"""Without these there is no stack; the others can be left out where their image cannot be had."""


def plan_stack(config: StackConfig, images: ImageCatalogue, beside: dict[str, str] | None = None) -> Plan:
    """Plan one stack; `beside` are the files that it names, by path.

    Products whose image is not to be had are planned but withheld, and nothing refers to them.
    """
    _require_images(config, images)
    config = with_demo(config, images)
    context = Context(config, images, beside or {})
    before, after = _before_prometheus(context), _after_prometheus(context)
    scraped = [service for service in (*before, *after) if service.image]
    groups = chosen_groups(config, [PROMETHEUS, *(service.group for service in scraped)])
    # In the order of their start: each after those that it reads.
    planned = [*before, *prometheuses(context, scraped, groups), *ruling(context, after, groups)]
    running = [service for service in planned if service.image]
    services = [_completed(service, context, running) for service in running]
    withheld = [_completed(service, context, running) for service in planned if not service.image]
    # What is withheld here has its rules elsewhere.
    notes = [
        *_image_notes(services, withheld, images),
        *stack_notes(config, (*services, *withheld), None if withheld else groups),
    ]
    return Plan(
        environment=config.environment,
        services=tuple(services),
        unavailable=tuple(service.name for service in withheld),
        withheld=tuple(withheld),
        generated_secrets=tuple(
            name
            for name in (ADMIN_PASSWORD, SECRET_KEY)
            if any(name in service.secrets for service in services if service.group == GRAFANA)
        )
        + ((RESTART_KEY,) if any(SECRET_TOKEN.search(service.restart_digest) for service in services) else ()),
        notes=tuple(notes),
    )


def _require_images(config: StackConfig, images: ImageCatalogue) -> None:
    for product in (*ESSENTIAL, *config.storage.products):
        if not images.reference(product):
            hint = "`make ready` says why; images.registry and images.overrides in the stack file name other places"
            raise StackFileError(
                "components/versions.yaml", [Problem(product, "its image cannot be had here", hint=hint)]
            )


def _before_prometheus(context: Context) -> list[Service]:
    config = context.config
    exporters: list[tuple[bool, Callable[[Context], Service]]] = [
        (config.exporters.node, node_exporter),
        (config.exporters.blackbox, blackbox_exporter),
        # On Kubernetes the kubelet of each node has cAdvisor built in, and Prometheus asks that.
        (config.exporters.cadvisor and config.platform == "docker", cadvisor),
        (config.kubernetes is not None and config.kubernetes.monitor.workloads, kube_state_metrics),
        (config.storage.backend == "victoria" and not config.storage.victoria_cluster, victoria_metrics),
        (config.storage.backend == "cortex", cortex),
    ]
    return [
        *(make(context) for asked, make in exporters if asked),
        *(victoria_cluster(context) if config.storage.victoria_cluster else ()),
        *(jaegers(context) if config.tracing.backend == "jaeger" else ()),
        *alertmanagers(context),
        *(demo(context) if config.demo else ()),
    ]


def _after_prometheus(context: Context) -> list[Service]:
    """Those that read Prometheus or its data; it scrapes them all the same."""
    return [
        *thanos(context),
        *(grafanas(context) if context.config.grafana.enabled else ()),
        *grafana_dumps(context),
        *backups(context),
    ]


def _completed(service: Service, context: Context, services: Sequence[Service]) -> Service:
    """With what only the whole plan tells: Grafana shows all others, a backup copies their volumes."""
    complete = provisioned if service.group == GRAFANA else covering if service.product == BACKUP else None
    if not complete:
        return service
    return complete(service, context, [other for other in services if other.group != service.group])


def _image_notes(services: Sequence[Service], withheld: Sequence[Service], images: ImageCatalogue) -> Iterator[str]:
    pins = {images.reference(product): pin for product, pin in images.instead_of.items()}
    for service in services:
        if pin := pins.get(service.image):
            yield f"{service.name} runs {service.image}, for {pin} cannot be pulled on this machine (see `make ready`)"
    for service in withheld:
        lost = "; copies have nothing of grafana.database then" if service.name == GRAFANA_DUMP else ""
        yield f"{service.name} is left out: its image cannot be had on this machine (see `make ready`){lost}"
    if any(service.name == TRAFFIC for service in services):
        yield "the demo's services run beside the stack, under made-up traffic; docs/guide/demo.md tells more"


def image_catalogue(config: StackConfig) -> ImageCatalogue:
    """The images of a stack. What this machine has in place of a pin counts only where this machine runs it."""
    return load_catalogue(config.images, SUBSTITUTES if config.platform == "docker" else None)


def plan_stack_file(stack: str, folder: Path = FOLDER, pinned: bool = False) -> tuple[StackConfig, Plan]:
    """Read, check and plan a stack by name or path. Errors are `StackFileError`s.

    With `pinned`, by the pinned images, whatever this machine has in their place: the same plan on every machine.
    """
    config = load_stack_file(stack, folder)
    path = stack_path(stack, folder)
    images = load_catalogue(config.images, None) if pinned else image_catalogue(config)
    config = with_demo(config, images)
    return config, plan_stack(config, images, read_beside(config, path))
