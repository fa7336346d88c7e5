# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""Process one HTTP request: apply a fault, write the log, commit the result, send the answer."""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from platform_emulator import faults, request_log
from platform_emulator.answers import Answer
from platform_emulator.http_effects import Drop, Effect
from platform_emulator.refusals import Refusal
from platform_emulator.store import Store

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Action:
    """The action that a request asks for, with product and device if it names them.

    `process` runs inside the transaction that also logs its answer; it takes the effect of a fault. `refuse` makes the
    answer for a refusal. `names` is the number of devices in a request that lists them.
    """

    name: str
    product_key: str | None
    device_name: str | None
    process: Callable[[Effect[Answer]], Answer]
    refuse: Callable[[Refusal], Answer]
    names: int | None = None


async def run(request: web.Request, store: Store, action: Action) -> web.StreamResponse:
    """Process the request and send the answer, as changed by a fault if one matches. Raises sqlite3.Error."""
    with store.transaction():
        fault = faults.take(store, action.name, action.product_key, action.device_name)
        entry = request_log.opened(
            store,
            action.name,
            action.product_key,
            action.device_name,
            _peer(request),
            fault.name if fault else None,
            action.names,
        )
    effect: Effect[Answer] = fault.effect if fault else Effect()
    try:
        early = await _early_answer(effect, action)
        with store.transaction():
            answer = early or _processed(action, effect)
            request_log.answered(store, entry, answer.http_status, answer.code)
        return await send(request, answer if early else await effect.after(answer))
    except Drop:
        return _close(request, web.Response())


async def _early_answer(effect: Effect[Answer], action: Action) -> Answer | None:
    try:
        return await effect.before()
    except Refusal as refusal:
        return action.refuse(refusal)


def _processed(action: Action, effect: Effect[Answer]) -> Answer:
    try:
        return action.process(effect)
    except Refusal as refusal:
        return action.refuse(refusal)


async def failed(request: web.Request, error: sqlite3.Error, answer: Answer) -> web.StreamResponse:
    """Log that the state could not be read or written, and send the answer."""
    _log.error("%s: %s", type(error).__name__, error)
    return await send(request, answer)


async def send(request: web.Request, answer: Answer) -> web.StreamResponse:
    if answer.cut is None:
        return web.Response(
            status=answer.http_status, body=answer.body, content_type=answer.content_type, headers=answer.headers
        )
    response = web.StreamResponse(status=answer.http_status, headers=answer.headers)
    response.content_type = answer.content_type
    response.content_length = len(answer.body)
    await response.prepare(request)
    await response.write(answer.body[: answer.cut])
    return _close(request, response)


def _close(request: web.Request, response: web.StreamResponse) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.close()
    return response


def _peer(request: web.Request) -> str:
    name = request.transport.get_extra_info("peername") if request.transport else None
    return f"{name[0]}:{name[1]}" if name else "gone"
