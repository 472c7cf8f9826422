"""What the file servers prove themselves with: a TLS certificate chain and SSH host keys, the same on every machine.

All keys are made from the names below, so that connections can name them in advance and no key lies in the tree. They
protect nothing: whoever reads this can make them. The servers listen on loopback and hold made-up photos.
"""

import hashlib
import ipaddress
from datetime import UTC, datetime
from functools import cache
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

_START = datetime(2020, 1, 1, tzinfo=UTC)
_END = datetime(2120, 1, 1, tzinfo=UTC)
# Kind of certificate: the host it is for, and the day it ends.
_CERTIFICATES: dict[str, tuple[str, datetime]] = {
    "good": ("localhost", _END),
    "expired": ("localhost", datetime(2021, 1, 1, tzinfo=UTC)),
    "wrong_name": ("files.example.com", _END),
}
TLS_CERTS = tuple(_CERTIFICATES)
# The key that connections name; a key that never was the server's; the one it has after a new installation.
HOST_KEYS = ("right", "wrong", "changed")


class TlsIdentity(NamedTuple):
    """What a TLS server needs: its certificate, that of the authority which signed it, and its key."""

    certificate: x509.Certificate
    authority: x509.Certificate
    key: Ed25519PrivateKey


@cache
def tls_identity(kind: str) -> TlsIdentity:
    """The certificate for ``kind``, one of TLS_CERTS."""
    host, end = _CERTIFICATES[kind]
    key = _key(f"tls {kind}")
    names: list[x509.GeneralName] = [x509.DNSName(host)]
    if host == "localhost":
        names.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
    builder = (
        _builder(host, f"tls {kind}", key, end)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(signs_certificates=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
    )
    return TlsIdentity(builder.sign(_key("authority"), None), _authority(), key)


def ca_pem() -> str:
    """The certificate, as PEM text, of the authority that signed the FTPS server's."""
    return _authority().public_bytes(serialization.Encoding.PEM).decode()


def host_key(kind: str = "right") -> bytes:
    """The SFTP server's private key in OpenSSH's form, for ``kind``, one of HOST_KEYS."""
    return _key(f"host {kind}").private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.OpenSSH, serialization.NoEncryption()
    )


def host_key_line(kind: str = "right") -> str:
    """The SFTP server's public key: key type and base64, as a connection's extra ``host_key`` has it."""
    public = _key(f"host {kind}").public_key()
    return public.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()


@cache
def _authority() -> x509.Certificate:
    key = _key("authority")
    builder = (
        _builder("Palletways simulator", "authority", key, _END)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(signs_certificates=True), critical=True)
    )
    return builder.sign(key, None)


def _builder(subject: str, name: str, key: Ed25519PrivateKey, end: datetime) -> x509.CertificateBuilder:
    """What every certificate has. The serial number is drawn from the name too."""
    authority = _key("authority").public_key()
    return (
        x509.CertificateBuilder()
        .subject_name(_common_name(subject))
        .issuer_name(_common_name("Palletways simulator"))
        .public_key(key.public_key())
        .serial_number(int.from_bytes(_seed(f"serial {name}")[:16]) >> 1)
        .not_valid_before(_START)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    )


def _common_name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _usage(*, signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not signs_certificates,
        key_cert_sign=signs_certificates,
        crl_sign=signs_certificates,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _key(name: str) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(_seed(name))


def _seed(name: str) -> bytes:
    return hashlib.sha256(f"palletflow|palletways simulator|{name}".encode()).digest()
