# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""TLS with old and new clients, and the certificates."""

from __future__ import annotations

import os
import socket
import ssl
from datetime import UTC, datetime, timedelta, tzinfo
from pathlib import Path
from typing import Self

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from emulator import Emulator
from platform_emulator import certificates
from platform_emulator.fields import Invalid

REGIONS = [
    "cn-shanghai",
    "ap-northeast-1",
    "ap-southeast-1",
    "eu-central-1",
    "us-west-1",
    "us-east-1",
    "cn-beijing",
    "cn-shenzhen",
]
NAMES = ["localhost", "a1IoKTestP1-x.mqtt.iothub.aliyuncs.com"] + [
    name
    for region in REGIONS
    for name in (
        f"iot-auth.{region}.aliyuncs.com",
        f"iot.{region}.aliyuncs.com",
        f"a1IoKTestP1.iot-as-mqtt.{region}.aliyuncs.com",
    )
]


def handshake(
    platform: Emulator, context: ssl.SSLContext, name: str = "127.0.0.1", address: str = "127.0.0.1"
) -> tuple[str, str]:
    """Return the protocol and the cipher that both sides agree on."""
    with (
        socket.create_connection((address, platform.port), 60) as tcp,
        context.wrap_socket(tcp, server_hostname=name) as tls,
    ):
        cipher = tls.cipher()
        assert cipher is not None
        return str(tls.version()), cipher[0]


def client(platform: Emulator) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=platform.endpoints["ca_file"])


@pytest.mark.parametrize("cipher", ["AES128-SHA256", "AES256-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"])
def test_tls_1_2_suites(platform: Emulator, cipher: str) -> None:
    context = client(platform)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{cipher}:@SECLEVEL=1")
    assert handshake(platform, context) == ("TLSv1.2", cipher)


def test_tls_1_3(platform: Emulator) -> None:
    assert handshake(platform, client(platform))[0] == "TLSv1.3"


def test_tls_1_1_is_refused(platform: Emulator) -> None:
    """TLS 1.1 is refused: the server closes the connection. A client that cannot use TLS 1.1 would raise another error."""
    context = client(platform)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.raises((ssl.SSLEOFError, ssl.SSLZeroReturnError, ConnectionResetError)):
        handshake(platform, context)


@pytest.mark.parametrize("name", [*NAMES, "127.0.0.1"])
def test_the_clouds_names_are_its_own(platform: Emulator, name: str) -> None:
    handshake(platform, client(platform), name)


@pytest.mark.parametrize(("listen", "host"), [("::", "::1"), ("::1", "::1"), ("0.0.0.0", "127.0.0.1")])
def test_the_endpoints_of_a_listener_are_where_it_listens(tmp_path: Path, listen: str, host: str) -> None:
    with Emulator(tmp_path, None, "--listen", listen) as platform:
        written = f"[{host}]" if ":" in host else host
        assert platform.endpoints["register_url"] == f"https://{written}:{platform.port}/auth/register/device"
        assert platform.endpoints["openapi_endpoint"] == f"{written}:{platform.port}"
        assert platform.endpoints["mqtts"]["host"] == platform.endpoints["mqtt"]["host"] == host
        handshake(platform, client(platform), host, host)


@pytest.mark.parametrize("name", ["example.com", "127.0.0.2", "iot-auth.cn-hangzhou.aliyuncs.com"])
def test_other_names_are_not(platform: Emulator, name: str) -> None:
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(platform, client(platform), name)


def server_certificate(state_dir: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((state_dir / "server.pem").read_bytes())


def test_the_certificate_suits_strict_and_old_clients(platform: Emulator) -> None:
    certificate = server_certificate(platform.state_dir)
    assert isinstance(certificate.public_key(), rsa.RSAPublicKey)
    usage = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    assert usage.key_encipherment
    assert usage.digital_signature
    context = client(platform)
    context.verify_flags |= ssl.VerifyFlags.VERIFY_X509_STRICT
    handshake(platform, context)


def test_private_files_are_private(platform: Emulator) -> None:
    modes = {path.name: path.stat().st_mode & 0o777 for path in platform.state_dir.iterdir()}
    assert modes["ca.key"] == modes["server.key"] == modes["state.sqlite"] == 0o600
    assert platform.state_dir.stat().st_mode & 0o777 == 0o700


def make(state_dir: Path, listen: str = "127.0.0.1") -> dict[str, bytes]:
    """Start with the directory again and return its certificates."""
    certificates.server_context(state_dir, listen)
    return {path.name: path.read_bytes() for path in state_dir.iterdir()}


def test_a_restart_changes_no_certificate(tmp_path: Path) -> None:
    assert make(tmp_path) == make(tmp_path)


@pytest.mark.parametrize("lost", ["server.pem", "server.key"])
def test_a_lost_server_certificate_is_made_again_by_the_same_ca(tmp_path: Path, lost: str) -> None:
    before = make(tmp_path)
    (tmp_path / lost).unlink()
    after = make(tmp_path)
    assert (after["ca.pem"], after["ca.key"]) == (before["ca.pem"], before["ca.key"])
    assert after["server.pem"] != before["server.pem"]


def test_a_broken_server_certificate_is_made_again(tmp_path: Path) -> None:
    make(tmp_path)
    (tmp_path / "server.pem").write_text("nonsense")
    assert make(tmp_path)["server.pem"] != b"nonsense"


@pytest.mark.parametrize("broken", [b"", b"nonsense"])
def test_a_broken_server_key_is_made_again(tmp_path: Path, broken: bytes) -> None:
    make(tmp_path)
    (tmp_path / "server.key").write_bytes(broken)
    after = make(tmp_path)
    assert after["server.key"] != broken
    assert after == make(tmp_path)


def test_a_crash_between_key_and_certificate_is_repaired(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        make(tmp_path / name)
    (tmp_path / "other" / "server.key").replace(tmp_path / "one" / "server.key")
    assert make(tmp_path / "one") == make(tmp_path / "one")


def test_other_names_need_another_certificate(tmp_path: Path) -> None:
    before = make(tmp_path)
    after = make(tmp_path, "127.0.0.9")
    assert after["ca.pem"] == before["ca.pem"]
    assert "127.0.0.9" in str(
        server_certificate(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    )
    assert after["server.pem"] == make(tmp_path, "127.0.0.9")["server.pem"]


def test_a_certificate_about_to_expire_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(certificates, "SERVER_LIFE", certificates.RENEW_BEFORE - timedelta(hours=1))
    before = make(tmp_path)
    monkeypatch.undo()
    after = make(tmp_path)
    assert after["ca.pem"] == before["ca.pem"]
    assert after["server.pem"] != before["server.pem"]


def at(monkeypatch: pytest.MonkeyPatch, days: int) -> None:
    """Set the clock of the certificates so many days forward."""

    class Clock(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Self:
            return super().now(tz) + timedelta(days=days)

    monkeypatch.setattr(certificates, "datetime", Clock)


def test_a_certificate_of_the_future_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The clock was wrong when the certificate was made: no client would accept it now."""
    before = make(tmp_path)
    (tmp_path / "server.pem").unlink()
    with monkeypatch.context() as patch:
        at(patch, 30)
        future = make(tmp_path)
    after = make(tmp_path)
    assert before["ca.pem"] == future["ca.pem"] == after["ca.pem"]
    assert after["server.pem"] != future["server.pem"]
    assert server_certificate(tmp_path).not_valid_before_utc < datetime.now(UTC)


@pytest.mark.parametrize(("made", "now"), [(0, 4000), (30, 0)])
def test_a_ca_that_is_not_valid_now_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: int, now: int
) -> None:
    with monkeypatch.context() as patch:
        at(patch, made)
        before = make(tmp_path)
    at(monkeypatch, now)
    message = (
        r"ca\.pem: the CA is valid from 20\d\d-.* to 20\d\d-.* UTC, and the clock is at 20\d\d-.*; set the clock, or"
    )
    with pytest.raises(Invalid, match=message):
        make(tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_ca_without_its_key_is_not_replaced(tmp_path: Path) -> None:
    before = make(tmp_path)
    (tmp_path / "ca.key").unlink()
    with pytest.raises(Invalid, match=r"ca\.key: is missing"):
        make(tmp_path)
    assert (tmp_path / "ca.pem").read_bytes() == before["ca.pem"]


def test_a_ca_with_anothers_key_is_not_replaced(tmp_path: Path) -> None:
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        make(tmp_path / name)
    (tmp_path / "other" / "ca.key").replace(tmp_path / "one" / "ca.key")
    before = (tmp_path / "one" / "ca.pem").read_bytes()
    with pytest.raises(Invalid, match="the key is not the certificate's"):
        make(tmp_path / "one")
    assert (tmp_path / "one" / "ca.pem").read_bytes() == before


def test_a_ca_key_with_a_password_is_not_replaced(tmp_path: Path) -> None:
    make(tmp_path)
    key = serialization.load_pem_private_key((tmp_path / "ca.key").read_bytes(), None)
    encryption = serialization.BestAvailableEncryption(b"password")
    form = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8
    (tmp_path / "ca.key").write_bytes(encrypted := key.private_bytes(*form, encryption))
    with pytest.raises(Invalid, match="the CA cannot be used"):
        make(tmp_path)
    assert (tmp_path / "ca.key").read_bytes() == encrypted


def test_a_ca_key_alone_gets_its_certificate(tmp_path: Path) -> None:
    before = make(tmp_path)
    (tmp_path / "ca.pem").unlink()
    after = make(tmp_path)
    assert after["ca.key"] == before["ca.key"]
    os.chmod(tmp_path / "ca.key", 0o644)
    make(tmp_path)
    assert (tmp_path / "ca.key").stat().st_mode & 0o777 == 0o600
