# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The emulator's own certificate authority, and the server certificate that it signs.

The certificate is RSA and the ciphers include static-RSA CBC suites of TLS 1.2, because C clients need both (measured
with LinkSDK C 4.2.0 and iotkit-embedded 3.2.0). It contains the platform's host names, for clients that
connect under such a name to this address.
"""

from __future__ import annotations

import ipaddress
import os
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from platform_emulator.fields import Invalid
from platform_emulator.files import write_file
from platform_emulator.options import reachable

CIPHERS = "ECDHE+AESGCM:AES256-SHA256:AES128-SHA256:@SECLEVEL=1"

# https://www.alibabacloud.com/help/doc-detail/147356.htm
REGIONS = (
    "cn-shanghai",
    "ap-northeast-1",
    "ap-southeast-1",
    "eu-central-1",
    "us-west-1",
    "us-east-1",
    "cn-beijing",
    "cn-shenzhen",
)

CA_LIFE = timedelta(days=3650)
SERVER_LIFE = timedelta(days=365)
RENEW_BEFORE = timedelta(days=30)


def server_context(state_dir: Path, listen: str) -> ssl.SSLContext:
    """Return a context with a valid certificate; create what is missing or outdated. Raises Invalid for a broken CA."""
    authority, authority_key = _authority(state_dir)
    key_file, certificate_file = state_dir / "server.key", state_dir / "server.pem"
    if not _serves(key_file, certificate_file, authority, _names(listen)):
        key = _new_key()
        write_file(key_file, _pem(key))
        write_file(certificate_file, _server_certificate(key, authority, authority_key, _names(listen)))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(CIPHERS)
    context.load_cert_chain(certificate_file, key_file)
    return context


def authority_file(state_dir: Path) -> Path:
    return state_dir / "ca.pem"


def _authority(state_dir: Path) -> tuple[x509.Certificate, rsa.RSAPrivateKey]:
    """Return the CA of the state directory, created if it does not exist, and never overwritten."""
    key_file, certificate_file = state_dir / "ca.key", authority_file(state_dir)
    if certificate_file.exists() and not key_file.exists():
        raise Invalid(f"{key_file}: is missing, so {certificate_file} cannot sign; restore it or remove both")
    if not key_file.exists():
        write_file(key_file, _pem(_new_key()))
    os.chmod(key_file, 0o600)
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        if not isinstance(key, rsa.RSAPrivateKey):
            raise ValueError("not an RSA key")
        if not certificate_file.exists():
            write_file(certificate_file, _authority_certificate(key))
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        if certificate.public_key() != key.public_key():
            raise ValueError("the key is not the certificate's")
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:  # TypeError: the key has a password
        raise Invalid(
            f"{certificate_file}: the CA cannot be used ({error}); restore it and ca.key or remove both"
        ) from None
    begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if not begin <= (now := datetime.now(UTC)) < end:
        raise Invalid(
            f"{certificate_file}: the CA is valid from {begin:%F %T} to {end:%F %T} UTC, and the clock is at {now:%F %T};"
            " set the clock, or remove ca.pem and ca.key (clients then need the new ca.pem)"
        )
    return certificate, key


def _names(listen: str) -> list[x509.GeneralName]:
    hosts = ["localhost", "*.mqtt.iothub.aliyuncs.com"]
    for region in REGIONS:
        hosts += [
            f"iot-auth.{region}.aliyuncs.com",
            f"iot.{region}.aliyuncs.com",
            f"*.iot-as-mqtt.{region}.aliyuncs.com",
        ]
    addresses = {ipaddress.ip_address("127.0.0.1"), ipaddress.ip_address(reachable(listen))}
    return [
        *(x509.DNSName(host) for host in hosts),
        *(x509.IPAddress(address) for address in sorted(addresses, key=str)),
    ]


def _serves(key_file: Path, file: Path, authority: x509.Certificate, names: list[x509.GeneralName]) -> bool:
    """Return whether the certificate is this key's, issued by this CA, for these names, valid and not about to expire."""
    try:
        key = serialization.load_pem_private_key(key_file.read_bytes(), None)
        certificate = x509.load_pem_x509_certificate(file.read_bytes())
        certificate.verify_directly_issued_by(authority)
        present = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    # A key with a password is a TypeError, a key or a certificate of a strange kind an UnsupportedAlgorithm.
    except (FileNotFoundError, ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, x509.ExtensionNotFound):
        return False
    belongs = certificate.public_key() == key.public_key() and list(present) == names
    now = datetime.now(UTC)
    return belongs and certificate.not_valid_before_utc <= now < certificate.not_valid_after_utc - RENEW_BEFORE


def _server_certificate(
    key: rsa.RSAPrivateKey, authority: x509.Certificate, authority_key: rsa.RSAPrivateKey, names: list[x509.GeneralName]
) -> bytes:
    builder = (
        _builder("fleetops IoT Platform emulator", key, authority.subject, SERVER_LIFE)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(_usage(digital_signature=True, key_encipherment=True), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
    )
    return builder.sign(authority_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _authority_certificate(key: rsa.RSAPrivateKey) -> bytes:
    name = "fleetops IoT Platform emulator CA"
    builder = (
        _builder(name, key, _subject(name), CA_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(key_cert_sign=True, crl_sign=True), critical=True)
    )
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def _builder(name: str, key: rsa.RSAPrivateKey, issuer: x509.Name, life: timedelta) -> x509.CertificateBuilder:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(_subject(name))
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    )


def _subject(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def _usage(**allowed: bool) -> x509.KeyUsage:
    usages = (
        "digital_signature",
        "content_commitment",
        "key_encipherment",
        "data_encipherment",
        "key_agreement",
        "key_cert_sign",
        "crl_sign",
        "encipher_only",
        "decipher_only",
    )
    return x509.KeyUsage(**{usage: allowed.get(usage, False) for usage in usages})


def _new_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def _pem(key: rsa.RSAPrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
