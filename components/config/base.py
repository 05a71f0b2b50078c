"""The ground that the models of the stack file stand on: strictness, durations, sizes, secrets."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800, "y": 31536000}
# As Prometheus reads them: the longest unit first, each at most once.
_DURATION = re.compile(
    "^(?=.)" + "".join(f"(?:[0-9]{{1,12}}{unit})?" for unit in ("y", "w", "d", "h", "m", "s", "ms")) + "$"
)
_LONGEST = 100 * 31536000
_SIZES = {"KB": 2**10, "MB": 2**20, "GB": 2**30, "TB": 2**40}
NAME_PATTERN = r"^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$"


class Model(BaseModel):
    """Frozen, and strict about keys: a mistyped key is an error, never ignored."""

    model_config = ConfigDict(
        defer_build=True, frozen=True, extra="forbid", validate_default=True, hide_input_in_errors=True
    )


@dataclass(frozen=True, slots=True)
class Matching:
    """Text that a pattern matches as a whole. An error says it in words, the schema of stack files as the pattern."""

    pattern: str
    words: str
    most: int | None = None
    """Characters at most."""

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        whole = re.compile(self.pattern)

        def check(value: str) -> str:
            if not whole.fullmatch(value):
                raise ValueError(f"must be {self.words}")
            if self.most and len(value) > self.most:
                raise ValueError(f"must be at most {self.most} characters long")
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: Callable[[CoreSchema], dict[str, Any]]
    ) -> dict[str, Any]:
        length = {"maxLength": self.most} if self.most else {}
        return {**handler(schema), **length, "pattern": self.pattern}


@dataclass(frozen=True, slots=True)
class NotEmpty:
    """A list or mapping with something in it.

    In place of a `min_length`, which complains of entries that are wrong already as if they were missing.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Callable[[Any], CoreSchema]) -> CoreSchema:
        def check(value: Any) -> Any:
            if not value:
                raise ValueError("must name at least one")
            return value

        return core_schema.no_info_after_validator_function(check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: Callable[[CoreSchema], dict[str, Any]]
    ) -> dict[str, Any]:
        found = handler(schema)
        return {**found, "minProperties" if found.get("type") == "object" else "minItems": 1}


def seconds(duration: str) -> float:
    """The length of a Prometheus duration such as `1m30s`, in seconds."""
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)(ms|[smhdwy])", duration))


def go_duration(duration: str) -> str:
    """The same duration as Go writes it (`15d` becomes `360h0m0s`): for programs that know no days."""
    minutes, rest = divmod(round(seconds(duration) * 1000), 60_000)
    return f"{minutes // 60}h{minutes % 60}m{rest / 1000:g}s"


def size_bytes(size: str) -> int:
    """The number of bytes of a Prometheus size such as `10GB` (powers of 1024, as Prometheus counts)."""
    return int(size[:-2]) * _SIZES[size[-2:]]


def is_duration(text: str) -> bool:
    """Whether Prometheus reads the text as a duration, longer than nothing and at most 100 years."""
    return bool(_DURATION.fullmatch(text)) and not text.endswith("\n") and 0 < seconds(text) <= _LONGEST


def duration_text(length: float) -> str:
    """A number of seconds as Prometheus writes durations: `1h30m`, `500ms`; below a millisecond, as a fraction."""
    rest, text = round(length * 1000), ""
    for unit in ("d", "h", "m", "s", "ms"):
        amount, rest = divmod(rest, round(_UNITS[unit] * 1000))
        text += f"{amount}{unit}" if amount else ""
    return text or f"{length:g}s"


def _check_duration(value: str) -> str:
    if not is_duration(value):
        raise ValueError(
            "must be a duration such as 15s, 1m30s or 30d (units y, w, d, h, m, s, ms in this order; at most 100y)"
        )
    return value


def _number_is_no_duration(value: Any) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        raise ValueError(f"must be a duration with its unit, for example {value if 0 < value < 10**6 else 15}s")
    return value


_BAD_IN_URL = re.compile(r"%(?![0-9a-fA-F]{2})|[\x00-\x20\x7f]")
_HOST = re.compile(r"[A-Za-z0-9._~-]+|[0-9a-f:.]+")


def _check_url(value: str) -> str:
    """What the products (Go's url.Parse) would refuse only when they read their configuration."""
    try:
        parts = urlsplit(value)
        usable = parts.port != 0 and _HOST.fullmatch(parts.hostname or "") and not parts.netloc.endswith(":")
    except ValueError:
        usable = None
    if not usable or _BAD_IN_URL.search(value):
        raise ValueError("must be a URL with a host, a port of 1 to 65535 if any, and no bad characters")
    return value


Duration = Annotated[
    str,
    BeforeValidator(_number_is_no_duration),
    AfterValidator(_check_duration),
    Field(json_schema_extra={"pattern": _DURATION.pattern, "examples": ["15s", "1m30s", "30d"]}),
]
Size = Annotated[
    str, Matching(r"^[1-9]\d*(KB|MB|GB|TB)$", "a whole number with its unit KB, MB, GB or TB, such as 20GB")
]
Name = Annotated[
    str,
    Matching(NAME_PATTERN, "lower-case letters, digits and single hyphens, beginning with a letter: team-chat", 63),
]
Label = Annotated[
    str, Matching(r"^[a-zA-Z_][a-zA-Z0-9_]*$", "letters, digits and underscores, not beginning with a digit")
]
Switch = Annotated[bool, Field(strict=True)]
"""true or false; not text or a number that may have meant something else."""
PortNumber = Annotated[int, Field(ge=1, le=65535, strict=True)]
Url = Annotated[
    str,
    Matching(r"^https?://[^\s/@]+(/\S*)?$", "a URL such as https://example.com/path, without a login in it"),
    AfterValidator(_check_url),
]
"""A URL without credentials in it: those are secrets and have keys of their own."""
Target = Annotated[
    str,
    Matching(
        r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$", "host or host:port, without http:// and without a path"
    ),
]
"""host or host:port"""


NOT_NAMED = "secret_not_named"
"""The kind of error that text in place of a secret's name is."""


class Secret(Model):
    """A value that never stands in the stack file: a Pulumi secret beside it, or a file outside of git."""

    secret: Annotated[str, Matching(r"^[A-Za-z][A-Za-z0-9]*$", "letters and digits, such as slackUrl")] = Field(
        description="Name of the Pulumi secret: `pulumi config set --secret observatory:<name>`."
    )

    @model_validator(mode="before")
    @classmethod
    def _plain_text_is_refused(cls, value: Any) -> Any:
        if not isinstance(value, dict | Secret):
            # The example is given where the key is known: in errors.py.
            raise PydanticCustomError(NOT_NAMED, "must name a secret; its value never stands in this file")
        return value
