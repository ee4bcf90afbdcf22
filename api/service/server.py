"""A server of this machine alone: its socket is taken before anything else begins, and signals let it end in order."""

from __future__ import annotations

import logging
import socket
import sys
from asyncio import CancelledError
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from signal import SIGTERM, default_int_handler, signal

import structlog
import uvicorn
from fastapi import FastAPI

from api.service.connections import Connection
from api.service.ending import Ending
from evaluators.refusals import refusal
from policy_dsl.files import words_of

HOST = "127.0.0.1"
PATIENCE_SECONDS = 5
"""How long answers that have begun may take once the server is told to end."""

LAST_PORT = 65_535


@contextmanager
def listening(port: int) -> Iterator[socket.socket]:
    """The socket at `port` of this machine alone, 0 for any that is free. Raises PolicyError (RF853) if it is taken."""
    try:
        taken = socket.create_server((HOST, port))
    except OSError as error:
        hint = "stop what listens there, or choose another one with --port (0: any that is free)"
        raise refusal("RF853", f"port {port} cannot be had: {words_of(error)}", hint) from error
    with closing(taken):
        yield taken


def address(taken: socket.socket) -> str:
    """Where the socket is called."""
    return f"http://{HOST}:{taken.getsockname()[1]}"


@contextmanager
def ending_on_signals() -> Iterator[None]:
    """Let SIGTERM end the block as Ctrl-C does."""
    before = signal(SIGTERM, default_int_handler)
    try:
        yield
    finally:
        signal(SIGTERM, before)


class _Server(uvicorn.Server):
    """A server whose `ending` knows when it ends."""

    def __init__(self, config: uvicorn.Config, ending: Ending) -> None:
        super().__init__(config)
        self._ending = ending

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End, once whoever has asked is answered."""
        self._ending.begin()
        await super().shutdown(sockets)


def serve_app(app: FastAPI, taken: socket.socket) -> None:
    """Answer on the socket until Ctrl-C or SIGTERM. Who has no answer a moment later is told that the service ends."""
    ending = Ending(app)
    config = uvicorn.Config(
        ending,
        http=Connection,
        log_config=None,
        access_log=False,
        lifespan="off",
        timeout_graceful_shutdown=PATIENCE_SECONDS,
    )
    told = logging.getLogger("uvicorn.error")
    told.addFilter(_is_no_end)
    try:
        # It ends by raising the signal anew once it has let go of everything.
        with suppress(KeyboardInterrupt):
            _Server(config, ending).run([taken])
    finally:
        # What logging held on to at the very end would outlive the store's own library, which complains of that.
        told.removeFilter(_is_no_end)


def _is_no_end(record: logging.LogRecord) -> bool:
    """Whether a line is about something else than a caller that was cut off at the end, which is as it should be."""
    return record.exc_info is None or not isinstance(record.exc_info[1], CancelledError)


def log_to_stderr() -> None:
    """Write log lines to standard error: for people on a terminal, as JSON elsewhere."""
    as_text = sys.stderr.isatty()
    # Where an error came from, without the values of every variable there: to lay out a whole fund takes a minute.
    for_people = structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([] if as_text else [structlog.processors.format_exc_info]),
            for_people if as_text else structlog.processors.JSONRenderer(),
        ],
        # Looked up anew for each line: what standard error is may change.
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),
    )
