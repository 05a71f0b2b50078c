"""Which image each product runs: the pinned one, what the stack file overrides, what this machine has instead."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from components.config.products import Images
from components.yaml_text import load

VERSIONS = Path(__file__).with_name("versions.yaml")
SUBSTITUTES = Path(__file__).resolve().parents[1] / ".observatory" / "images.yaml"
"""Written by `make ready` on machines that cannot pull: product to another image, or to null where there is none."""


@dataclass(frozen=True, slots=True)
class ImageCatalogue:
    """Image references per product; None where this machine cannot have one."""

    references: dict[str, str | None]
    instead_of: dict[str, str] = field(default_factory=dict)
    """The pinned reference of each product that runs another image here, because that one cannot be pulled."""

    def reference(self, product: str) -> str | None:
        """The full reference, or None."""
        return self.references[product]


@cache
def _pinned() -> dict[str, dict[str, Any]]:
    loaded: dict[str, dict[str, Any]] = load(VERSIONS.read_text())
    return loaded


def _pin(product: str, registry: str | None) -> str:
    pin = _pinned()[product]
    repository = pin["image"] if registry is None else f"{registry}/{pin['image'].split('/', 1)[1]}"
    return f"{repository}:{pin['tag']}" + (f"@{pin['digest']}" if "digest" in pin else "")


def load_catalogue(images: Images, substitutes: Path | None = SUBSTITUTES) -> ImageCatalogue:
    """Images for a stack. What the stack file says wins over what this machine has instead of a pin."""
    pins = {product: _pin(product, images.registry) for product in _pinned()}
    local: dict[str, str | None] = {}
    if images.registry is None and substitutes and substitutes.is_file():
        found = load(substitutes.read_text()) or {}
        local = {key: image for key, image in found.items() if key in pins and key not in images.overrides}
    instead_of = {product: pins[product] for product, image in local.items() if image}
    return ImageCatalogue({**pins, **local, **images.overrides}, instead_of)
