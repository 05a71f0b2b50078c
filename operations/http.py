"""Talks to one endpoint of the running stack; whatever goes wrong there becomes a failed check with a remedy."""

from __future__ import annotations

import ipaddress
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx

from components.spec import Port
from operations.running import DEPLOY, CheckFailed, FailedForGood

PATIENCE = 5.0
"""Seconds for one answer."""


@dataclass(frozen=True, slots=True)
class Credentials:
    """User and password of an endpoint, and the authority that signed its certificate (PEM)."""

    username: str
    password: str
    ca: str = ""

    def __repr__(self) -> str:
        return f"Credentials({self.username})"


def endpoint_url(port: Port, engine: str) -> str:
    """Where a published port is asked from here. `engine` is the Docker engine's address, empty for a local one."""
    address = ipaddress.ip_address(port.address)
    host = str(address)
    if address.is_unspecified:
        parts = urlsplit(engine)
        host = parts.hostname if parts.scheme in ("tcp", "ssh") and parts.hostname else "127.0.0.1"
    if port.scheme == "https" and host in ("127.0.0.1", "::1"):
        host = "localhost"  # certificates name it in any case
    return f"{port.scheme}://{f'[{host}]' if ':' in host else host}:{port.published}{port.path}"


class Endpoint:
    """One endpoint of one service; usable from several threads."""

    def __init__(
        self,
        service: str,
        url: str,
        credentials: Credentials | None = None,
        patience: float = PATIENCE,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """`patience`: seconds to wait for one answer. `headers` go with each request."""
        self.service, self.url, self.headers = service, url, dict(headers or {})
        # Without TLS an empty context, which trusts nobody: reading the machine's authorities takes a while.
        verify = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        if url.startswith("https:"):
            verify = ssl.create_default_context(cadata=credentials.ca if credentials else None)
        # No proxy of the environment: these are addresses of this machine or this network.
        self._client = httpx.Client(
            base_url=url,
            verify=verify,
            auth=(credentials.username, credentials.password) if credentials else None,
            timeout=patience,
            headers=self.headers,
            trust_env=False,
        )

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def get(self, path: str, **parameters: str) -> httpx.Response:
        """The answer to a GET. Raises CheckFailed for anything but a success."""
        return self._answer("GET", path, params=parameters)

    def get_json(self, path: str, **parameters: str) -> Any:
        """The data of a JSON answer."""
        return self._data(path, self.get(path, **parameters))

    def prometheus(self, path: str, **parameters: str) -> Any:
        """The `data` of an answer of Prometheus' API."""
        return self._successful(path, self.get(path, **parameters))

    def prometheus_by_form(self, path: str, **parameters: str) -> Any:
        """The same by POST: an expression may be longer than an address."""
        return self._successful(path, self._answer("POST", path, data=parameters))

    def _successful(self, path: str, response: httpx.Response) -> Any:
        answer = self._data(path, response)
        if not isinstance(answer, dict) or answer.get("status") != "success":
            raise CheckFailed(f"{self.service} answers {path} without success: {str(answer)[:200]}")
        return answer["data"]

    def post_json(self, path: str, data: Any) -> httpx.Response:
        """The answer to a POST of JSON."""
        return self._answer("POST", path, json=data)

    def _data(self, path: str, answer: httpx.Response) -> Any:
        try:
            return answer.json()
        except ValueError:
            raise CheckFailed(
                f"{self.service} answers {path} with something that is no JSON",
                f"is another program on {self.url}? see `docker ps`",
            ) from None

    def _answer(self, method: str, path: str, **parts: Any) -> httpx.Response:
        try:
            answer = self._client.request(method, path, **parts)
        except httpx.TransportError as error:
            raise self._unreachable(error) from None
        if answer.is_success:
            return answer
        message = f"{self.service} answers {path} with {answer.status_code} {answer.reason_phrase}"
        text = " ".join(answer.text.split())[:200]
        message = f"{message}: {text}" if text else message
        if answer.status_code in (401, 403):
            remedy = f"the password is not the one that the stack runs with: {DEPLOY}, or give --password-file"
            raise FailedForGood(message, remedy, answer.status_code)
        raise CheckFailed(message, f"see the log of {self.service}: `docker logs`", answer.status_code)

    def _unreachable(self, error: httpx.TransportError) -> CheckFailed:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            remedy = f"the stack runs with a certificate of another authority: {DEPLOY}, or give --ca-file"
            return FailedForGood(f"the certificate of {self.url} is not valid: {error}", remedy)
        why = "does not answer in time" if isinstance(error, httpx.TimeoutException) else f"cannot be reached ({error})"
        remedy = f"is it deployed and running? see `docker ps -a`; `pulumi up --refresh` brings {self.service} back"
        return CheckFailed(f"{self.service} {why} at {self.url}", remedy)
