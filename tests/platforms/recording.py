"""One mock of Pulumi's engine for the whole suite: it records what a program registers, options included."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pulumi
from google.protobuf import json_format
from pulumi.runtime.mocks import MockMonitor, MockResourceArgs, Mocks

from components.config import StackConfig
from components.spec import Plan
from components.stack import MonitoringStack
from tests.support import planned

_SIGNATURE, _SECRET = "4dabf18193072939515e22adb298388d", "1b47061264138c4ac30d75fd1eb44270"
FILE = "stacks/Pulumi.test.yaml"
GENERATED = "<generated>"
"""Every secret that a deployment makes up."""


@dataclass(frozen=True)
class Registered:
    """One resource as the engine gets it. `inputs` as sent: secrets in their wrapping."""

    urn: str
    type: str
    name: str
    parent: str
    provider: str
    custom: bool
    inputs: dict[str, Any]
    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    replace_on_changes: tuple[str, ...]
    ignore_changes: tuple[str, ...]
    dependencies: frozenset[str]
    additional_secret_outputs: tuple[str, ...]
    before_update: tuple[str, ...]
    """Names of the hooks that run before an update."""

    @property
    def values(self) -> dict[str, Any]:
        """The inputs with secrets in plain text."""
        found: dict[str, Any] = unwrapped(self.inputs)
        return found


def unwrapped(value: Any) -> Any:
    """A value with its secrets in plain text."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return unwrapped(value["value"])
        return {key: unwrapped(each) for key, each in value.items()}
    return [unwrapped(each) for each in value] if isinstance(value, list) else value


def exposed(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    """Every text in a value, keys too, that is not inside of a secret, with where it stands."""
    if isinstance(value, dict):
        if value.get(_SIGNATURE) == _SECRET:
            return
        for key, each in value.items():
            yield path, key
            yield from exposed(each, f"{path}.{key}")
    elif isinstance(value, list):
        for each in value:
            yield from exposed(each, path)
    else:
        yield path, str(value)


class _Echo(Mocks):
    def new_resource(self, args: MockResourceArgs) -> tuple[str, dict[str, Any]]:
        made_up = {"value": GENERATED} if args.typ.endswith(":GeneratedSecret") else {}
        return f"{args.name}-id", {**args.inputs, **made_up}

    def call(self, args: Any) -> tuple[dict[str, Any], list[tuple[str, str]] | None]:
        raise AssertionError(f"a deployment looks nothing up, but called {args.token}")


class Recorder(MockMonitor):
    """Keeps every registration; refuses two resources of one name, as the engine does."""

    def __init__(self) -> None:
        super().__init__(_Echo())
        self.registered: dict[str, Registered] = {}

    def RegisterResource(self, request: Any) -> Any:
        """Record one resource."""
        urn = self.make_urn(request.parent, request.type, request.name)
        assert urn not in self.registered, f"{urn} is registered twice"
        self.registered[urn] = Registered(
            urn=urn,
            type=request.type,
            name=request.name,
            parent=request.parent,
            provider=request.provider,
            custom=request.custom,
            inputs=json_format.MessageToDict(request.object),
            protect=request.protect,
            retain_on_delete=request.retainOnDelete,
            delete_before_replace=request.deleteBeforeReplace,
            replace_on_changes=tuple(request.replaceOnChanges),
            ignore_changes=tuple(request.ignoreChanges),
            dependencies=frozenset(request.dependencies),
            additional_secret_outputs=tuple(request.additionalSecretOutputs),
            before_update=tuple(request.hooks.before_update),
        )
        answer: Any = super().RegisterResource
        if threading.current_thread() is threading.main_thread():
            return answer(request)
        with event_loop():  # a thread of a pool has none, and what the mock makes for it would stay open
            return answer(request)


@contextmanager
def event_loop() -> Iterator[None]:
    """An event loop for this thread that is closed afterwards; Pulumi's own mocks leave theirs open."""
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        yield
        loop.run_until_complete(loop.shutdown_default_executor())
    finally:
        asyncio.set_event_loop(None)
        loop.close()


@dataclass
class Deployment:
    """What one run of the program registered, and what it said."""

    plan: Plan
    resources: list[Registered] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    outputs: dict[str, Any] = field(default_factory=dict)

    def of(self, type_: str) -> list[Registered]:
        """All resources of a type, which may be given by its last part."""
        return [each for each in self.resources if each.type == type_ or each.type.rpartition(":")[2] == type_]

    def one(self, type_: str, name: str) -> Registered:
        """The resource of that type and name."""
        (found,) = (each for each in self.of(type_) if each.name == name)
        return found

    def container(self, name: str) -> dict[str, Any]:
        """A container's properties."""
        return self.one("Container", name).values


class _Warnings(logging.Handler):
    def __init__(self, found: list[str]):
        super().__init__(logging.WARNING)
        self.found = found

    def emit(self, record: logging.LogRecord) -> None:
        self.found.append(record.getMessage())


def secret_values(plan: Plan) -> dict[str, str]:
    """A recognisable value for each secret that a plan asks for and does not make up."""
    names = dict.fromkeys(name for service in plan.services for name in service.secrets)
    return {name: f"value-of-{name}" for name in names if name not in plan.generated_secrets}


def deploy(
    config: StackConfig,
    *,
    plan: Plan | None = None,
    without: Collection[str] = (),
    secrets: Mapping[str, str] | None = None,
    in_plain_text: Mapping[str, str] | None = None,
) -> Deployment:
    """Run the deployment of a stack against the mock. `secrets` default to a value for each that is needed."""
    deployment = Deployment(plan or planned(config, without))
    hidden = secret_values(deployment.plan) if secrets is None else secrets
    settings = {f"observatory:{name}": value for name, value in {**hidden, **(in_plain_text or {})}.items()}
    pulumi.runtime.set_all_config(settings, [f"observatory:{name}" for name in hidden])
    recorder = Recorder()
    logger = logging.getLogger("observatory-tests")
    logger.propagate = False
    logger.handlers = [_Warnings(deployment.warnings)]

    def program() -> None:
        stack = MonitoringStack(f"observatory-{config.environment}", config, deployment.plan, FILE)
        deployment.outputs = {
            "urls": stack.urls,
            "secrets": sorted(stack.secrets),
            "bucket_policies": stack.bucket_policies,
        }

    run: Any = pulumi.runtime.test
    try:
        with event_loop():
            pulumi.runtime.set_mocks(
                recorder.mocks,
                project="observatory",
                stack=config.environment,
                preview=False,
                logger=logger,
                monitor=recorder,
            )
            run(program)()
    finally:
        pulumi.runtime.set_all_config({}, [])
    deployment.resources = list(recorder.registered.values())
    return deployment
