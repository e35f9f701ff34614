"""The sandbox's own authority, and the certificate that its notices are signed with."""

import base64
import functools
import ipaddress
import zlib
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.x509.oid import NameOID

# Long, because the sandbox's clock can be moved by years.
VALID_FROM = datetime(2020, 1, 1, tzinfo=UTC)
VALID_FOR = timedelta(days=365 * 40)
NAME = "messageverificationcerts.localhost"


@dataclass(frozen=True)
class Certificates:
    """A key pair, its certificate, and the authority that signed it, as PEM."""

    key_pem: bytes
    certificate_pem: bytes
    authority_pem: bytes

    @functools.cached_property
    def key(self) -> rsa.RSAPrivateKey:
        """The private key."""
        key = serialization.load_pem_private_key(self.key_pem, password=None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise TypeError(type(key))
        return key

    @property
    def chain_pem(self) -> bytes:
        """What is served: the certificate, then the authority's."""
        return self.certificate_pem + self.authority_pem

    def sign(self, message: bytes, algorithm: hashes.HashAlgorithm | None = None) -> str:
        """Return the signature in base64."""
        made = self.key.sign(message, padding.PKCS1v15(), algorithm or hashes.SHA256())
        return base64.b64encode(made).decode()

    def is_signed(self, message: bytes, signature: str) -> bool:
        """Return whether the signature is this key's."""
        try:
            self.key.public_key().verify(
                base64.b64decode(signature), message, padding.PKCS1v15(), hashes.SHA256()
            )
        except (InvalidSignature, ValueError):
            return False
        return True


def signed_text(transmission_id: str, at: str, webhook_id: str, body: bytes) -> bytes:
    """Return what a notice's signature is over: the body's CRC-32, unsigned, and three names."""
    return f"{transmission_id}|{at}|{webhook_id}|{zlib.crc32(body)}".encode()


@functools.cache
def shared() -> Certificates:
    """Return the certificate of every sandbox of this process: keys take long to make."""
    return make()


@functools.cache
def foreign() -> Certificates:
    """Return a certificate of somebody else, for forged notices."""
    return make()


def make() -> Certificates:
    """Return a new authority and a certificate of its."""
    authority_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    authority_name = _name("Gateway sandbox authority")
    authority = (
        _builder(authority_name, authority_name, authority_key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(authority_key, hashes.SHA256())
    )
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    names = [x509.DNSName(NAME), x509.DNSName("localhost")]
    addresses = [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    certificate = (
        _builder(_name(NAME), authority_name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([*names, *addresses]), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    return Certificates(
        key_pem=key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        certificate_pem=certificate.public_bytes(serialization.Encoding.PEM),
        authority_pem=authority.public_bytes(serialization.Encoding.PEM),
    )


def _name(common: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Gateway sandbox"),
            x509.NameAttribute(NameOID.COMMON_NAME, common),
        ]
    )


def _builder(
    subject: x509.Name, issuer: x509.Name, key: rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(VALID_FROM)
        .not_valid_after(VALID_FROM + VALID_FOR)
    )
