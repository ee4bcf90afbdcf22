"""Who may call: programs on this machine, by one of its own names, and no page that a browser has from elsewhere.

A server on the loopback address alone can still be reached from a web page: by a name that its owner lets point here
(DNS rebinding), or by a form that posts blindly. The first comes with a foreign `Host`, the second with an `Origin`.
"""

from __future__ import annotations

from urllib.parse import urlsplit

from fastapi.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from api.service.problems import problem_document

NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
"""The names of this machine to itself."""


class LoopbackOnly:
    """Refuses whatever was not sent to this machine by one of its own names, before anything else looks at it."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass on, or answer 403."""
        if scope["type"] == "http" and (refused := _refused(scope)) is not None:
            await refused(scope, receive, send)
            return
        await self.app(scope, receive, send)


def _refused(scope: Scope) -> JSONResponse | None:
    hosts = [value for name, value in scope["headers"] if name == b"host"]
    origins = [value for name, value in scope["headers"] if name == b"origin"]
    if len(hosts) != 1 or not _is_own(b"//" + hosts[0]):
        return problem_document(403, "not for this host", "call it as 127.0.0.1 or localhost")
    if not all(_is_own(origin) for origin in origins):
        return problem_document(403, "not from a page of another host", "no web page of another host may call")
    return None


def _is_own(address: bytes) -> bool:
    try:
        return urlsplit(address.decode("ascii")).hostname in NAMES
    except ValueError:  # no address at all
        return False
