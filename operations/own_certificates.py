"""Certificates that somebody else has issued: read from files and checked before they reach a stack."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization

from operations.certificates import Certificates
from operations.errors import CommandError

FILES = ("ca.crt", "tls.crt", "tls.key")


def read_certificates(folder: Path, names: Sequence[str], now: datetime) -> Certificates:
    """Authority, certificate (its chain may follow) and key of a folder, as cert-manager names them.

    Raises CommandError for files that do not belong together, are out of date, or lack one of `names`, since a
    deployment would end with services that refuse each other.
    """
    texts = {name: _read(folder / name) for name in FILES}
    try:
        authorities = x509.load_pem_x509_certificates(texts["ca.crt"].encode())
        chain = x509.load_pem_x509_certificates(texts["tls.crt"].encode())
        key = serialization.load_pem_private_key(texts["tls.key"].encode(), password=None)
    except (ValueError, TypeError) as error:
        raise CommandError(
            f"{folder}: not PEM, or a key with a password: {error}", f"expected: {', '.join(FILES)}"
        ) from None
    certificate = chain[0]
    if _public(certificate.public_key()) != _public(key.public_key()):
        raise CommandError(f"{folder}: tls.key is not the key of tls.crt")
    if not certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc:
        period = f"{certificate.not_valid_before_utc:%Y-%m-%d} to {certificate.not_valid_after_utc:%Y-%m-%d}"
        raise CommandError(f"{folder}: tls.crt is valid from {period}, not today")
    if not any(_issued(chain[-1], authority) for authority in authorities):
        raise CommandError(f"{folder}: tls.crt was not issued by an authority of ca.crt")
    missing = sorted(set(names) - _names(certificate))
    if missing:
        hint = "services call each other by these names; ask for a certificate that has them all"
        raise CommandError(f"{folder}: tls.crt is not valid for {', '.join(missing)}", hint)
    return Certificates(texts["ca.crt"], texts["tls.crt"], texts["tls.key"], certificate.not_valid_after_utc)


def _read(file: Path) -> str:
    try:
        return file.read_text()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "is not text"
        raise CommandError(f"{file} cannot be read: {reason}", f"expected: {', '.join(FILES)}") from None


def _public(key: object) -> bytes:
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(serialization.Encoding.DER, form))  # type: ignore[attr-defined]  # every kind has it


def _issued(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        return certificate == authority
    return True


def _names(certificate: x509.Certificate) -> set[str]:
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return set()
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return addresses | set(names.get_values_for_type(x509.DNSName))
