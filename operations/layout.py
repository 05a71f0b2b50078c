"""A throw-away copy of a plan's files, such that the products' own programs can check it on this machine.

Only in this copy paths of the containers become paths of the machine, and placeholders become made-up values: the
real secrets are not known here.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from components.spec import Plan, Service

_URL = "https://placeholder.invalid/hook"


@contextmanager
def laid_out(plan: Plan) -> Iterator[Path]:
    """A folder for the owner alone with one folder per service, withheld ones too; gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="observatory-validate-") as name:  # made with mode 0700
        folder = Path(name)
        values = Placeholders()
        services = (*plan.services, *plan.withheld)
        places = {service.mounted_config: folder / service.name for service in services if service.config_folder}
        for service in services:
            if service.api:
                places[service.api.folder] = folder / f"{service.name}-api"
                _write(places[service.api.folder], "token", "placeholder")
                _write(places[service.api.folder], "ca.crt", values.value("secret", "ca.crt"))
            for path, content in copied_files(service, values, places).items():
                _write(folder / service.name, path, content)
        yield folder


def _write(folder: Path, path: str, content: str) -> None:
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    with os.fdopen(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(content)


def copied_files(service: Service, values: Placeholders, places: dict[str, Path]) -> dict[str, str]:
    """The service's files with made-up secrets and with paths that resolve on this machine."""
    found = {}
    for file in service.files:
        path = file.path
        content = file.resolve(lambda transform, _name, path=path: values.value(transform, path))  # type: ignore[misc]
        for inside, outside in places.items():
            content = content.replace(inside, str(outside))
        found[path] = content
    return found


class Placeholders:
    """Made-up secrets, good enough for the programs that parse them; made when first asked for."""

    def __init__(self) -> None:
        self._pair: tuple[str, str] | None = None
        self._hash = ""

    def value(self, transform: str, path: str) -> str:
        """What stands for a secret in the file of that path."""
        if transform == "bcrypt":
            return self._bcrypt()
        if path.endswith((".crt", "-certificate", "-ca")):
            return self._certificate()[0]
        if path.endswith((".key", "-key")):
            return self._certificate()[1]
        return _URL if path.endswith("-url") else "placeholder"

    def _certificate(self) -> tuple[str, str]:
        if self._pair is None:
            from datetime import UTC, datetime

            from operations.certificates import make_certificates

            made = make_certificates("placeholder", ["localhost"], days=1, now=datetime.now(UTC))
            self._pair = made.certificate, made.key
        return self._pair

    def _bcrypt(self) -> str:
        if not self._hash:
            import bcrypt

            self._hash = bcrypt.hashpw(b"placeholder", bcrypt.gensalt(4)).decode()
        return self._hash
