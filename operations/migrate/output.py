"""What a migration writes: a stack file, rule files, dashboards, history, and the report."""

from __future__ import annotations

import copy
import json
import os
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from components.catalogue import all_alerts
from components.config.load import KEY
from components.yaml_text import dump
from operations.errors import CommandError
from operations.migrate import names
from operations.migrate.report import Node, Report, as_json, as_markdown
from operations.render import write_tree, written_by

REPORT = "REPORT.md"
_PART = ".part-"
"""Begins the name of a folder that is being filled, or was when a run was killed."""
_FOUND = ("stack", "rules", "dashboards", "secrets", "notes", "extra")


@dataclass(frozen=True, slots=True)
class SecretToSet:
    """A value that was found and not copied: the name it goes by here, and where it was."""

    name: str
    where: str


@dataclass(slots=True)
class Bundle:
    """Everything that one migration has found; filled by whoever reads the source."""

    environment: str
    origin: str
    report: Report = field(default_factory=Report)
    stack: dict[str, Any] = field(default_factory=dict)
    rules: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    """Name of a rule file without its ending, to its groups."""
    dashboards: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)
    """Folder of Grafana to dashboards by name of file without its ending."""
    secrets: list[SecretToSet] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What to do after the migration that belongs to no single item."""
    extra: dict[str, str] = field(default_factory=dict)
    """Further files that the stack file names or a person needs, by path."""
    folders: dict[str, Callable[[Path], None]] = field(default_factory=dict)
    """Folders that a program fills, by name."""

    def secret(self, name: str, where: str) -> dict[str, str]:
        """The reference to a secret in the stack file; its value stays where it was."""
        name = names.unique(name, {each.name for each in self.secrets}).replace("-", "")
        self.secrets.append(SecretToSet(name, where))
        return {"secret": name}

    def add_rules(self, file: str, group: dict[str, Any]) -> None:
        """A group of rules, under a name that no other group of the file has."""
        groups = self.rules.setdefault(file, [])
        groups.append(group | {"name": names.unique(group["name"], {each["name"] for each in groups})})

    def add_dashboard(self, folder: str, board: dict[str, Any], seed: str) -> None:
        """A dashboard; `seed` tells boards of the same title apart, so that identifiers stay the same."""
        boards = self.dashboards.setdefault(folder, {})
        taken = {each["uid"] for found in self.dashboards.values() for each in found.values()}
        titles = {each["title"] for each in boards.values()}
        if board["title"] in titles:  # Grafana takes a title once in a folder
            board["title"] = names.unique(board["title"], titles)
        board["uid"] = names.unique(board.get("uid") or names.uid(board["title"], seed), taken)[-40:]
        boards[names.unique(names.slug(board["title"], "board"), boards)] = board

    def whole_stack(self) -> dict[str, Any]:
        """The object of the stack file, with the files that it names."""
        stack: dict[str, Any] = {"environment": self.environment, **self.stack}
        if rules := self._rule_files():
            stack["rule_files"] = list(rules)
        if self.dashboards:
            stack["dashboard_files"] = {folder: list(self._board_files(folder)) for folder in self.dashboards}
        return stack

    def _rule_files(self) -> dict[str, Any]:
        found = {f"rules/{name}.yaml": {"groups": groups} for name, groups in self.rules.items() if groups}
        if not found and self.stack.get("alerting", {}).get("routes"):
            # Routes may go by labels that only rules of the user's own have; without any, that would be a mistake.
            return {"rules/own.yaml": {"groups": [{"name": "own", "rules": []}]}}
        return found

    def _board_files(self, folder: str) -> dict[str, Any]:
        return {f"dashboards/{names.slug(folder)}/{name}.json": each for name, each in self.dashboards[folder].items()}

    def files(self) -> dict[str, str]:
        """Path below the output folder to text."""
        found = {path: dump(content) for path, content in self._rule_files().items()}
        boards = [pair for folder in self.dashboards for pair in self._board_files(folder).items()]
        found |= {path: json.dumps(board, indent=1, ensure_ascii=False) + "\n" for path, board in boards}
        found[f"Pulumi.{self.environment}.yaml"] = self._header() + dump({"config": {KEY: self.whole_stack()}})
        found |= self.extra
        found[REPORT] = as_markdown(self.report, f"Migration from {self.origin}", self._next_steps())
        found["report.json"] = json.dumps(self.as_json(), indent=1, ensure_ascii=False) + "\n"
        return found

    def as_json(self) -> dict[str, Any]:
        """The report for scripts."""
        secrets = [{"name": each.name, "where": each.where} for each in self.secrets]
        return as_json(self.report, origin=self.origin, secrets=secrets, notes=self.notes)

    def _header(self) -> str:
        lines = [f"Made by `observatory migrate` from {self.origin}; {REPORT} says what became of each item."]
        if self.secrets:
            lines += ["Secrets were not copied. Set each one; Pulumi asks for the value:"]
            setting = "  pulumi config set --secret observatory:{} --stack {}    (was: {})"
            lines += [setting.format(each.name, self.environment, each.where) for each in self.secrets]
        return "".join(f"# {' '.join(line.split(chr(10))) if line[:1] != ' ' else line}\n" for line in lines)

    def _next_steps(self) -> str:
        steps = [f"./observatory validate <this folder>/Pulumi.{self.environment}.yaml`: it is valid as it is"]
        text = [f"1. `{steps[0]}."]
        text += [f"1. {note}" for note in self.notes]
        text += [f"1. Set the secret `{each.name}`: its value was in {each.where}." for each in self.secrets]
        text += ["1. Move the stack file to `stacks/`, with the folders `rules` and `dashboards` beside it."]
        return "\n".join(text)


def attempt(bundle: Bundle, node: Node, kind: str, work: Callable[[], None]) -> None:
    """Read one part of a source. One that is not of the shape of such files is reported, and leaves nothing behind."""
    before = {name: copy.deepcopy(getattr(bundle, name)) for name in _FOUND}
    items, covered = list(bundle.report.items), dict(bundle.report.covered)
    try:
        work()
    except (AttributeError, TypeError, ValueError, KeyError, IndexError):
        for name, value in before.items():
            setattr(bundle, name, value)
        bundle.report.items, bundle.report.covered = items, covered
        why = "something in it is not of the shape that such a file has"
        bundle.report.impossible(node, kind, node.place or node.file, why, "correct it, then migrate again")


def alert_name(wanted: str, taken: set[str]) -> str:
    """The name of an alert that neither the product nor this migration has yet; adds it to `taken`."""
    name = wanted if wanted not in all_alerts() else f"Migrated{wanted}"
    name = names.unique(name, taken).replace("-", "")
    taken.add(name)
    return name


def writable(out: Path, force: bool) -> None:
    """Raises CommandError where `out` may not be written; asked before anything is read, which may have its price."""
    there = next(path for path in (out, *out.parents) if path.exists())
    if not there.is_dir():
        raise CommandError(f"{there} is a file", "name a folder that does not exist yet, or an empty one")
    if not os.access(there, os.W_OK | os.X_OK):
        raise CommandError(f"{there} cannot be written by this user", "name another folder")
    if not force and there == out and any(not path.name.startswith(_PART) for path in out.iterdir()):
        raise CommandError(f"{out} is not empty", "name an empty folder, or add --force to write into this one")


def write(bundle: Bundle, out: Path) -> list[str]:
    """Write everything below `out`, in the place of what is there."""
    files = bundle.files()
    parts = {name: _filled(out / f"{_PART}{name}", fill) for name, fill in bundle.folders.items()}
    if kept := _put_aside(out, files, parts):
        bundle.notes.append(f"{kept} has what was there before and is other now.")
    for name, part in parts.items():
        part.rename(out / name)
    write_tree(out, files, force=True, command="migrate")
    return sorted(files)


def _filled(part: Path, fill: Callable[[Path], None]) -> Path:
    """A new folder with what belongs into it; what a killed run left there goes."""
    try:
        if part.exists():
            shutil.rmtree(part)
        part.mkdir(parents=True)
        fill(part)
    except OSError as error:
        raise CommandError(f"{error.filename or part} cannot be written: {error.strerror}") from None
    return part


def _put_aside(out: Path, files: Mapping[str, str], folders: Iterable[str]) -> Path | None:
    """Keep what another migration or a person wrote, and this one replaces or removes, in a folder of its own."""
    try:
        replaced = [name for name in folders if (out / name).exists()]
        there = [path for path in {*files, *written_by(out, "migrate")} if (out / path).is_file()]
        changed = {path: (out / path).read_bytes() for path in there}
        changed = {path: old for path, old in changed.items() if old != files.get(path, "").encode()}
        if not changed and not replaced:
            return None
        aside = out / names.unique("before", {path.name for path in out.iterdir()})
        for path, old in changed.items():
            (aside / path).parent.mkdir(parents=True, exist_ok=True)
            (aside / path).write_bytes(old)
        for name in replaced:
            aside.mkdir(exist_ok=True)
            (out / name).rename(aside / name)
    except OSError as error:
        raise CommandError(f"{error.filename or out} cannot be kept: {error.strerror}") from None
    return aside
