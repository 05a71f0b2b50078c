"""Secrets of a stack: from Pulumi's configuration or made up once, and their way into planned files."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Iterable, Mapping
from functools import cache

import pulumi

from components.config import Problem, StackFileError
from components.spec import RESTART_KEY, File, Plan


def configured_secrets(plan: Plan, file: str, more: Iterable[str] = ()) -> dict[str, pulumi.Output[str]]:
    """The values of all secrets that the plan and `more` ask for, but for those that the deployment makes up itself.

    Errors: one for all that are missing, or that stand in the stack file in plain text.
    """
    config = pulumi.Config("observatory")
    problems = []
    found: dict[str, pulumi.Output[str]] = {}
    for name in dict.fromkeys([*(name for service in plan.services for name in service.secrets), *more]):
        value = config.get_secret(name)
        if value is not None and not pulumi.runtime.is_config_secret(f"observatory:{name}"):
            hint = f"pulumi config set --secret observatory:{name}, and take the old value for known to others"
            problems.append(Problem(f"observatory:{name}", "stands in the stack file in plain text", hint=hint))
        elif value is not None:
            found[name] = value
        elif name not in plan.generated_secrets:
            hint = f"pulumi config set --secret observatory:{name}"
            if name.startswith("tls"):
                hint += f", or for the stack's own certificates: ./observatory certs {pulumi.get_stack()}"
            problems.append(Problem(f"observatory:{name}", "this secret is not set", hint=hint))
    if problems:
        raise StackFileError(file, problems)
    return found


def resolved(file: File, secrets: Mapping[str, pulumi.Output[str]]) -> pulumi.Output[str]:
    """The file's content with its secrets in place, as a secret."""
    needed = {name: secrets[name] for name in file.secrets}
    return pulumi.Output.all(**needed).apply(lambda values: file.resolve(lambda how, name: _insert(how, name, values)))


def marked(digest: str, secrets: Mapping[str, pulumi.Output[str]]) -> pulumi.Input[str]:
    """A service's `restart_digest` with its marks in place: known to everybody, as it tells nothing of the secrets."""
    file = File("", digest)
    if not file.secrets:
        return digest
    values = pulumi.Output.all(**{name: secrets[name] for name in (*file.secrets, RESTART_KEY)})
    return pulumi.Output.unsecret(
        values.apply(lambda values: file.resolve(lambda _, name: mark(values[name], name, values[RESTART_KEY])))
    )


def mark(value: str, name: str, key: str) -> str:
    """Twelve hexadecimal digits that another value changes, and that nobody can compare guesses with."""
    return hmac.new(key.encode(), f"{name}\0{value}".encode(), hashlib.sha256).hexdigest()[:12]


def _insert(transform: str, name: str, values: Mapping[str, str]) -> str:
    return bcrypt_hash(values[name], name) if transform == "bcrypt" else values[name]


@cache
def bcrypt_hash(password: str, purpose: str) -> str:
    """A bcrypt hash (cost 10) whose salt follows from the password: a new one each time would be a change."""
    import bcrypt  # only stacks with passwords pay for it

    digest = hashlib.sha256(f"observatory\0{purpose}\0{password}".encode()).digest()[:16]
    alphabet = b"./ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    standard = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    encoded = base64.b64encode(digest).rstrip(b"=").translate(bytes.maketrans(standard, alphabet))
    # The last of the 22 characters carries four bits only; bcrypt wants the other two to be zero.
    last = alphabet[alphabet.index(encoded[21:22]) & 0b110000 : (alphabet.index(encoded[21:22]) & 0b110000) + 1]
    return bcrypt.hashpw(password.encode(), b"$2b$10$" + encoded[:21] + last).decode()
