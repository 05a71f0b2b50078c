"""The jobs that collect regions, and rules that pass over what the regions' own rules speak of."""

from __future__ import annotations

import copy
from functools import cache
from pathlib import Path
from typing import Any

from components.catalogue import rule_file, rule_subjects
from components.config import parse_stack
from components.promql import selectors
from components.rules import settled_groups
from components.series import sources
from components.services.federation import own_series_only
from components.spec import Call, Service
from components.yaml_text import dump
from tests.rules.promtool import run
from tests.support import FEDERATED, content, data, planned, service, stack

OWN = 'region!~"eu|us-west"'


@cache
def world() -> Service:
    return service(planned(parse_stack(copy.deepcopy(FEDERATED), "stacks/Pulumi.world.yaml")), "prometheus")


def job(name: str) -> dict[str, Any]:
    jobs: dict[str, dict[str, Any]] = {j["job_name"]: j for j in data(world(), "prometheus.yml")["scrape_configs"]}
    return jobs[name]


def rules(of: Service) -> dict[tuple[str, str], str]:
    """Subject and name of each rule to its expression."""
    return {
        (file.path, rule.get("alert") or rule["record"] + str(rule.get("labels", ""))): rule["expr"]
        for file in of.files
        if file.path.startswith("rules/")
        for group in data(of, file.path)["groups"]
        for rule in group["rules"]
    }


def test_a_region_with_a_password_its_own_authority_and_a_path() -> None:
    found = job("federate-eu")
    assert found["metrics_path"] == "/prometheus/federate"
    assert found["scheme"] == "https"
    assert found["params"] == {"match[]": ['{__name__=~"[^:]+:.+"}', "up", 'ALERTS{alertstate="firing"}']}
    assert (found["honor_labels"], found["track_timestamps_staleness"]) == (True, True)
    assert (found["scrape_interval"], found["scrape_timeout"]) == ("5s", "5s")
    assert found["static_configs"] == [{"targets": ["eu.example.com:443"], "labels": {"region": "eu"}}]
    folder = "/etc/prometheus/current/secrets/services"
    assert found["basic_auth"] == {"username": "world", "password_file": f"{folder}/federate-eu-password"}
    assert found["tls_config"] == {"ca_file": f"{folder}/federate-eu-ca"}
    assert content(world(), "secrets/services/federate-eu-password") == "<secret:euPassword>"
    assert content(world(), "secrets/services/federate-eu-ca") == "<secret:euCa>"


def test_a_region_without_any_of_it() -> None:
    found = job("federate-us-west")
    assert found["metrics_path"] == "/federate"
    assert found["static_configs"] == [{"targets": ["us.example.com:9090"], "labels": {"region": "us-west"}}]
    assert found["params"] == {"match[]": ['{__name__=~"service:.+", team="web"}']}
    assert not found.keys() & {"scheme", "scrape_interval", "scrape_timeout", "basic_auth", "tls_config"}
    address = {"name": "v6", "url": "https://[2001:db8::1]"}
    one = service(planned(stack(federation=[address])), "prometheus")
    (last,) = (each for each in data(one, "prometheus.yml")["scrape_configs"] if each["job_name"] == "federate-v6")
    assert last["static_configs"][0]["targets"] == ["[2001:db8::1]:443"]


def test_a_region_may_be_anywhere() -> None:
    assert Call() in service(planned(stack(federation=[{"name": "eu", "url": "http://eu:9090"}])), "prometheus").calls
    assert Call() not in service(planned(stack()), "prometheus").calls


def test_no_rule_but_those_on_the_federation_sees_series_of_a_region() -> None:
    without = {key: value for key, value in FEDERATED.items() if key != "federation"}
    alone = rules(service(planned(parse_stack(without, "stacks/Pulumi.world.yaml")), "prometheus"))
    found = rules(world())
    added = {key: found.pop(key) for key in [*found] if key[0] == "rules/federation.yaml"}
    assert {name for _, name in added} == {"FederatedRegionDown", "FederatedRegionEmpty"}
    assert not any(OWN in expression for expression in added.values())
    assert found.keys() == alone.keys()
    for key, expression in found.items():
        assert expression.count(OWN) == len(selectors(alone[key])), key
        assert expression.replace(f"{OWN}, ", "").replace(f"{{{OWN}}}", "").replace(OWN, "") == alone[key].replace(
            "{}", ""
        )


def test_promtool_reads_every_rule_of_the_catalogue_so_narrowed(tmp_path: Path) -> None:
    files = [(subject, rule_file(subject)) for subject in rule_subjects()]
    groups = {subject: settled_groups(file, {}) for subject, file in files if file}
    config = parse_stack(copy.deepcopy(FEDERATED), "stacks/Pulumi.world.yaml")
    path = tmp_path / "rules.yaml"
    every = [group for found in own_series_only(config, groups).values() for group in found]
    path.write_text(dump({"groups": every}))
    outcome = run("check", "rules", str(path))
    assert outcome.returncode == 0, outcome.stderr


def test_the_size_of_a_stack_counts_its_regions() -> None:
    config = parse_stack(copy.deepcopy(FEDERATED), "stacks/Pulumi.world.yaml")
    found = {source.name: source for source in sources(config, ["prometheus"], {})}
    assert (found["federate-eu"].series, found["federate-eu"].interval) == (2005, 5)
    assert (found["federate-us-west"].series, found["federate-us-west"].interval) == (2005, 15)
