"""The prices: one dated list, and what a stack file or a file of yours says in place of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from components.config import StackFileError
from components.config.base import Model
from components.config.errors import near, stack_file_error
from components.yaml_text import load
from operations.errors import CommandError

LIST = Path(__file__).with_name("prices.yaml")
OLD = 180
"""Days after which a list of prices is called old."""

Range = tuple[float, float]
"""From the lowest to the highest; the same twice where it is certain."""
Amount = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class Price(Model):
    """What a unit costs. Either `price`, one or from-to, or `tiers`: units up to which each price counts."""

    price: Amount | tuple[Amount, Amount] | None = None
    tiers: tuple[tuple[Amount | None, Amount], ...] = ()
    free: Amount = 0
    unit: str
    note: str = ""
    source: str
    seen: str = ""
    basis: Literal["provider", "other", "unconfirmed", "own"]
    """`own` are those that somebody has put in place of a listed one."""

    @model_validator(mode="after")
    def _one_kind(self) -> Self:
        if (self.price is None) == (not self.tiers):
            raise ValueError("needs exactly one of price and tiers")
        if isinstance(self.price, tuple) and self.price[0] > self.price[1]:
            raise ValueError("a range goes from the lower price to the higher")
        if self.tiers and (self.tiers[-1][0] is not None or any(upto is None for upto, _ in self.tiers[:-1])):
            raise ValueError("the last tier, and no other, has no number of units: [null, 0.02]")
        return self

    @property
    def range(self) -> Range:
        """Lowest and highest price of a unit."""
        if self.tiers:
            prices = [price for _, price in self.tiers]
            return min(prices), max(prices)
        assert self.price is not None
        return self.price if isinstance(self.price, tuple) else (self.price, self.price)

    def amount(self, units: Range) -> Range:
        """What so many units cost, at least and at most."""
        low, high = units
        if self.tiers:
            return self._tiered(low), self._tiered(high)
        return low * self.range[0], high * self.range[1]

    def _tiered(self, units: float) -> float:
        total = 0.0
        for upto, price in self.tiers:
            part = units if upto is None else min(units, upto)
            total, units = total + part * price, units - part
        return total


class Prices(Model):
    """A list of prices: platform to item to price."""

    date: dt.date
    currency: str = "USD"
    prices: dict[str, dict[str, Price]]

    def age(self, today: dt.date) -> int:
        """In days."""
        return (today - self.date).days


@dataclass(frozen=True, slots=True)
class Own:
    """Prices in place of the listed ones, and where they are written down."""

    origin: str
    data: Mapping[str, Any]


def listed() -> dict[str, Any]:
    """The list as data."""
    found: dict[str, Any] = load(LIST.read_text(encoding="utf-8"))
    return found


def from_file(path: Path) -> Own:
    """A file of the shape of the list, with as much of it as is to be other."""
    try:
        data = load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise CommandError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    except yaml.YAMLError as error:
        raise CommandError(f"{path} is not valid YAML: {str(error).splitlines()[0]}") from None
    if not isinstance(data, dict) or not data.keys() <= Prices.model_fields.keys():
        keys = ", ".join(Prices.model_fields)
        raise CommandError(f"{path}: must be a mapping of {keys}", f"the list has that shape: {LIST.name}")
    return Own(str(path), data)


def from_stack(prices: Mapping[str, float | tuple[float, float]], file: str) -> Own:
    """The prices that a stack file has, as `platform.item`."""
    data: dict[str, Any] = {}
    for name, price in prices.items():
        platform, _, item = name.partition(".")
        data.setdefault(platform, {})[item] = {"price": list(price) if isinstance(price, tuple) else price}
    return Own(file, {"prices": data} if data else {})


def combined(*others: Own) -> Prices:
    """The list with what each of the others says in its place, the last one counting.

    Raises StackFileError where one of them names no item of the list, or a value that is no price.
    """
    data = listed()
    for own in others:
        data |= {key: value for key, value in own.data.items() if key != "prices"}
        given = own.data.get("prices") or {}
        if not isinstance(given, dict):
            raise CommandError(f"{own.origin}: prices must be a mapping of platforms to items")
        for platform, items in given.items():
            _known(own, "prices", platform, data["prices"])
            if not isinstance(items, dict):
                raise CommandError(f"{own.origin}: prices.{platform} must be a mapping of items to prices")
            for item, price in items.items():
                _known(own, f"prices.{platform}", item, data["prices"][platform])
                data["prices"][platform][item] = _changed(data["prices"][platform][item], price, own.origin)
        _checked(data, own.origin)
    return _checked(data, LIST.name)


def _known(own: Own, place: str, name: str, known: Mapping[str, Any]) -> None:
    if name not in known:
        message = f"{own.origin}: {place}.{name} is no item of the list; items: {', '.join(known)}"
        raise CommandError(message, near(name, known))


def _changed(item: Mapping[str, Any], price: Any, origin: str) -> dict[str, Any]:
    change = price if isinstance(price, dict) else {"price": price}
    replaced = {"price", "tiers"} & change.keys()
    kept = {key: value for key, value in item.items() if not (replaced and key in ("price", "tiers"))}
    return {**kept, "source": origin, "basis": "own", **change}


def _checked(data: Mapping[str, Any], origin: str) -> Prices:
    try:
        return Prices.model_validate(data)
    except ValidationError as error:
        raise stack_file_error(origin, error, data, Prices) from None


__all__ = ["LIST", "OLD", "Own", "Price", "Prices", "Range", "StackFileError", "combined", "from_file", "from_stack"]
