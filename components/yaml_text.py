"""YAML as this project reads and writes it: the safe subset, by the C library, order kept, no aliases."""

from __future__ import annotations

from typing import Any

import yaml

_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_BaseDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_BaseDumper):  # type: ignore[misc]
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def load(text: str) -> Any:
    """The data of one document. Raises `yaml.YAMLError`."""
    return yaml.load(text, Loader=_Loader)  # noqa: S506  (a safe loader)


def dump(data: Any) -> str:
    """The text of one document, the same for the same data."""
    return yaml.dump(data, Dumper=_Dumper, sort_keys=False, width=120, allow_unicode=True)
