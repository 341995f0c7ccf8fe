"""A certificate authority, the certificates it issues, and kubeconfigs that carry them."""

from __future__ import annotations

import base64
import datetime
import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_LIFETIME = datetime.timedelta(days=365)
_RENEW_BEFORE = datetime.timedelta(days=30)


@dataclass(frozen=True)
class KeyPair:
    """A certificate and its private key, as PEM files."""

    cert: Path
    key: Path


def signing_key(directory: Path, name: str) -> KeyPair:
    """A bare key pair NAME.pub and NAME.key, made once; for service account tokens."""
    pair = KeyPair(directory / f"{name}.pub", directory / f"{name}.key")
    if not (pair.cert.exists() and pair.key.exists()):
        key = ec.generate_private_key(ec.SECP256R1())
        _write_key(pair.key, key)
        public = key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )
        pair.cert.write_bytes(public)
    return pair


class Authority:
    """A certificate authority kept as NAME.crt and NAME.key in a directory, made once."""

    def __init__(self, directory: Path, name: str = "ca") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        directory.chmod(0o700)
        self._directory = directory
        self.pair = KeyPair(directory / f"{name}.crt", directory / f"{name}.key")
        if _fresh(self.pair):
            self._cert = x509.load_pem_x509_certificate(self.pair.cert.read_bytes())
            key = serialization.load_pem_private_key(self.pair.key.read_bytes(), None)
            assert isinstance(key, ec.EllipticCurvePrivateKey)
            self._key = key
        else:
            self._key = ec.generate_private_key(ec.SECP256R1())
            subject = _name(f"evenkeel-{name}", ())
            builder = _builder(subject, subject, self._key.public_key()).add_extension(
                x509.BasicConstraints(ca=True, path_length=0), critical=True
            )
            self._cert = builder.sign(self._key, hashes.SHA256())
            _write(self.pair, self._cert, self._key)

    def issue(
        self,
        name: str,
        common_name: str,
        organizations: Sequence[str] = (),
        hosts: Sequence[str] = (),
    ) -> KeyPair:
        """The certificate NAME for client and server use; issued anew when it is missing, near
        its end, from another authority, or for other subjects or hosts (names or addresses)."""
        pair = KeyPair(self._directory / f"{name}.crt", self._directory / f"{name}.key")
        subject = _name(common_name, organizations)
        alternative = x509.SubjectAlternativeName([_host(h) for h in hosts or (name,)])
        if _fresh(pair) and self._matches(pair.cert, subject, alternative):
            return pair
        key = ec.generate_private_key(ec.SECP256R1())
        usages = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]
        cert = (
            _builder(subject, self._cert.subject, key.public_key())
            .add_extension(alternative, critical=False)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        _write(pair, cert, key)
        return pair

    def kubeconfig(self, file: Path, server: str, client: KeyPair) -> Path:
        """Write a kubeconfig for the server's URL with the client's certificate inside."""
        text = yaml.safe_dump(_kubeconfig(server, self.pair.cert, client), sort_keys=False)
        if not file.exists() or file.read_text() != text:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o600)
            file.write_text(text)
        return file

    def _matches(
        self, file: Path, subject: x509.Name, alternative: x509.SubjectAlternativeName
    ) -> bool:
        cert = x509.load_pem_x509_certificate(file.read_bytes())
        found = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        try:
            cert.verify_directly_issued_by(self._cert)
        except Exception:  # any failure to verify asks for the same: a new certificate
            return False
        return cert.subject == subject and found == alternative


def _kubeconfig(server: str, ca: Path, client: KeyPair) -> dict[str, object]:
    name = "evenkeel"
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [
            {"name": name, "cluster": {"server": server, "certificate-authority-data": _b64(ca)}}
        ],
        "users": [
            {
                "name": name,
                "user": {
                    "client-certificate-data": _b64(client.cert),
                    "client-key-data": _b64(client.key),
                },
            }
        ],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "current-context": name,
    }


def _b64(file: Path) -> str:
    return base64.b64encode(file.read_bytes()).decode()


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey
) -> x509.CertificateBuilder:
    now = datetime.datetime.now(datetime.UTC)
    # A clock that runs a little behind must not reject a new certificate.
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
    )


def _name(common_name: str, organizations: Sequence[str]) -> x509.Name:
    parts = [x509.NameAttribute(NameOID.ORGANIZATION_NAME, o) for o in organizations]
    return x509.Name([*parts, x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _fresh(pair: KeyPair) -> bool:
    if not (pair.cert.exists() and pair.key.exists()):
        return False
    cert = x509.load_pem_x509_certificate(pair.cert.read_bytes())
    return cert.not_valid_after_utc - datetime.datetime.now(datetime.UTC) > _RENEW_BEFORE


def _write(pair: KeyPair, cert: x509.Certificate, key: ec.EllipticCurvePrivateKey) -> None:
    _write_key(pair.key, key)
    pair.cert.write_bytes(cert.public_bytes(serialization.Encoding.PEM))


def _write_key(file: Path, key: ec.EllipticCurvePrivateKey) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch(mode=0o600)
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
