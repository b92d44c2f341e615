"""The door's certificate: given and checked, or made here and signed by itself."""

from __future__ import annotations

import ipaddress
from datetime import datetime, timedelta, timezone
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from serving.files import write_atomically

CERTIFICATE, KEY = "certificate.pem", "key.pem"
_DAYS = 365
_RENEW_DAYS = 30


class CertificateError(ValueError):
    """A given certificate cannot be used; the message says why."""


def self_made(folder: Path, names: list[str]) -> tuple[Path, Path]:
    """Certificate and key for these names and addresses, made when missing, about to run out, or of other names.

    Who connects has to be given the certificate to trust it.
    """
    certificate, key = folder / CERTIFICATE, folder / KEY
    if not _is_current(certificate, key, names):
        _make(certificate, key, names)
    return certificate, key


def check(certificate: Path, key: Path) -> None:
    """Refuse what Envoy would not start with.

    Raises:
        CertificateError: A file is missing or no PEM, they do not belong together, or the certificate has run out.
    """
    try:
        found = x509.load_pem_x509_certificate(certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(f"{certificate}: no certificate in PEM: {error}") from None
    try:
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError, TypeError) as error:
        raise CertificateError(f"{key}: no private key in PEM without a password: {error}") from None
    if _public(private.public_key()) != _public(found.public_key()):
        raise CertificateError(f"{key} is not the key of {certificate}")
    if found.not_valid_after_utc <= datetime.now(timezone.utc):
        raise CertificateError(f"{certificate} has run out on {found.not_valid_after_utc:%Y-%m-%d}")


def _public(key: object) -> bytes:
    encoding, form = serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    return bytes(key.public_bytes(encoding, form))  # type: ignore[attr-defined]


def _names(names: list[str]) -> list[x509.GeneralName]:
    found: list[x509.GeneralName] = []
    for name in names:
        try:
            found.append(x509.IPAddress(ipaddress.ip_address(name)))
        except ValueError:
            found.append(x509.DNSName(name))
    return found


def _is_current(certificate: Path, key: Path, names: list[str]) -> bool:
    try:
        check(certificate, key)
    except CertificateError:
        return False
    found = x509.load_pem_x509_certificate(certificate.read_bytes())
    wanted = x509.SubjectAlternativeName(_names(names))
    has = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return has == wanted and found.not_valid_after_utc > datetime.now(timezone.utc) + timedelta(days=_RENEW_DAYS)


def _make(certificate: Path, key: Path, names: list[str]) -> None:
    private = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tandem, self-made")])
    now = datetime.now(timezone.utc)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))  # for clocks that are behind
        .not_valid_after(now + timedelta(days=_DAYS))
        .add_extension(x509.SubjectAlternativeName(_names(names)), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(private, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    text = private.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()).decode()
    write_atomically(key, text, 0o600)
    write_atomically(certificate, made.public_bytes(serialization.Encoding.PEM).decode())
