# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Sign a registration, which needs HMAC; no built-in filter computes it."""

from __future__ import annotations

import hashlib
import hmac
import secrets


def registration_form(product_secret: str, product_key: str, device_name: str) -> dict[str, str]:
    form = {"productKey": product_key, "deviceName": device_name, "random": secrets.token_hex(8)}
    content = "".join(name + form[name] for name in sorted(form))
    sign = hmac.new(product_secret.encode(), content.encode(), hashlib.sha256).hexdigest()
    return {**form, "sign": sign, "signMethod": "hmacsha256"}


class FilterModule:
    def filters(self) -> dict[str, object]:
        return {"registration_form": registration_form}
