"""Prices of your own, in place of the listed ones that `cost` reckons with."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from components.config.base import Matching

PriceName = Annotated[str, Matching(r"^[a-z-]+\.[a-z_]+$", "platform.item, such as datadog.custom_metrics")]
Cost = Annotated[float, Field(ge=0, allow_inf_nan=False)]
PriceOverride = Cost | tuple[Cost, Cost]
"""One price, or the lowest and the highest."""
