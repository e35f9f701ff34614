"""Certificates of PayPal's kind, and of forgers; and notices signed with them as PayPal signs."""

import base64
import functools
import ssl
import zlib
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

NOTICE_TIME = "2026-11-22T05:00:00Z"
_FROM, _UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)


@functools.cache
def key(name: str) -> rsa.RSAPrivateKey:
    """Return the key of this name; keys take long to make."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def certificate(
    *,
    of: str = "paypal",
    by: str = "authority",
    subject: str = "messageverificationcerts.paypal.com",
    also: tuple[str, ...] = (),
    until: datetime = _UNTIL,
) -> x509.Certificate:
    """Return the certificate of a key, signed by another; `by` its own name: by itself."""
    issuer = subject if by == of else by
    builder = (
        x509.CertificateBuilder()
        .subject_name(_name(subject))
        .issuer_name(_name(issuer))
        .public_key(key(of).public_key())
        .serial_number(1)
        .not_valid_before(_FROM)
        .not_valid_after(until)
    )
    if also:
        others = x509.SubjectAlternativeName([x509.DNSName(each) for each in also])
        builder = builder.add_extension(others, critical=False)
    return builder.sign(key(by), hashes.SHA256())


def of_curve() -> x509.Certificate:
    """Return a certificate with a key that is not RSA."""
    own = ec.generate_private_key(ec.SECP256R1())
    name = _name("messageverificationcerts.paypal.com")
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(own.public_key())
        .serial_number(2)
        .not_valid_before(_FROM)
        .not_valid_after(_UNTIL)
        .sign(own, hashes.SHA256())
    )


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def signed(
    body: bytes,
    *,
    url: str,
    by: str = "paypal",
    webhook_id: str = "local-webhook",
    time: str = NOTICE_TIME,
    algorithm: hashes.HashAlgorithm | None = None,
) -> dict[str, str]:
    """Return the headers of a notice, by lower-case name."""
    message = f"transmission-1|{time}|{webhook_id}|{zlib.crc32(body)}".encode()
    signature = key(by).sign(message, padding.PKCS1v15(), algorithm or hashes.SHA256())
    return {
        "paypal-transmission-id": "transmission-1",
        "paypal-transmission-time": time,
        "paypal-transmission-sig": base64.b64encode(signature).decode(),
        "paypal-cert-url": url,
        "paypal-auth-algo": "SHA256withRSA",
    }


def tls(folder: Path) -> ssl.SSLContext:
    """Return what a server shows that nobody vouches for."""
    own = folder / "certificate.pem"
    secret = key("paypal").private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    own.write_bytes(pem(certificate(by="paypal", subject="127.0.0.1")) + secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(own)
    return context


def _name(common: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, common)])
