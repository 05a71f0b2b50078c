"""What cannot be asked of a Prometheus that the cluster's operator runs: an error, never left aside."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING

from components.config.errors import Problem

if TYPE_CHECKING:
    from components.config.stack import StackConfig

_LONGEST = 29
"""Characters of an environment: with what the operator puts before it, a StatefulSet is called so, and has 52."""
_VERSION = re.compile(r"v?\d+\.\d+\.\d+([-+][0-9A-Za-z.-]+)?")
_VARIABLE = re.compile(r"\$\([A-Za-z_0-9]+\)")


def operator_problems(config: StackConfig) -> Iterator[Problem]:
    """What a Prometheus that an operator runs cannot do."""
    place = "kubernetes.operator"
    if config.access:
        hint = (
            "use `operator: none`; or leave `access` out: network policies close it, `kubectl port-forward` reaches it"
        )
        yield Problem(place, "the operator's Prometheus cannot ask for the password of `access`", "existing", hint)
    if config.storage.backend != "local":
        hint = "use `operator: none`"
        yield Problem(place, f"cannot be had with storage.backend: {config.storage.backend}", "existing", hint)
    if len(config.environment) > _LONGEST:
        reason = f"must have at most {_LONGEST} characters with kubernetes.operator: existing"
        yield Problem("environment", reason, config.environment)
    override = config.images.overrides.get("prometheus")
    tag = (override or "").partition("@")[0].rpartition("/")[2].partition(":")[2]
    if override and not _VERSION.fullmatch(tag):
        reason = "must have a tag with its version, such as :v3.12.0, by which the operator writes its configuration"
        yield Problem("images.overrides.prometheus", reason, override)
    for key, values in (("services", config.services), ("probes", config.probes)):
        for index, value in enumerate(values):
            if found := _VARIABLE.search(value.model_dump_json()):
                reason = "the operator would take this text for a variable of its own"
                yield Problem(f"{key}[{index}]", reason, found[0])
