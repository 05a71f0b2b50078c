"""How a scrape job or a notifier logs in: the way is kept, the secret is only named."""

from __future__ import annotations

from typing import Any

from operations.migrate import names
from operations.migrate.output import Bundle
from operations.migrate.report import Node


def client_settings(bundle: Bundle, job: Node, name: str, differences: list[str]) -> tuple[dict[str, Any], list[str]]:
    """`authentication` and `tls` of a service, and the keys of the job that they come from."""
    found: dict[str, Any] = {}
    used: list[str] = []
    data = job.value

    def secret(use: str, key: str) -> dict[str, str]:
        return bundle.secret(names.secret(name, use), f"{job.file}: {job.place}.{key}")

    basic, oauth2, authorization = (data.get(key) for key in ("basic_auth", "oauth2", "authorization"))
    if isinstance(basic, dict):
        used.append("basic_auth")
        user = str(basic.get("username") or "")
        if user:
            password = secret("password", "basic_auth.password")
            found["authentication"] = {"basic": {"username": user, "password": password}}
        else:
            differences.append("basic_auth has no username here: write it into the stack file")
    elif isinstance(oauth2, dict):
        used.append("oauth2")
        made: dict[str, Any] = {"client_id": str(oauth2.get("client_id")), "token_url": str(oauth2.get("token_url"))}
        made |= {"scopes": [str(each) for each in oauth2["scopes"]]} if oauth2.get("scopes") else {}
        client = secret("client secret", "oauth2.client_secret")
        found["authentication"] = {"oauth2": {**made, "client_secret": client}}
        lost = sorted(map(str, {*oauth2} - {"client_id", "token_url", "scopes", "client_secret", "client_secret_file"}))
        differences += [f"oauth2.{each} has no place here" for each in lost]
    elif isinstance(authorization, dict) or data.get("bearer_token") or data.get("bearer_token_file"):
        keys = [key for key in ("authorization", "bearer_token", "bearer_token_file") if key in data]
        used += keys
        kind = (authorization or {}).get("type", "Bearer")
        if str(kind).lower() != "bearer":
            differences.append(f"authorization of type {kind} is not known here: it is sent as Bearer")
        found["authentication"] = {"bearer": {"token": secret("token", keys[0])}}
    if isinstance(tls := data.get("tls_config"), dict):
        used.append("tls_config")
        found |= _tls(tls, data, secret, differences)
    return found, used


def _tls(tls: dict[str, Any], data: dict[str, Any], secret: Any, differences: list[str]) -> dict[str, Any]:
    if str(data.get("scheme", "http")).lower() != "https":
        differences.append("tls_config has no effect without scheme: https")
        return {}
    made: dict[str, Any] = {}
    pair = any(key in tls for key in ("cert_file", "cert"))
    for use, keys in (("ca", ("ca_file", "ca")), ("certificate", ("cert_file", "cert")), ("key", ("key_file", "key"))):
        given = [key for key in keys if tls.get(key)]
        if given and (use == "ca" or pair):
            made[use] = secret(use, f"tls_config.{given[0]}")
    if tls.get("server_name"):
        made["server_name"] = str(tls["server_name"])
    if tls.get("insecure_skip_verify"):
        differences.append("certificates are always checked here: name the authority in `tls.ca`")
    return {"tls": made} if made else {}
