# SPDX-FileCopyrightText: 2026 fleetops contributors
# SPDX-License-Identifier: GPL-3.0-or-later

"""One request and its answer: the fault it meets, its entry in the log, its commit, its bytes on the wire."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from platform_emulator import faults, request_log
from platform_emulator.answers import Answer
from platform_emulator.http_effects import Drop, Effect
from platform_emulator.refusals import Refusal
from platform_emulator.store import Store


@dataclass(frozen=True)
class Action:
    """The action that a request asks for, on which device as far as it says so.

    `process` runs inside the transaction that also logs its answer, and is told the effect of a fault, if there is one.
    `refuse` words a refusal for this kind of client. `names` is how many devices a request for many of them names.
    """

    name: str
    product_key: str | None
    device_name: str | None
    process: Callable[[Effect[Answer]], Answer]
    refuse: Callable[[Refusal], Answer]
    names: int | None = None


async def run(request: web.Request, store: Store, action: Action) -> web.StreamResponse:
    """Process and answer, unless a fault has other plans."""
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
        instead = await _instead(effect, action)
        with store.transaction():
            answer = instead or _processed(action, effect)
            request_log.answered(store, entry, answer.http_status, answer.code)
        return await _send(request, answer if instead else await effect.after(answer))
    except Drop:
        return _close(request, web.Response())


async def _instead(effect: Effect[Answer], action: Action) -> Answer | None:
    try:
        return await effect.before()
    except Refusal as refusal:
        return action.refuse(refusal)


def _processed(action: Action, effect: Effect[Answer]) -> Answer:
    try:
        return action.process(effect)
    except Refusal as refusal:
        return action.refuse(refusal)


async def _send(request: web.Request, answer: Answer) -> web.StreamResponse:
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
