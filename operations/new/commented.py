"""A stack file's text: the data as YAML, and above each key what its model says of it."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import yaml
from pydantic import BaseModel
from pydantic.fields import FieldInfo
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from components.config import StackConfig
from components.config.load import KEY

WIDTH = 118
HEAD = """\
# yaml-language-server: $schema=schema.json
# {environment}: made by `./observatory new`. Every key is explained in docs/guide/stack-file.md; the words above the
# keys are its own. `./observatory validate {environment}` checks what you change.
"""


class _Dumper(yaml.SafeDumper):
    """Lists indented below their key; names of secrets and lists of words in one line, as people write them."""

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:  # noqa: ARG002
        super().increase_indent(flow, False)

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_data(self, data: Any) -> Node:
        node = super().represent_data(data)
        if isinstance(node, MappingNode):
            node.flow_style = isinstance(data, dict) and data.keys() == {"secret"}
        elif isinstance(node, SequenceNode):
            node.flow_style = all(isinstance(item, ScalarNode) for item in node.value)
        return node


def stack_text(data: Mapping[str, Any]) -> str:
    """The whole stack file, `data` being the object `observatory:stack` in it."""
    text: str = yaml.dump(
        {"config": {KEY: dict(data)}}, Dumper=_Dumper, sort_keys=False, width=WIDTH, allow_unicode=True
    )
    root = yaml.compose(text, Loader=yaml.SafeLoader)
    lines = text.splitlines()
    node = _value(_value(root, "config"), KEY)
    for line, column, words in sorted(_comments(node, StackConfig, set()), reverse=True):
        indent = len(lines[line]) - len(lines[line].lstrip())  # the dash's, for the first key of an entry in a list
        lines[line:line] = _wrapped(words, min(indent, column))
    more = [
        " " * 4 + "#",
        *_wrapped("What else there is, at its default here:", 4),
        *(line for name, words in _unused(data) for line in _wrapped(f"{name}: {words}", 4, "  ")),
    ]
    return HEAD.format(environment=data["environment"]) + "\n".join([*lines, *more]) + "\n"


def _value(node: Node | None, key: str) -> Node:
    assert isinstance(node, MappingNode)
    found: Node = next(value for name, value in node.value if name.value == key)
    return found


def _wrapped(words: str, indent: int, inner: str = "") -> list[str]:
    prefix = " " * indent + "# " + inner
    return textwrap.wrap(words, WIDTH, initial_indent=prefix, subsequent_indent=prefix, break_long_words=False)


def _unused(data: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The keys that the file leaves out, without those of the other platform."""
    foreign = ("docker", "ports") if data["platform"] == "kubernetes" else ("kubernetes",)
    for name, field in StackConfig.model_fields.items():
        if name not in data and name not in foreign:
            yield name, description(field)


def description(field: FieldInfo) -> str:
    """What a key is for: in its own words, else in those of the model that it takes."""
    if field.description:
        return field.description
    return next((_first_line(model) for model in _models(field.annotation)), "")


def _first_line(model: type[BaseModel]) -> str:
    return (inspect.getdoc(model) or "").split("\n\n")[0].replace("\n", " ")


def _models(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _comments(node: Node, annotation: Any, said: set[tuple[type, str]]) -> Iterator[tuple[int, int, str]]:
    """Line, column and words of each comment. Each key of a model is explained once, where it stands first."""
    if isinstance(node, SequenceNode):
        for item in node.value:
            yield from _comments(item, annotation, said)
    if not isinstance(node, MappingNode) or node.flow_style:
        return
    model = _meant(node, annotation)
    for key, value in node.value:
        field = _fields(model).get(key.value) if model else None
        if model is None or field is None:  # a name of the user's, such as that of a channel
            yield from _comments(value, annotation, said)
            continue
        words = description(field)
        if words and (model, key.value) not in said:
            said.add((model, key.value))
            yield key.start_mark.line, key.start_mark.column, words
        yield from _comments(value, field.annotation, said)


def _fields(model: type[BaseModel]) -> dict[str, FieldInfo]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _meant(node: MappingNode, annotation: Any) -> type[BaseModel] | None:
    """The model that a mapping is written for: of a choice, the one that has its keys and, if any, its type."""
    values = {key.value: value.value for key, value in node.value}
    for model in _models(annotation):
        fields = _fields(model)
        kinds = get_args(fields["type"].annotation) if "type" in fields else ()
        if values.keys() <= fields.keys() and (not kinds or values.get("type") in kinds):
            return model
    return None
