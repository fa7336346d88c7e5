# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""The answers of the OpenAPI, in JSON or XML.

https://www.alibabacloud.com/help/doc-detail/30562.htm
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import replace
from xml.etree import ElementTree

from platform_emulator.answers import Answer, compact_json
from platform_emulator.openapi.message import METHODS, Message
from platform_emulator.openapi.openapi_refusals import OpenApiRefusal

# Characters that XML 1.0 does not allow, even escaped.
NOT_IN_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def success(message: Message, fields: Mapping[str, object]) -> Answer:
    """Return the answer to a successful call. It has no Code, since pop-core (Node) takes any Code for a failure."""
    return _answer(message, 200, {**_request_id(), "Success": True, **fields}, f"{message.action}Response")


def refused(message: Message, refusal: OpenApiRefusal) -> Answer:
    if refusal.http_status is not None:
        content = {**_request_id(), "HostId": message.host, "Code": refusal.code, "Message": refusal.message}
        answer = _answer(message, refusal.http_status, content, "Error", refusal.code)
        return replace(answer, headers={"Allow": ", ".join(METHODS)}) if answer.http_status == 405 else answer
    content = {**_request_id(), "Success": False, "Code": refusal.code, "ErrorMessage": refusal.message}
    if refusal.data is not None:
        content["Data"] = refusal.data
    return _answer(message, 200, content, f"{message.action}Response", refusal.code)


def _answer(
    message: Message, http_status: int, content: Mapping[str, object], root: str, code: int | str | None = None
) -> Answer:
    if message.wants_xml:
        return Answer(http_status, _xml(root, content), code, "text/xml")
    return Answer(http_status, compact_json(content), code)


def _request_id() -> dict[str, object]:
    return {"RequestId": str(uuid.uuid4()).upper()}


def _xml(name: str, content: Mapping[str, object]) -> bytes:
    root = ElementTree.Element(name)
    _fill(root, content)
    return b'<?xml version="1.0" encoding="UTF-8"?>' + ElementTree.tostring(root)


def _fill(element: ElementTree.Element, value: object) -> None:
    """Fill an element: a mapping becomes elements, a list in it one element per entry, and all else text."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            for entry in inner if isinstance(inner, list) else [inner]:
                _fill(ElementTree.SubElement(element, name), entry)
    elif isinstance(value, bool):
        element.text = str(value).lower()
    else:
        element.text = NOT_IN_XML.sub("\ufffd", str(value))
