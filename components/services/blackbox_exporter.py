"""Blackbox exporter: asks URLs and addresses from outside, as users do."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from components.config.services import OWN_CERTIFICATE
from components.config.stack import PRODUCTS
from components.context import Context
from components.services.probes import port_probe
from components.spec import Call, File, Metrics, Reload, Service, secret_token
from components.yaml_text import dump

NAME, PORT, FOLDER = "blackbox-exporter", 9115, "/etc/blackbox-exporter"


def blackbox_exporter(context: Context) -> Service:
    """Plan the blackbox exporter."""
    files = (File("blackbox.yml", dump({"modules": _modules(context)})), *context.access.server_files())
    if context.config.access:
        files += (File("ca.crt", secret_token(context.config.access.tls.ca.secret), reload=False),)
    service = Service(
        name=NAME,
        product="BlackboxExporter",
        image=context.image(NAME),
        user="65534:65534",
        resources=context.resources(NAME, memory=64, cpus=0.25),
        config_folder=FOLDER,
        files=files,
        meets_services=True,
        calls=_calls(context),
        ports=(context.port("http", PORT),),
        # ICMP needs raw sockets: only where a probe asks for it.
        capabilities=("NET_RAW",) if any(probe.module == "icmp" for probe in context.config.probes) else (),
        probe=port_probe(PORT),
        reload=Reload("SIGHUP", loaded="Reloaded config file", rejected="Error reloading config"),
        metrics=(Metrics(NAME, PORT, protected=True),),
    )
    folder = service.mounted_config
    args = (f"--config.file={folder}/blackbox.yml", f"--web.listen-address=:{PORT}", *context.access.web_args(folder))
    return replace(service, args=args)


def _calls(context: Context) -> tuple[Call, ...]:
    """The stack's own certificate at Prometheus; services of the stack that are probed; anything outside of it."""
    targets = [
        urlsplit(probe.target if "//" in probe.target else f"//{probe.target}") for probe in context.config.probes
    ]
    own = [Call("prometheus", 9090)] if context.config.access else []
    own += [Call(target.hostname, target.port) for target in targets if target.hostname in PRODUCTS]
    outside = [Call()] if any(target.hostname not in PRODUCTS for target in targets) else []
    return tuple(dict.fromkeys([*own, *outside]))


def _modules(context: Context) -> dict[str, Any]:
    http: dict[str, Any] = {"preferred_ip_protocol": "ip4", "follow_redirects": True}
    tls = {"ca_file": f"{FOLDER}/current/ca.crt", "server_name": "prometheus"}
    own = {"prober": "tcp", "timeout": "5s", "tcp": {"preferred_ip_protocol": "ip4", "tls": True, "tls_config": tls}}
    return ({OWN_CERTIFICATE: own} if context.config.access else {}) | {
        "http_2xx": {"prober": "http", "timeout": "10s", "http": http},
        "http_post_2xx": {"prober": "http", "timeout": "10s", "http": {"method": "POST", **http}},
        "tcp_connect": {"prober": "tcp", "timeout": "5s", "tcp": {"preferred_ip_protocol": "ip4"}},
        "tls_connect": {"prober": "tcp", "timeout": "5s", "tcp": {"preferred_ip_protocol": "ip4", "tls": True}},
        "dns": {"prober": "dns", "timeout": "5s", "dns": {"query_name": "example.com", "preferred_ip_protocol": "ip4"}},
        "icmp": {"prober": "icmp", "timeout": "5s", "icmp": {"preferred_ip_protocol": "ip4"}},
    }
