"""The receiving ends of channels, on this machine: they answer as the real services do, and refuse what those would.

`deliveries` is what was accepted, `refused` why something was not; a test expects the latter to stay empty.
"""

from __future__ import annotations

import json
import re
import ssl
import threading
import time
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, AuthResult, Envelope, LoginPassword, Session
from jsonschema import Draft202012Validator

from operations.certificates import Certificates
from tests.e2e import formats

KEY = "0f1e2d3c4b5a69788796a5b4c3d2e1f0"
"""The one key of all services."""
SLACK, PAGERDUTY, OPSGENIE, WEBHOOK = "/services/T0/B0/slack-3c1f", "/v2/enqueue", "/v2/alerts", "/hook"


@dataclass(frozen=True)
class Delivery:
    """One request that was accepted. `kind` is slack, pagerduty, opsgenie, opsgenie-close or webhook."""

    kind: str
    body: dict[str, Any]
    alias: str = ""


class Desks:
    """Slack, PagerDuty, OpsGenie and a webhook, by their paths, on one address."""

    def __init__(self, address: str) -> None:
        self.deliveries: list[Delivery] = []
        self.refused: list[str] = []
        desks = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                try:
                    delivery, status, answer = judged(self.path, self.headers["Authorization"], body)
                    desks.deliveries.append(delivery)
                except ValueError as error:
                    desks.refused.append(f"{self.path}: {error}\n{json.dumps(body)}")
                    status, answer = 400, str(error)
                self.send_response(status)
                self.send_header("Content-Type", "application/json" if answer.startswith("{") else "text/plain")
                self.end_headers()
                self.wfile.write(answer.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer((address, 0), Handler)
        self.url = f"http://{address}:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def bodies(self, kind: str, *words: str) -> list[dict[str, Any]]:
        """What one service has got that has all of these words in it."""
        of_kind = [each.body for each in self.deliveries if each.kind == kind]
        return [body for body in of_kind if all(each in json.dumps(body) for each in words)]

    def close(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()


def judged(target: str, authorization: str | None, body: dict[str, Any]) -> tuple[Delivery, int, str]:
    """What a request is, and status and body of the answer. A ValueError says what its service would refuse."""
    path, query = urlsplit(target).path, parse_qs(urlsplit(target).query)
    if path == SLACK:
        conforms(body, formats.SLACK)
        return Delivery("slack", body), 200, "ok"
    if path == PAGERDUTY:
        conforms(body, formats.PAGERDUTY)
        if body["routing_key"] != KEY:
            raise ValueError("Invalid routing key")
        return Delivery("pagerduty", body), 202, '{"status": "success", "message": "Event processed"}'
    if path == WEBHOOK:
        conforms(body, formats.WEBHOOK)
        if authorization != f"Bearer {KEY}":
            raise ValueError("no bearer token")
        return Delivery("webhook", body), 200, ""
    if path.startswith(OPSGENIE):
        if authorization != f"GenieKey {KEY}":
            raise ValueError("Could not authenticate")
        closed = re.fullmatch(rf"{OPSGENIE}/([^/]+)/close", path)
        if closed and query != {"identifierType": ["alias"]}:
            raise ValueError(f"identifierType is {query}")
        if path != OPSGENIE and not closed:
            raise ValueError("no such resource")
        conforms(body, formats.OPSGENIE_CLOSE if closed else formats.OPSGENIE_CREATE)
        kind, alias = ("opsgenie-close", closed[1]) if closed else ("opsgenie", body["alias"])
        return Delivery(kind, body, alias), 202, '{"result": "Request will be processed", "requestId": "1"}'
    raise ValueError("nobody listens there")


def conforms(body: dict[str, Any], schema: dict[str, Any]) -> None:
    """A ValueError where a body is not of the documented format."""
    errors = list(Draft202012Validator(schema).iter_errors(body))
    if errors:
        raise ValueError("; ".join(f"{error.json_path}: {error.message[:300]}" for error in errors))


class MailDesk:
    """A mail server that takes mail only encrypted and from who has logged in."""

    def __init__(self, address: str, port: int, user: str, certificates: Certificates, folder: Path) -> None:
        self.mails: list[EmailMessage] = []
        self.recipients: list[list[str]] = []
        self.arrived: list[float] = []
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (folder / "mail.crt").write_text(certificates.certificate)
        (folder / "mail.key").write_text(certificates.key)
        context.load_cert_chain(folder / "mail.crt", folder / "mail.key")

        def login(_server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
            expected = LoginPassword(login=user.encode(), password=KEY.encode())
            return AuthResult(success=data == expected)

        self._controller = Controller(
            self,
            hostname=address,
            port=port,
            ready_timeout=60,  # it connects to itself, and gives up after 5 s
            tls_context=context,
            require_starttls=True,
            authenticator=login,
            auth_required=True,
            auth_exclude_mechanism=["LOGIN"],
        )
        self._controller.start()

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:
        """Take one mail."""
        content = envelope.content
        assert isinstance(content, bytes)
        mail = message_from_bytes(content, policy=policy.default)
        assert isinstance(mail, EmailMessage)
        self.recipients.append([*envelope.rcpt_tos])
        self.arrived.append(time.monotonic())
        self.mails.append(mail)
        return "250 OK"

    def subjects(self) -> list[str]:
        """Subjects of all mails so far."""
        return [str(mail["Subject"]) for mail in self.mails]

    def with_words(self, *words: str) -> list[EmailMessage]:
        """The mails that have all of these words in their subject or plain text."""
        texts = [(mail, f"{mail['Subject']}\n{part(mail, 'plain')}") for mail in self.mails]
        return [mail for mail, text in texts if all(each in text for each in words)]

    def close(self) -> None:
        """Stop listening."""
        self._controller.stop()


def part(mail: EmailMessage, kind: str) -> str:
    """The text of a mail as `plain` or `html`."""
    found = mail.get_body((kind,))
    assert found is not None, f"no {kind} part"
    return str(found.get_content())
