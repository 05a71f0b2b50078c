"""Questions to programs that may just be starting."""

from __future__ import annotations

import time
from http import HTTPStatus
from typing import Any

import httpx


class Patient(httpx.HTTPTransport):
    """Asks again, for some seconds, where a program refuses, hangs up, or says that it is not ready yet."""

    def __init__(self, seconds: float, verify: Any) -> None:
        super().__init__(verify=verify, trust_env=False)
        self.seconds = seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The first answer of substance, or the last of all."""
        deadline = time.monotonic() + self.seconds
        while True:
            over = time.monotonic() >= deadline
            try:
                answer = super().handle_request(request)
                if answer.status_code != HTTPStatus.SERVICE_UNAVAILABLE or over:
                    return answer
                answer.close()
            except (httpx.NetworkError, httpx.RemoteProtocolError):
                if over:
                    raise
            time.sleep(0.5)
