"""The configuration that an operator has made for its Prometheus, in the shape of ours, to compare the two.

The operator calls jobs and files by its objects, puts logins in place of files with them, and adds relabelling of its
own around a job's. These are given back their names and places here; everything else stays as it runs.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from components.config import StackConfig
from components.config.platform import namespaces
from components.platforms.kubernetes_files import key_of
from components.platforms.kubernetes_monitors import LAST_OF_THE_OPERATORS

Job = Mapping[str, Any]
_RULES = re.compile(r"/etc/prometheus/rules/[^/]+/\*\.yaml")
_UID = re.compile(r"-[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}(?=\.yaml$)")


def is_operated(config: StackConfig) -> bool:
    """Whether an operator runs the stack's Prometheus."""
    return config.kubernetes is not None and config.kubernetes.operator == "existing"


def job_of(config: StackConfig, pool: str) -> str:
    """The planned job of a scrape pool, which the operator calls by its object."""
    monitor = re.fullmatch(r"(?:serviceMonitor|podMonitor)/([^/]+)/([^/]+)/0", pool)
    return monitor[2] if monitor and is_operated(config) and monitor[1] == namespaces(config)[0] else pool


def rule_file_of(config: StackConfig, path: str) -> str:
    """The planned name of a rule file, which the operator gives a namespace and an id."""
    name = path.rpartition("/")[2]
    if not is_operated(config):
        return name
    return _UID.sub("", name).removeprefix(f"{namespaces(config)[0]}-")


def as_planned(config: StackConfig, planned: Mapping[str, Any], running: Mapping[str, Any]) -> dict[str, Any]:
    """What runs, with the names and the order of what is planned."""
    ours = {job["job_name"]: job for job in planned["scrape_configs"]}
    jobs: dict[str, Job] = {}
    for job in running.get("scrape_configs", []):
        name = job_of(config, job["job_name"])
        jobs[name] = _as_planned(ours[name], job) if name != job["job_name"] and name in ours else job
    order = {name: index for index, name in enumerate(ours)}
    found = {**running, "scrape_configs": sorted(jobs.values(), key=lambda job: order.get(job["job_name"], len(order)))}
    if found.get("rule_files") and all(map(_RULES.fullmatch, found["rule_files"])):
        found["rule_files"] = planned["rule_files"]
    if not found.get("alerting", {}).get("alert_relabel_configs", True):
        found["alerting"] = {key: value for key, value in found["alerting"].items() if value}
    return found


def _as_planned(ours: Job, job: Job) -> dict[str, Any]:
    """A monitor's job: called as ours, its logins where ours has them, without the relabelling around ours."""
    found = {**job, "job_name": ours["job_name"]}
    rules, count = job["relabel_configs"], len(ours["relabel_configs"])
    # The last one that a monitor has in front of the job's own. Behind those the operator shares out targets.
    before = next((i for i, rule in enumerate(rules) if LAST_OF_THE_OPERATORS.items() <= rule.items()), -1)
    found["relabel_configs"] = rules[before + 1 : before + 1 + count]
    for login in ("basic_auth", "authorization", "oauth2"):
        if login in ours and login in job:
            inline = {key.removesuffix("_file"): key for key in ours[login] if key.endswith("_file")}
            found[login] = {
                inline.get(key, key): ours[login][inline[key]] if key in inline else value
                for key, value in job[login].items()
            }
    if "tls_config" in ours and "tls_config" in job:
        found["tls_config"] = {
            key: ours["tls_config"][key] if _same_secret(ours["tls_config"].get(key, ""), value) else value
            for key, value in job["tls_config"].items()
        }
    return found


def _same_secret(ours: Any, running: Any) -> bool:
    """Whether a file of the operator holds what our file does: its name ends with the key of that in the Secret."""
    path = str(ours).partition("/current/")[2]
    return bool(path) and str(running).endswith(f"_{key_of(path)}")
