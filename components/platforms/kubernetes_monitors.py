"""Scrape jobs of services found in the cluster, as the operator's ServiceMonitor and PodMonitor objects.

Each is made from the very job that a Prometheus of ours would run. Its relabelling stands in full behind what the
operator adds, and undoes what that adds to the labels, so the series are the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from components.config.kubernetes import KubernetesDiscovery
from components.platforms.kubernetes_files import key_of, secret_name
from components.platforms.kubernetes_objects import Manifest, Stack
from components.spec import Service

API = "monitoring.coreos.com/v1"
ADDITIONAL = "prometheus-additional"
"""Name of the Secret with what the operator takes from no object of its own."""
LAST_OF_THE_OPERATORS = {"action": "labeldrop", "regex": "container"}
"""Where in a monitor's relabelling the job's own begins."""
_OF_ENDPOINT = {
    "scrape_interval": "interval",
    "scrape_timeout": "scrapeTimeout",
    "metrics_path": "path",
    "params": "params",
    "scheme": "scheme",
}
_OF_MONITOR = {
    "sample_limit": "sampleLimit",
    "label_limit": "labelLimit",
    "target_limit": "targetLimit",
    "fallback_scrape_protocol": "fallbackScrapeProtocol",
}
_RELABELLING = {"source_labels": "sourceLabels", "target_label": "targetLabel"}
_LISTS = {"relabel_configs": "relabelings", "metric_relabel_configs": "metricRelabelings"}
_ELSEWHERE = ("job_name", "kubernetes_sd_configs", "basic_auth", "authorization", "oauth2", "tls_config")


def monitor(stack: Stack, prometheus: Service, discovery: KubernetesDiscovery, job: Mapping[str, Any]) -> Manifest:
    """The object for one job. Raises ValueError for a setting of the job that no such object has."""
    if unknown := {*job} - {*_OF_ENDPOINT, *_OF_MONITOR, *_LISTS, *_ELSEWHERE}:
        raise ValueError(f"scrape job {job['job_name']}: the operator cannot take {', '.join(sorted(unknown))}")
    slices = discovery.role == "endpointslice"
    name = job["job_name"]
    endpoint: dict[str, Any] = {ours: job[key] for key, ours in _OF_ENDPOINT.items() if key in job}
    endpoint |= {ours: [_relabelling(each) for each in job[key]] for key, ours in _LISTS.items() if key in job}
    # The operator calls jobs by objects and names the container; whatever else it sets, the job's own rules set anew.
    endpoint["relabelings"] = [
        {"targetLabel": "job", "replacement": name},
        LAST_OF_THE_OPERATORS,
        *endpoint["relabelings"],
    ]
    endpoint |= _login(prometheus, job) | _tls(prometheus, job)
    # Whether a pod still runs is for the job's own rules to say.
    endpoint["filterRunning"] = False
    (found,) = job["kubernetes_sd_configs"]
    spec: dict[str, Any] = {
        "namespaceSelector": {"matchNames": found["namespaces"]["names"]},
        # A label without a value may be missing altogether, which a selector cannot say; the job's own rules do.
        "selector": {"matchLabels": {key: value for key, value in discovery.wanted_labels(name).items() if value}},
        **{ours: job[key] for key, ours in _OF_MONITOR.items() if key in job},
        ("endpoints" if slices else "podMetricsEndpoints"): [endpoint],
    }
    kind = "ServiceMonitor" if slices else "PodMonitor"
    return {"apiVersion": API, "kind": kind, "metadata": stack.metadata(prometheus, name), "spec": spec}


def job_of_monitor(found: Mapping[str, Any]) -> dict[str, Any]:
    """The way back: the job that a monitor of ours was made from. Its login and TLS stay as the monitor has them."""
    spec = found["spec"]
    slices = found["kind"] == "ServiceMonitor"
    (endpoint,) = spec["endpoints" if slices else "podMetricsEndpoints"]
    names = {ours: key for key, ours in {**_OF_ENDPOINT, **_OF_MONITOR}.items()}
    lists = {ours: key for key, ours in _LISTS.items()}
    plain = {key: value for key, value in (*endpoint.items(), *spec.items()) if key in names}
    # In front of the job's own rules stand those that give it its name.
    rules = {**endpoint, "relabelings": endpoint["relabelings"][2:]}
    logins = ("basicAuth", "authorization", "oauth2", "tlsConfig")
    return {
        "job_name": found["metadata"]["name"],
        **{names[key]: value for key, value in plain.items()},
        **{lists[key]: [_ours(each) for each in value] for key, value in rules.items() if key in lists},
        **{key: endpoint[key] for key in logins if key in endpoint},
        "kubernetes_sd_configs": [
            {
                "role": "endpointslice" if slices else "pod",
                "namespaces": {"names": spec["namespaceSelector"]["matchNames"]},
            }
        ],
    }


def plain_logins(job: Mapping[str, Any]) -> dict[str, str]:
    """What of a job's login is no secret, but the operator reads from a Secret alone: key to value."""
    found = {"username": job.get("basic_auth", {}).get("username"), "client-id": job.get("oauth2", {}).get("client_id")}
    return {f"{job['job_name']}-{use}": value for use, value in found.items() if value}


def _relabelling(rule: Mapping[str, Any]) -> dict[str, Any]:
    return {_RELABELLING.get(key, key): value for key, value in rule.items()}


def _ours(rule: Mapping[str, Any]) -> dict[str, Any]:
    names = {ours: key for key, ours in _RELABELLING.items()}
    return {names.get(key, key): value for key, value in rule.items()}


def _login(prometheus: Service, job: Mapping[str, Any]) -> dict[str, Any]:
    plain = {key: {"name": ADDITIONAL, "key": key} for key in plain_logins(job)}
    if basic := job.get("basic_auth"):
        username = plain[f"{job['job_name']}-username"]
        return {"basicAuth": {"username": username, "password": _secret(prometheus, basic["password_file"])}}
    if authorization := job.get("authorization"):
        return {"authorization": {"credentials": _secret(prometheus, authorization["credentials_file"])}}
    if oauth2 := job.get("oauth2"):
        login = {
            "clientId": {"secret": plain[f"{job['job_name']}-client-id"]},
            "clientSecret": _secret(prometheus, oauth2["client_secret_file"]),
            "tokenUrl": oauth2["token_url"],
        }
        return {"oauth2": login | ({"scopes": oauth2["scopes"]} if "scopes" in oauth2 else {})}
    return {}


def _tls(prometheus: Service, job: Mapping[str, Any]) -> dict[str, Any]:
    settings, tls = job.get("tls_config"), dict[str, Any]()
    if settings is None:
        return {}
    for key, ours in (("ca_file", "ca"), ("cert_file", "cert")):
        if key in settings:
            tls[ours] = {"secret": _secret(prometheus, settings[key])}
    if "key_file" in settings:
        tls["keySecret"] = _secret(prometheus, settings["key_file"])
    if "server_name" in settings:
        tls["serverName"] = settings["server_name"]
    return {"tlsConfig": tls}


def _secret(prometheus: Service, path: str) -> dict[str, str]:
    """Where the content of a secret file stands."""
    return {"name": secret_name(prometheus), "key": key_of(path.removeprefix(f"{prometheus.mounted_config}/"))}
