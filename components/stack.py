"""`MonitoringStack`: the plan of one stack file as a tree of Pulumi components."""

from __future__ import annotations

import pulumi
from pulumi.dynamic import Resource as DynamicResource

from components.config import StackConfig
from components.config.bucket import Bucket
from components.config.stack import THANOS
from components.context import browsable
from components.platforms.base import Platform
from components.platforms.docker_live import GeneratedSecretProvider
from components.resources.s3_policies import component_policies
from components.secrets import configured_secrets
from components.spec import Plan, Service


class GeneratedSecret(DynamicResource, module="secrets", name="GeneratedSecret"):
    """A secret that nobody has to think of; kept in the stack's encrypted state."""

    value: pulumi.Output[str]


class ServiceComponent(pulumi.ComponentResource):
    """One planned service, typed by its product, with its resources below it."""

    def __init__(self, service: Service, parent: pulumi.Resource):
        super().__init__(
            f"observatory:service:{service.product}", service.name, None, pulumi.ResourceOptions(parent=parent)
        )


class MonitoringStack(pulumi.ComponentResource):
    """Everything that one stack file asks for, deployed to its platform."""

    def __init__(self, name: str, config: StackConfig, plan: Plan, stack_file: str):
        super().__init__("observatory:index:MonitoringStack", name)
        self.config, self.plan = config, plan
        bucket = config.storage.bucket
        own = bucket if config.storage.backend == "thanos" else None
        self.secrets = configured_secrets(plan, stack_file, own.secrets if own else ())
        for secret in plan.generated_secrets:
            if secret not in self.secrets:
                self.secrets[secret] = self._generate(secret)
        platform = self._platform(config)
        stored = [self._bucket(own)] if own else []
        last: dict[str, pulumi.Resource] = {}
        for service in plan.services:
            component = ServiceComponent(service, self)
            before = [last[service.group]] if service.group in last else []
            before += stored if service.group in THANOS else []
            last[service.group] = platform.deploy(service, component, self.secrets, before)
            component.register_outputs({})
        for note in plan.notes:
            pulumi.log.warn(note, self)
        self.urls = {
            f"{service.name}-{port.name}" if port.name not in ("http", "ui") else service.name: (
                f"{port.scheme}://{browsable(port.address)}:{port.published}"
            )
            for service in plan.services
            for port in service.ports
            if port.published
        }
        self.bucket_policies = component_policies(bucket) if bucket else {}
        self.register_outputs({"urls": self.urls})

    def _generate(self, secret: str) -> pulumi.Output[str]:
        # As lasting as the volumes: what was encrypted with it lies there.
        kept = self.config.data.keep
        options = pulumi.ResourceOptions(
            parent=self, additional_secret_outputs=["value"], protect=kept, retain_on_delete=kept
        )
        return GeneratedSecret(GeneratedSecretProvider(), secret, {"value": None}, options).value

    def _bucket(self, bucket: Bucket) -> pulumi.Resource:
        from components.resources.bucket import storage_bucket

        return storage_bucket(bucket, self.config.data.keep, self.secrets, self)

    def _platform(self, config: StackConfig) -> Platform:
        # Each platform's SDK costs half a second; only the one that the stack uses is imported.
        if config.platform == "kubernetes":
            from components.platforms.kubernetes import KubernetesPlatform

            return KubernetesPlatform(config, self.plan, self)
        from components.platforms.docker import DockerPlatform

        return DockerPlatform(config, self)
