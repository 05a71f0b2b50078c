"""`certs`: a private authority and the certificate of a stack's endpoints, into Pulumi secrets or files."""

from __future__ import annotations

import ipaddress
import os
import re
import secrets
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

from components.config import StackConfig
from components.config.products import Access
from components.plan import plan_stack_file
from components.spec import Plan
from operations import console
from operations.certificates import Certificates, make_certificates
from operations.errors import CommandError, UsageError
from operations.own_certificates import read_certificates
from operations.pulumi_cli import Pulumi
from toolchain import atomic

_HOST_NAME = re.compile(r"(\*\.)?[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9])?(\.[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?)*")


def certificate_names(config: StackConfig, plan: Plan, extra: Sequence[str] = ()) -> list[str]:
    """Every name and address by which something calls the stack's endpoints, each once.

    Services call each other by their network names; people come by the published addresses, and by those
    that links lead to.
    """
    names = [service.name for service in (*plan.services, *plan.withheld)]
    names += ["localhost", "127.0.0.1", "::1"]
    addresses = {address for address, _ in config.ports.published().values()}
    names += sorted(address for address in addresses if not ipaddress.ip_address(address).is_unspecified)
    urls = (config.grafana.root_url, config.external_urls.prometheus, config.external_urls.alertmanager)
    names += [host for url in urls if url and (host := urlsplit(url).hostname)]
    return list(dict.fromkeys([*names, *map(_checked, extra)]))


def _checked(name: str) -> str:
    try:
        return str(ipaddress.ip_address(name.strip("[]")))
    except ValueError:
        if not _HOST_NAME.fullmatch(name) or len(name) > 253:
            raise UsageError(f"--name {name!r} is neither a host name nor an IP address") from None
        return name.lower()


def required_access(config: StackConfig, stack: str) -> Access:
    """The stack's access settings; without them nothing would use a certificate."""
    if config.access is None:
        lines = (
            "add to the stack file, below observatory:stack:",
            "  access:",
            "    password: {secret: accessPassword}",
            "    tls: {ca: {secret: tlsCa}, certificate: {secret: tlsCertificate}, key: {secret: tlsKey}}",
        )
        raise CommandError(f"stack {stack} has no `access:`, so nothing in it uses a certificate", "\n".join(lines))
    return config.access


def values(access: Access, made: Certificates) -> dict[str, str]:
    """Secret name to PEM text, by the names that the stack file gives them."""
    return {
        access.tls.ca.secret: made.ca,
        access.tls.certificate.secret: made.certificate,
        access.tls.key.secret: made.key,
    }


@contextmanager
def at_once(pulumi: Pulumi) -> Iterator[Pulumi]:
    """Pulumi for a copy of the stack file, which replaces the file in one step when all is set in it.

    Pulumi writes a stack file in place, anew for each secret. A kill would leave a certificate with the key of another
    one, which the next deployment takes; or no file at all, and so no salt to decrypt any secret of the stack.
    """
    file = pulumi.file.resolve()  # of a link, what it leads to
    with tempfile.TemporaryDirectory(prefix="observatory-certs-") as folder:
        copy = Path(folder) / pulumi.file.name
        before = file.read_bytes()
        copy.write_bytes(before)
        yield replace(pulumi, file=copy)
        try:
            if file.read_bytes() != before:
                message = f"{pulumi.file} was changed by somebody else meanwhile; no secret was set"
                raise CommandError(message, "run it again")
            atomic.write(file, copy.read_bytes().decode(), stat.S_IMODE(file.stat().st_mode))
        except OSError as error:
            raise CommandError(f"{pulumi.file} cannot be written: {error.strerror}") from None


def write_files(folder: Path, made: Certificates) -> list[Path]:
    """ca.crt, tls.crt and tls.key, readable for their owner alone; existing ones are replaced."""
    written = []
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name, content in (("ca.crt", made.ca), ("tls.crt", made.certificate), ("tls.key", made.key)):
            target, temporary = folder / name, folder / f".{name}.new"
            temporary.unlink(missing_ok=True)
            with os.fdopen(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(content)
            temporary.replace(target)
            written.append(target)
    except OSError as error:
        raise CommandError(f"{error.filename or folder} cannot be written: {error.strerror}") from None
    return written


def store(pulumi: Pulumi, access: Access, made: Certificates) -> list[str]:
    """Put the certificates into the stack's secrets, and a password where it has none. Returns what was done."""
    done = []
    if not pulumi.exists():
        pulumi.ask("stack", "init", "--no-select")
        done.append(f"made the stack {pulumi.stack} in Pulumi's backend")
    with at_once(pulumi) as copy:
        for name, value in values(access, made).items():
            copy.set_secret(name, value)
        done.append(f"set the secrets {', '.join(values(access, made))} in {pulumi.file.name}")
        password = access.password.secret
        if copy.secret(password) is None:
            copy.set_secret(password, secrets.token_urlsafe(24))
            done.append(
                f"made up the password of {access.username}; read it: "
                f"pulumi config get observatory:{password} --stack {pulumi.stack}"
            )
    return done


def certs_command(stack: str, days: int, extra: Sequence[str], out: Path | None, own: Path | None = None) -> int:
    """Make or rotate a stack's certificates; `own` is a folder with ones that somebody else has issued."""
    config, plan = plan_stack_file(stack)
    access = required_access(config, stack)
    names = certificate_names(config, plan, extra)
    pulumi = None if out else Pulumi.of(stack)
    now = datetime.now(UTC)
    made = read_certificates(own, names, now) if own else make_certificates(plan.environment, names, days, now)
    if out:
        done = [f"wrote {file}" for file in write_files(out, made)]
    else:
        assert pulumi is not None
        done = store(pulumi, access, made)
    for line in done:
        console.say(line)
    console.say(f"valid until {made.expires:%Y-%m-%d} for {', '.join(names)}")
    if any(ipaddress.ip_address(address).is_unspecified for address, _ in config.ports.published().values()):
        console.say("ports are published on every address: name the hosts by which people come with --name")
    if pulumi is not None:
        console.say(f"to take effect: make up STACK={pulumi.stack}, or pulumi up --stack {pulumi.stack}")
    return 0
