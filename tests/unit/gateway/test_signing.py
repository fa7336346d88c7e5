# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Check names, and compare signatures with those of other clients."""

from __future__ import annotations

import string
from urllib.parse import parse_qs, parse_qsl

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from vectors import vectors

from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._device.signing import (
    SIGN_METHODS,
    registration_body,
    sign,
)
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._errors import InvalidOption
from ansible_collections.fleetops.aliyun_iot.plugins.module_utils._platform import (
    check_device_name,
    check_product_key,
    check_product_secret,
    fingerprint,
)

NAME_CHARACTERS = string.ascii_letters + string.digits + "-_@.:"
SECRET_CHARACTERS = "".join(chr(number) for number in range(0x21, 0x7F))

product_keys = st.text(string.ascii_letters + string.digits, min_size=1, max_size=32)
device_names = st.text(NAME_CHARACTERS, min_size=4, max_size=32)
product_secrets = st.text(SECRET_CHARACTERS, min_size=1, max_size=64)
sign_methods = st.sampled_from(["hmacmd5", "hmacsha1", "hmacsha256"])


def test_the_vectors_cover_every_method() -> None:
    assert {vector["signMethod"] for vector in vectors("dynreg_https")} == set(SIGN_METHODS)


@pytest.mark.parametrize("vector", vectors("dynreg_https"), ids=lambda v: f"{v['client']} {v['signMethod']}")
def test_signatures_of_other_clients(vector: dict[str, str]) -> None:
    body = registration_body(
        vector["productKey"], vector["productSecret"], vector["deviceName"], vector["signMethod"], vector["random"]
    )
    ours, theirs = dict(parse_qsl(body)), dict(parse_qsl(vector["body"]))
    assert ours.pop("sign").lower() == theirs.pop("sign").lower() == vector["sign"].lower()
    assert ours == theirs


@pytest.mark.parametrize(
    ("method", "signature"),
    [
        ("hmacmd5", "174BA7DFEDD63121DF33A74D7FAC4E19"),
        ("hmacsha1", "2404974FF2BE0B5DB3EFF3964D7657A1C932BB74"),
        ("hmacsha256", "78A1665C661F858978A57ED2CBC3632DB0B83FCDF9B2BD9C03ECFAEE04633B43"),
    ],
)
def test_known_signatures(method: str, signature: str) -> None:
    parameters = {"random": "123456", "productKey": "a1Example01", "deviceName": "gw-0001"}
    assert sign(parameters, "productsecret0001", method) == signature
    # The signature and its method are not signed, wherever they are in the parameters.
    assert sign({**parameters, "sign": "x", "signMethod": method}, "productsecret0001", method) == signature


@pytest.mark.parametrize("method", ["", "sha256", "HMACSHA256", "hmacsha512"])
def test_an_unknown_method_is_refused(method: str) -> None:
    with pytest.raises(InvalidOption, match="hmacsha256"):
        sign({"random": "1"}, "secret", method)


@given(product_keys, product_secrets, device_names, sign_methods)
def test_the_body_carries_every_value_as_it_is(key: str, secret: str, name: str, method: str) -> None:
    body = registration_body(key, secret, name, method)
    fields = parse_qs(body, strict_parsing=True, keep_blank_values=True)
    assert sorted(fields) == ["deviceName", "productKey", "random", "sign", "signMethod"]
    assert fields["productKey"] == [key]
    assert fields["deviceName"] == [name]
    assert fields["signMethod"] == [method]
    assert set(body) <= set(string.ascii_letters + string.digits + "-_.~%&=+")


@given(product_keys, product_secrets.filter(lambda secret: len(secret) > 3), device_names)
def test_the_body_never_holds_the_secret(key: str, secret: str, name: str) -> None:
    if secret not in key + name:
        body = registration_body(key, secret, name, "hmacmd5", random="0")
        assert secret not in [value for _name, value in parse_qsl(body)]
        assert "productSecret" not in body


def test_random_is_fresh_hexadecimal_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    def drawn() -> str:
        return parse_qs(registration_body("a1Example01", "s", "gw-0001", "hmacsha256"))["random"][0]

    seen = {drawn() for _attempt in range(200)}
    assert len(seen) == 200
    assert {len(value) for value in seen} == {16}
    assert set("".join(seen)) == set("0123456789abcdef")
    # It comes from the system's random source, so that no fork repeats its parent's numbers.
    monkeypatch.setattr("secrets.token_hex", lambda octets: "zz" * octets)
    assert drawn() == "z" * 16


def test_a_given_random_is_used() -> None:
    assert "random=567345&" in registration_body("a1Example01", "s", "gw-0001", "hmacsha256", random="567345")


@given(device_names)
@example("abcd")
@example("a" * 32)
def test_device_names(name: str) -> None:
    assert check_device_name(name) == name


@pytest.mark.parametrize(
    "name",
    [
        *("", "    ", "abc", "a" * 33, "gw-0001\n", "\ngw-0001", "gw 0001", " gw-0001", "gw-0001 "),
        *("gw/0001", "gw\\0001", "gw-0001\0", "gw'0001", "gw$0001", "gw\u00e4001", "gw-\u0661\u0662\u0663\u0664"),
        *("\uff47\uff57\uff10\uff11", "gw-\u00b2\u00b2", "\u70e4\u7bb1\u70e4\u7bb1", "gw#0001", "gw+0001", "gw%0001"),
    ],
)
def test_names_that_no_device_has(name: str) -> None:
    with pytest.raises(InvalidOption, match="device_name") as caught:
        check_device_name(name)
    assert caught.value.kind == "invalid_option"
    assert "4 to 32" in caught.value.hint
    assert f"({len(name)} characters)" in caught.value.msg


@given(product_keys)
def test_product_keys(key: str) -> None:
    assert check_product_key(key) == key


@pytest.mark.parametrize("key", ["", " ", "a1\n", "a" * 33, "a1-b", "a1_b", "a1\u00b2", "a1\u0661", "${productKey}"])
def test_keys_that_no_product_has(key: str) -> None:
    with pytest.raises(InvalidOption, match="product_key"):
        check_product_key(key)


@given(product_secrets)
def test_product_secrets(secret: str) -> None:
    assert check_product_secret(secret) == secret


@pytest.mark.parametrize("secret", [None, ""])
def test_a_missing_product_secret(secret: str | None) -> None:
    with pytest.raises(InvalidOption, match="is missing"):
        check_product_secret(secret)


@pytest.mark.parametrize(
    "secret", ["hidden01\n", " hidden01", "hidden 01", "hidden01\t", "hidden\u00e401", "hidden\0", "hidden01" * 8 + "h"]
)
def test_a_spoilt_product_secret_is_not_shown(secret: str) -> None:
    with pytest.raises(InvalidOption) as caught:
        check_product_secret(secret)
    assert "product_secret" in str(caught.value)
    for shown in (str(caught.value), repr(caught.value), repr(caught.value.as_result())):
        assert "hidden" not in shown


def test_fingerprint() -> None:
    """The digest is that of `printf %s fleetops:a1Example01:gw-0001:0123456789abcdef0123456789abcdef | sha256sum`."""
    assert fingerprint("a1Example01", "gw-0001", "0123456789abcdef0123456789abcdef") == "f90548a6fbe22af6"
