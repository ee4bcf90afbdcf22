"""How a body is read: JSON and nothing else, no longer than anybody means, each name in it once.

Python's own reader takes the last of two members with one name and drops the other without a word, which would lose a
request; and it takes `NaN`, which is no JSON.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import Callable, Coroutine
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.routing import APIRoute

from api.service.problems import Problem

PATIENCE_SECONDS = 10.0
"""How long a body may take to arrive, from a program on this very machine."""

MOST_BYTES = 1_000_000
"""Of a body; a request to trade takes some hundred."""

TITLE = "the request cannot be read"


def read_strictly(app: FastAPI) -> None:
    """Let every route that is added to `app` from now on read its body so."""
    app.router.route_class = _StrictRoute


class _StrictRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle, has_body = super().get_route_handler(), self.body_field is not None

        async def handle_strictly(request: Request) -> Response:
            strict = _StrictRequest(request.scope, request.receive)
            if has_body and await strict.body():
                # Before FastAPI reads it, which would answer in words that tell nobody what to do.
                _check_kind(strict)
                await strict.json()
            return await handle(strict)

        return handle_strictly


class _StrictRequest(Request):
    _whole: bytes | None = None

    async def body(self) -> bytes:
        """The whole body. Raises Problem for one that is too long (413) or takes too long (408), and reads no more."""
        if self._whole is None:
            try:
                async with asyncio.timeout(PATIENCE_SECONDS):
                    self._whole = await self._read()
            except TimeoutError as error:
                said = f"body: not all of it came within {PATIENCE_SECONDS:g} seconds"
                raise Problem(408, "too slow", said) from error
        return self._whole

    async def _read(self) -> bytes:
        parts, size = [], 0
        async for part in self.stream():
            parts.append(part)
            size += len(part)
            if size > MOST_BYTES:
                raise Problem(413, "too long", f"body: it is longer than {MOST_BYTES} bytes: send less at once")
        return b"".join(parts)

    async def json(self) -> Any:
        """The body as it is read. Raises Problem (422) for what is no JSON."""
        try:
            return json.loads(await self.body(), object_pairs_hook=_once_each, parse_constant=_no_number)
        except RecursionError as error:
            raise Problem(422, TITLE, "body: it is nested too deeply") from error
        except ValueError as error:
            raise Problem(422, TITLE, f"body: it is no JSON: {error}") from error


def _check_kind(request: Request) -> None:
    said = request.headers.get("content-type", "")
    if said.partition(";")[0].strip().lower() != "application/json":
        what = f"it is said to be `{said}`" if said else "nothing says what it is"
        raise Problem(415, "not JSON", f"body: {what}: send JSON, with the header `content-type: application/json`")


def _once_each(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(members)
    if len(found) < len(members):
        (twice, _), *_ = Counter(name for name, _ in members).most_common(1)
        raise ValueError(f"`{twice}` is in it more than once")
    return found


def _no_number(word: str) -> None:
    raise ValueError(f"{word} is no number")
