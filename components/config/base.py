"""The ground that the models of the stack file stand on: strictness, durations, sizes, secrets."""

from __future__ import annotations

import re
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, StringConstraints, model_validator

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
Size = Annotated[str, StringConstraints(pattern=r"^[1-9]\d*(KB|MB|GB|TB)$")]
Name = Annotated[str, StringConstraints(pattern=NAME_PATTERN, max_length=63)]
Label = Annotated[str, StringConstraints(pattern=r"^[a-zA-Z_][a-zA-Z0-9_]*$")]
PortNumber = Annotated[int, Field(ge=1, le=65535, strict=True)]
Url = Annotated[str, StringConstraints(pattern=r"^https?://[^\s/@]+(/\S*)?$"), AfterValidator(_check_url)]
"""A URL without credentials in it: those are secrets and have keys of their own."""
Target = Annotated[str, StringConstraints(pattern=r"^(\[[0-9a-fA-F:]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?$")]
"""host or host:port"""


class Secret(Model):
    """A value that never stands in the stack file: a Pulumi secret beside it, or a file outside of git."""

    secret: Annotated[str, StringConstraints(pattern=r"^[A-Za-z][A-Za-z0-9]*$")] = Field(
        description="Name of the Pulumi secret: `pulumi config set --secret observatory:<name>`."
    )

    @model_validator(mode="before")
    @classmethod
    def _plain_text_is_refused(cls, value: Any) -> Any:
        if not isinstance(value, dict | Secret):
            raise ValueError("must name a secret, for example {secret: slackUrl}; its value never stands in this file")
        return value
