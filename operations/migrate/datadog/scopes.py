"""From the scope of a Datadog query, which says of which tags it is, to the inside of a selector's braces."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from operations.migrate import names
from operations.migrate.datadog.queries import Scope, Tag
from operations.migrate.datadog.table import label


class CannotTranslate(ValueError):
    """Why a query has no form in PromQL."""


def selector(scope: Any, variables: Mapping[str, str], differs: Callable[[str], None]) -> str:
    """The matchers, without braces; `variables` are template variables by the tags that they choose a value of.

    Each difference is told to `differs`. Raises `CannotTranslate`.
    """
    found = [_matcher(part, variables, differs) for part in _flat(scope)]
    return ",".join(dict.fromkeys(each for each in found if each))


def _flat(scope: Any) -> list[Any]:
    if isinstance(scope, Scope) and scope.every:
        return [part for each in scope.parts for part in _flat(each)]
    return [scope]


def _matcher(part: Any, variables: Mapping[str, str], differs: Callable[[str], None]) -> str:
    if isinstance(part, Scope):  # alternatives, which one label has to have in common
        tags = [each for each in part.parts if isinstance(each, Tag)]
        same = {(each.key, each.negated) for each in tags}
        if len(tags) < len(part.parts) or len(same) != 1 or tags[0].negated or not tags[0].key:
            raise CannotTranslate("alternatives over several tags have no selector in PromQL")
        part = Tag(tags[0].key, tuple(value for each in tags for value in each.values))
    if part.values == ("*",) or (not part.key and part.values == ("",)):
        return ""
    if not part.key:
        word = part.values[0]
        if word.startswith("$"):
            variable = word.strip("${}").removesuffix(".value").removesuffix(".key")
            if variable not in variables:
                raise CannotTranslate(f"it filters by {word}, which is no template variable here")
            return f'{label(variables[variable])}{"!~" if part.negated else "=~"}"${{{names.label(variable)}}}"'
        differs(f'the bare tag {word} became {names.label(word)}!=""')
        return f'{names.label(word)}{"=" if part.negated else "!="}""'
    return _labelled(part)


def _labelled(part: Tag) -> str:
    values = [_value(value) for value in part.values]
    pattern = len(values) > 1 or any(is_pattern for _, is_pattern in values)
    sign = {(False, False): "=", (False, True): "!=", (True, False): "=~", (True, True): "!~"}[pattern, part.negated]
    text = "|".join(
        text if is_pattern or not pattern else re.escape(text).replace("\\-", "-") for text, is_pattern in values
    )
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'{label(part.key)}{sign}"{escaped}"'


def _value(text: str) -> tuple[str, bool]:
    """A tag's value, and whether it is a pattern: `web-*`, `$env.value`."""
    if match := re.fullmatch(r"\$\{?(\w+)(?:\.value)?\}?", text):
        return f"${{{names.label(match[1])}}}", True
    if "*" in text:
        return re.escape(text).replace("\\*", ".*").replace("\\-", "-"), True
    return text, False
