"""The way to a UI from outside of the cluster: an Ingress, or a route to a Gateway that is there already."""

from __future__ import annotations

from typing import Any

from components.config.kubernetes import Gateway, Ingress
from components.platforms.kubernetes_objects import SKIP_AWAIT, Manifest, Stack, needs_host
from components.spec import Service, secret_token

GATEWAY_API = "gateway.networking.k8s.io/v1"


def entrance(stack: Stack, service: Service) -> list[Manifest]:
    """The objects for one service; none where the stack file gives it no host."""
    host = getattr(stack.cluster.hosts, service.name, None)
    if host is None or needs_host(service):
        return []
    if stack.cluster.ingress:
        return [_ingress(stack, service, stack.cluster.ingress, host)]
    assert stack.cluster.gateway is not None
    return [_route(stack, service, stack.cluster.gateway, host), *_trust(stack, service)]


def _entry(service: Service) -> str:
    """The Service behind the host; where all replicas are the same to people, whichever serves."""
    return service.entry_name or service.name


def _ingress(stack: Stack, service: Service, wanted: Ingress, host: str) -> Manifest:
    backend = {"service": {"name": _entry(service), "port": {"name": "http"}}}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": stack.metadata(service, annotations={**SKIP_AWAIT, **wanted.annotations}),
        "spec": {
            **({"ingressClassName": wanted.class_name} if wanted.class_name else {}),
            "tls": [{"hosts": [host], "secretName": wanted.tls_secret}],
            "rules": [{"host": host, "http": {"paths": [{"path": "/", "pathType": "Prefix", "backend": backend}]}}],
        },
    }


def _route(stack: Stack, service: Service, gateway: Gateway, host: str) -> Manifest:
    """On the one listener with TLS: on all of them, people would send their passwords without."""
    parent = {"name": gateway.name, "namespace": gateway.namespace, "sectionName": gateway.section_name}
    rule = {
        "matches": [{"path": {"type": "PathPrefix", "value": "/"}}],
        "backendRefs": [{"name": _entry(service), "port": service.port("http").number}],
    }
    return {
        "apiVersion": GATEWAY_API,
        "kind": "HTTPRoute",
        "metadata": stack.metadata(service),
        "spec": {"parentRefs": [parent], "hostnames": [host], "rules": [rule]},
    }


def _trust(stack: Stack, service: Service) -> list[Manifest]:
    """With `access` the stack speaks HTTPS: whom the gateway has to trust for it.

    The authority stands in a ConfigMap because every gateway takes one, and a Secret only some. It is public.
    """
    access = stack.config.access
    if access is None:
        return []
    name = f"{service.name}-authority"
    authority: dict[str, Any] = {"group": "", "kind": "ConfigMap", "name": name}
    policy = {
        "targetRefs": [{"group": "", "kind": "Service", "name": _entry(service)}],
        "validation": {"caCertificateRefs": [authority], "hostname": service.name},
    }
    return [
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": stack.metadata(service, name),
            "data": {"ca.crt": secret_token(access.tls.ca.secret)},
        },
        {
            "apiVersion": GATEWAY_API,
            "kind": "BackendTLSPolicy",
            "metadata": stack.metadata(service),
            "spec": policy,
        },
    ]
