"""Checks of Thanos: whether samples reach the bucket, and whether queries get all of what there is."""

from __future__ import annotations

from components.yaml_text import load
from operations.running import Check, CheckFailed, FailedForGood, Running

NAME, METRICS = "thanos", "prometheus"
STORES = ("thanos-sidecar", "thanos-store", "thanos-rule", "thanos-receive")
"""The components that the querier asks."""


def ready(running: Running) -> str:
    """The component that people ask answers."""
    # Not whether it is ready: the query frontend asks the querier for that, without the password that this one may ask
    # for, and is never ready then. Whether the querier answers is what the other checks see.
    running.endpoint(NAME).get("/-/healthy")
    return running.endpoint(NAME).url


def reaches_every_store(running: Running) -> str:
    """The querier is connected to everything that has samples, as planned, and nothing has an error."""
    kinds = running.endpoint(NAME).prometheus("/api/v1/stores") or {}
    found = {each["name"].partition(":")[0]: each.get("lastError") for stores in kinds.values() for each in stores}
    wanted = [each.name for each in running.plan.services if each.group in STORES]
    if missing := [name for name in wanted if name not in found]:
        raise CheckFailed(f"the querier does not know {', '.join(missing)}", "does it run? see `docker ps -a`")
    if broken := [f"{name}: {found[name]}" for name in wanted if found[name]]:
        raise CheckFailed("\n".join(broken), "see the log of the component; queries lack what it has")
    return ", ".join(wanted)


def answers_completely(running: Running) -> str:
    """A query over everything is answered by all stores: what one could not answer would be a warning."""
    answer = running.endpoint(NAME).get_json("/api/v1/query", query="count(up)")
    if not answer.get("data", {}).get("result"):
        raise CheckFailed("no store has a sample of the last minutes", "do the sidecars reach their Prometheus?")
    if warnings := answer.get("warnings"):
        raise CheckFailed(f"not all stores answer: {'; '.join(warnings)}", "see the log of thanos-query")
    return f"{answer['data']['result'][0]['value'][1]} targets"


def samples_are_uploaded(running: Running) -> str:
    """Every sidecar has ended a round of uploads well in the last minutes; it makes two in a minute."""
    wanted = len(running.plan.replicas("thanos-sidecar"))
    query = 'increase(thanos_shipper_dir_syncs_total{job="thanos-sidecar"}[5m]) > 0'
    found = running.endpoint(METRICS).prometheus("/api/v1/query", query=query)["result"]
    if len(found) < wanted:
        raise CheckFailed(
            f"{wanted - len(found)} of {wanted} sidecars upload nothing",
            "see their log for the S3 server's own words: is the bucket there, and may these keys write to it?\n"
            "right after the first deployment this takes up to two minutes",
        )
    return f"{wanted} sidecars"


def compactor_works(running: Running) -> str:
    """The compactor has not stopped over something in the bucket."""
    query = 'max(thanos_compact_halted{job="thanos-compact"})'
    found = running.endpoint(METRICS).prometheus("/api/v1/query", query=query)["result"]
    if not found:
        raise CheckFailed("Prometheus has no sample of the compactor yet", "is it running? see `docker ps -a`")
    if float(found[0]["value"][1]) != 0:
        raise FailedForGood("it has halted", "runbooks/ThanosCompactHalted.md tells why that may be and what to do")
    return "not halted"


def rules_are_evaluated(running: Running) -> str:
    """Each planned group has been evaluated by a ruler, and none of its rules has failed."""
    ruler = running.plan.service("thanos-rule")
    assert ruler is not None
    files = [file for file in ruler.files if file.path.startswith("rules/")]
    wanted = {group["name"] for file in files for group in load(file.content)["groups"]}
    groups = (running.endpoint(NAME).prometheus("/api/v1/rules") or {}).get("groups") or []
    own = {group["name"]: group for group in groups if group.get("partialResponseStrategy") == "WARN"}
    if missing := sorted(wanted - {*own}):
        raise CheckFailed(f"no ruler has {', '.join(missing)}", "see the log of thanos-rule")
    rules = [rule for name in wanted for rule in own[name]["rules"]]
    if failed := [rule for rule in rules if rule["health"] == "err"]:
        raise CheckFailed("\n".join(f"{rule['name']}: {rule.get('lastError', '')}" for rule in failed))
    if waiting := [rule["name"] for rule in rules if rule["health"] != "ok"]:
        raise CheckFailed(f"not evaluated yet: {', '.join(waiting)}", "a new ruler needs one evaluation interval")
    return f"{len(rules)} rules"


RULER_CHECKS = (Check("the ruler evaluates its rules", rules_are_evaluated, (NAME,)),)
CHECKS = (
    Check("thanos answers", ready, answers=NAME),
    Check("thanos reaches every store", reaches_every_store, (NAME,)),
    Check("thanos answers completely", answers_completely, (NAME,)),
    Check("samples are uploaded", samples_are_uploaded, (METRICS,)),
    Check("the compactor works", compactor_works, (METRICS,)),
)
