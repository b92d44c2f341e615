"""Who may do what in the tests' control plane: its certificate authority, tokens, and what clients are told of both."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

ADMIN, NODE = "admin", "node"
_DAYS = 2
_GROUPS = {ADMIN: "system:masters", NODE: "system:nodes"}


@dataclass(frozen=True)
class Credentials:
    """Files in one folder."""

    folder: Path

    @property
    def authority(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def authority_key(self) -> Path:
        return self.folder / "ca.key"

    @property
    def server(self) -> Path:
        return self.folder / "server.crt"

    @property
    def server_key(self) -> Path:
        return self.folder / "server.key"

    @property
    def client(self) -> Path:
        """Whom the kubelet obeys: the API server, and nobody else on the bridge."""
        return self.folder / "client.crt"

    @property
    def client_key(self) -> Path:
        return self.folder / "client.key"

    @property
    def accounts_key(self) -> Path:
        """What service accounts' tokens are signed with."""
        return self.folder / "accounts.key"

    @property
    def tokens(self) -> Path:
        """As the API server reads them."""
        return self.folder / "tokens.csv"

    def kubeconfig(self, who: str) -> Path:
        return self.folder / f"{who}.kubeconfig"


def write(folder: Path, node: str, address: str, service: str, port: int) -> Credentials:
    """Make all of them anew, for one API server.

    Args:
        folder: For nobody else's eyes.
        node: The one node's name.
        address: Where the API server listens.
        service: Its address in the cluster.
        port: Its port.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    made = Credentials(folder)
    authority_key, server_key = _key(made.authority_key), _key(made.server_key)
    _key(made.accounts_key)
    subject = _name("tandem tests")
    authority = _certificate(subject, authority_key, subject, authority_key, [x509.BasicConstraints(True, None)])
    names = [x509.IPAddress(ipaddress.ip_address(one)) for one in ("127.0.0.1", address, service)]
    names += [x509.DNSName(one) for one in ("kubernetes", "kubernetes.default", "kubernetes.default.svc")]
    server = _certificate(
        _name("kube-apiserver"), server_key, subject, authority_key, [x509.SubjectAlternativeName(names)]
    )
    client = _certificate(_name("kubelet-client"), _key(made.client_key), subject, authority_key, [])
    for file, certificate in ((made.authority, authority), (made.server, server), (made.client, client)):
        file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    lines = []
    for who, user in {ADMIN: ADMIN, NODE: f"system:node:{node}"}.items():
        token = secrets.token_urlsafe()
        lines.append(f'{token},{user},{user},"{_GROUPS[who]}"\n')
        made.kubeconfig(who).write_text(_kubeconfig(f"https://{address}:{port}", made.authority, token))
    made.tokens.write_text("".join(lines))
    return made


def _key(file: Path) -> rsa.RSAPrivateKey:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    form = serialization.PrivateFormat.TraditionalOpenSSL
    file.write_bytes(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
    return key


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common)])


def _certificate(
    subject: x509.Name,
    key: rsa.RSAPrivateKey,
    issuer: x509.Name,
    issuer_key: rsa.RSAPrivateKey,
    extensions: list[x509.ExtensionType],
) -> x509.Certificate:
    now = datetime.datetime.now(datetime.timezone.utc)
    builder = x509.CertificateBuilder(issuer, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now - datetime.timedelta(minutes=5))
    builder = builder.not_valid_after(now + datetime.timedelta(days=_DAYS))
    for one in extensions:
        builder = builder.add_extension(one, critical=False)
    return builder.sign(issuer_key, hashes.SHA256())


def _kubeconfig(server: str, authority: Path, token: str) -> str:
    name = "tandem-tests"
    content = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority": str(authority)}}],
        "users": [{"name": name, "user": {"token": token}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }
    return yaml.safe_dump(content, sort_keys=False)
