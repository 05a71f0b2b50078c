"""YAML as this project reads and writes it: the safe subset, by the C library, order kept, no aliases."""

from __future__ import annotations

from typing import Any

import yaml

_BaseLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Loader(_BaseLoader):  # type: ignore[misc]
    """Refuses what YAML itself would take: a key that stands twice, of which only the last would count."""

    def construct_mapping(self, node: Any, deep: bool = False) -> Any:
        seen = set()
        for key, _ in node.value:
            name = (key.tag, str(key.value))
            if name in seen:
                raise yaml.constructor.ConstructorError(
                    None, None, f"the key {key.value} is there twice", key.start_mark
                )
            seen.add(name)
        return super().construct_mapping(node, deep)


class _Dumper(_BaseDumper):  # type: ignore[misc]
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def load(text: str) -> Any:
    """The data of one document. Raises `yaml.YAMLError`."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)
    except (ValueError, LookupError, AttributeError, RecursionError) as error:  # a date like 2026-13-01, too deep
        raise yaml.YAMLError(f"not readable: {error}") from None


def dump(data: Any) -> str:
    """The text of one document, the same for the same data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
