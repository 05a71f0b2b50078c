"""TLS and passwords of the stack's own endpoints: what servers get, and what everything that calls them gets.

Format: the web configuration of Prometheus' exporter-toolkit, read again on every request, so that a rotated
password or certificate takes effect by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from components.config.products import Access
from components.spec import File, secret_token
from components.yaml_text import dump

WEB_CONFIG = "web.yml"
CLIENT_CONFIG = "client.yml"


@dataclass(frozen=True, slots=True)
class AccessRules:
    """The access settings of one stack, as its services need them."""

    access: Access | None

    @property
    def scheme(self) -> str:
        """http, or https where the stack has TLS."""
        return "https" if self.access else "http"

    def server_files(self) -> tuple[File, ...]:
        """The web configuration of a server and what it points to. TLS on or off needs a new container."""
        if self.access is None:
            return ()
        web = {
            "tls_server_config": {"cert_file": "tls.crt", "key_file": "tls.key", "min_version": "TLS12"},
            "basic_auth_users": {self.access.username: secret_token(self.access.password.secret, "bcrypt")},
        }
        return (
            File(WEB_CONFIG, dump(web), reload=False),
            File("tls.crt", secret_token(self.access.tls.certificate.secret), reload=False),
            File("tls.key", secret_token(self.access.tls.key.secret), reload=False),
        )

    def client_files(self, folder: str) -> tuple[File, ...]:
        """What a caller of the stack's endpoints needs: password, certificate authority, and both as one file.

        With full paths below `folder`: promtool takes relative ones from the file's folder, amtool from the one above.
        """
        if self.access is None:
            return ()
        return (
            File("secrets/access-password", secret_token(self.access.password.secret), reload=False),
            File("secrets/ca.crt", secret_token(self.access.tls.ca.secret), reload=False),
            File(CLIENT_CONFIG, dump(self.client_config(folder)), reload=False),
        )

    def client_config(self, folder: str, server_name: str = "") -> dict[str, Any]:
        """Prometheus' HTTP client settings with paths below `folder`; empty where nothing is protected.

        Replicas share the first one's certificate: `server_name` is its name, by which all of them are known.
        """
        if self.access is None:
            return {}
        return {
            "basic_auth": {
                "username": self.access.username,
                "password_file": f"{folder}/secrets/access-password",
            },
            "tls_config": {
                "ca_file": f"{folder}/secrets/ca.crt",
                **({"server_name": server_name} if server_name else {}),
            },
        }

    def web_args(self, folder: str, flag: str = "--web.config.file") -> tuple[str, ...]:
        """The argument that points a server to its web configuration; `flag` is the server's name for it."""
        return (f"{flag}={folder}/{WEB_CONFIG}",) if self.access else ()

    def client_args(self, folder: str) -> tuple[str, ...]:
        """The argument that points promtool and amtool to their client configuration."""
        return (f"--http.config.file={folder}/{CLIENT_CONFIG}",) if self.access else ()
