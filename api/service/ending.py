"""How a service ends: whoever has no answer a moment after it was told to is told so, by a problem like any other."""

from __future__ import annotations

import asyncio
from asyncio import Future, Task
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.service.problems import ending

PATIENCE_SECONDS = 2.0
"""How long what is asked by then may take. Longer than a step whose venue answers; a venue that hangs has longer."""


class Ending:
    """Passes requests on to `app`, until `begin`: then it answers 503, at once to whoever asks after it."""

    def __init__(self, app: ASGIApp, patience: float = PATIENCE_SECONDS) -> None:
        self._app, self._patience = app, patience
        self._has_begun = False
        self._open: set[Future[None]] = set()

    def begin(self) -> None:
        """The service ends. To be called on its loop."""
        self._has_begun = True
        asyncio.get_running_loop().call_later(self._patience, self._cut)

    def _cut(self) -> None:
        for cut in self._open:
            if not cut.done():
                cut.set_result(None)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, by the app or without it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif self._has_begun:
            await ending()(scope, receive, send)
        else:
            await self._answer(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        cut: Future[None] = asyncio.get_running_loop().create_future()
        has_begun = False

        async def pass_on(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        work = asyncio.ensure_future(self._app(scope, receive, pass_on))
        self._open.add(cut)
        try:
            await asyncio.wait({work, cut}, return_when=asyncio.FIRST_COMPLETED)
            if work.done() or has_begun:
                await work
                return
        finally:
            self._open.discard(cut)
            if not work.done():
                _let_go(work)
        await ending()(scope, receive, send)


def _let_go(work: Task[Any]) -> None:
    """Cancel a task for which nobody waits; a thread that it waits for ends by itself."""
    work.cancel()
    work.add_done_callback(lambda task: None if task.cancelled() else task.exception())
