"""The files that a stack file names beside it: targets, rules and dashboards of the user's own, read and checked."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

from components.catalogue import all_alerts
from components.config import Problem, StackConfig, StackFileError
from components.spec import SECRET_TOKEN
from components.yaml_text import load
from dashboards import CATALOGUE

_UID = re.compile(r"^[A-Za-z0-9_-]{1,40}$")
"""What Grafana takes since its version 12."""
_RULE_KEYS = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}


def read_beside(config: StackConfig, stack_file: Path) -> dict[str, str]:
    """Path as the stack file names it to text, of every such file; a bad one is a `StackFileError`."""
    found: dict[str, str] = {}
    problems = []
    uids: dict[str, str] = {}
    for key, name, check in _named(config):
        try:
            found[name] = _text(stack_file, name)
            check(found[name])
            if check is _check_dashboard:
                uid = json.loads(found[name])["uid"]
                if uid in uids:
                    raise ValueError(f"has the uid {uid} of {uids[uid]}; each dashboard needs one of its own")
                uids[uid] = name
        except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
            reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error).splitlines()[0]
            problems.append(Problem(key, reason, repr(name)))
    if problems:
        raise StackFileError(str(stack_file), problems)
    return found


def _named(config: StackConfig) -> Iterator[tuple[str, str, Callable[[str], None]]]:
    """Key, path and check of each file that the stack file names."""
    for index, service in enumerate(config.services):
        if service.discovery.file:
            yield f"services[{index}].discovery.file.file", service.discovery.file.file, _check_targets
    for index, name in enumerate(config.rule_files):
        yield f"rule_files[{index}]", name, _check_rules
    for folder, names in config.dashboard_files.items():
        for index, name in enumerate(names):
            yield f"dashboard_files.{folder}[{index}]", name, _check_dashboard


def _text(stack_file: Path, name: str) -> str:
    path = (stack_file.parent / name).resolve()
    if not path.is_relative_to(stack_file.parent.resolve()):
        raise ValueError("must stand below the stack file's folder")
    text = path.read_text(encoding="utf-8")
    if SECRET_TOKEN.search(text):
        raise ValueError("must not hold a placeholder of a secret")
    return text


def _check_targets(text: str) -> None:
    groups = load(text)
    if not isinstance(groups, list) or not all(map(_is_target_group, groups)):
        raise ValueError("must be a list of {targets: [host:port, ...], labels: {...}}")


def _is_target_group(group: object) -> bool:
    targets = group.get("targets") if isinstance(group, dict) else None
    return isinstance(targets, list) and bool(targets) and all(isinstance(target, str) for target in targets)


def _check_rules(text: str) -> None:
    """The shape of Prometheus' rule files; expressions are for promtool to judge, in `validate`."""
    content = load(text)
    groups = content.get("groups") if isinstance(content, dict) else None
    if not isinstance(groups, list) or not groups or len(content) > 1:
        raise ValueError("must be a mapping with the one key `groups`, a list that is not empty")
    seen: set[str] = set()
    for group in groups:
        name, rules = (group.get("name"), group.get("rules")) if isinstance(group, dict) else (None, None)
        if not isinstance(name, str) or not isinstance(rules, list):
            raise ValueError("each of `groups` must have a name and a list of rules")
        if name in seen:
            raise ValueError(f"has two groups called {name}")
        seen.add(name)
        for number, rule in enumerate(rules):
            _check_rule(rule, f"group {name}, rule {number + 1}")


def _check_rule(rule: Any, place: str) -> None:
    if not isinstance(rule, dict) or not isinstance(rule.get("expr"), str):
        raise ValueError(f"{place}: must be a mapping with `expr`, which is text")
    names = [rule[key] for key in ("alert", "record") if key in rule]
    if len(names) != 1 or not isinstance(names[0], str):
        raise ValueError(f"{place}: must have either `alert` or `record`, which is text")
    if unknown := sorted(map(str, {*rule} - _RULE_KEYS)):
        raise ValueError(f"{place}: unknown key {unknown[0]}; allowed here: {', '.join(sorted(_RULE_KEYS))}")
    for key in ("labels", "annotations"):
        table = rule.get(key) or {}
        if not isinstance(table, dict) or not all(isinstance(value, str) for value in table.values()):
            raise ValueError(f"{place}: `{key}` must be a mapping of names to text")
    if "alert" in rule and rule["alert"] in all_alerts():
        raise ValueError(f"{place}: {rule['alert']} is an alert of the product itself; give yours another name")


def is_free_uid(uid: str) -> bool:
    """Whether a dashboard of the user's own may have it: Grafana takes it, and none of the product's has it."""
    return bool(_UID.fullmatch(uid)) and uid not in CATALOGUE and not uid.startswith("observatory-")


def _check_dashboard(text: str) -> None:
    """What the provisioning of Grafana asks for."""
    board = json.loads(text)
    if not isinstance(board, dict) or not isinstance(board.get("title"), str) or not board["title"]:
        raise ValueError("must be a dashboard: a JSON object with a title")
    uid = board.get("uid")
    if not isinstance(uid, str) or not _UID.fullmatch(uid):
        raise ValueError("must have a uid of at most 40 letters, digits, - and _")
    if not is_free_uid(uid):
        raise ValueError(f"has the uid {uid}, which is that of a dashboard of the product itself")
    for key in ("panels", "rows"):
        if not isinstance(board.get(key) or [], list) or not all(isinstance(one, dict) for one in board.get(key) or ()):
            raise ValueError(f"its `{key}` must be a list of objects")
