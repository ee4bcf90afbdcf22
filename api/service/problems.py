"""Errors as problem documents (RFC 9457): a type, a title, a status, and what to do about it."""

from __future__ import annotations

from collections.abc import Mapping
from errno import EACCES, EDQUOT, EFBIG, EIO, EMFILE, ENFILE, ENOENT, ENOSPC, EPERM, EROFS
from traceback import format_exception
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from modules.venues.venue import HungUp
from policy_dsl.codes_index import title
from policy_dsl.diagnostics import PolicyError
from policy_dsl.files import words_of

log = structlog.get_logger()

OUR_STORE = ("RF77", "RF78")
"""Codes of what goes wrong with the store of the fund: no caller can help it."""

MOST_ERRORS = 20
"""So many errors of one request are told; `count` says how many there are."""

OF_THE_DISK = frozenset({ENOSPC, EDQUOT, EFBIG, EROFS, EIO, EACCES, EPERM, EMFILE, ENFILE, ENOENT})
"""Errors of the system that tell of a disk, or of as many open files as there may be, and of no mistake of ours."""

MEDIA_TYPE = "application/problem+json"


class Problem(Exception):  # noqa: N818 -- RFC 9457 calls it a problem
    """An answer that is not what was asked for."""

    def __init__(self, status: int, title: str, detail: str, **more: Any) -> None:
        super().__init__(detail)
        self.status, self.title, self.detail, self.more = status, title, detail, more


def answer_with_problems(app: FastAPI) -> None:
    """Let every error of `app` be a problem document."""
    app.add_exception_handler(Problem, _problem)
    app.add_exception_handler(PolicyError, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _plain)
    app.add_exception_handler(HungUp, _ends)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(OSError, _refused_by_disk)
    app.add_exception_handler(Exception, _bug)


def ending() -> JSONResponse:
    """The answer of a service that ends to whatever it has not done by then."""
    detail = "the service ends: what was asked by hand may be kept, and `ringfence status` tells once it runs again"
    return problem_document(503, "the service ends", detail)


def problem_document(status: int, title: str, detail: str, more: Mapping[str, Any] | None = None) -> JSONResponse:
    """A problem as an answer; `more` are members of its own."""
    # What it names may be half of a pair of characters, which a caller can send and no answer can hold.
    readable = detail.encode(errors="replace").decode()
    content = {"type": "about:blank", "title": title, "status": status, "detail": readable, **(more or {})}
    return JSONResponse(content, status, media_type=MEDIA_TYPE)


def _problem(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Problem)
    return problem_document(error.status, error.title, error.detail, error.more)


def _refused(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, PolicyError)
    first = error.diagnostics[0]
    listed = [d.as_json(error.sources) for d in error.diagnostics]
    status = 503 if first.code.startswith(OUR_STORE) else 422
    return problem_document(status, title(first.code) or first.code, first.message, {"diagnostics": listed})


def _invalid(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    listed = [{"at": ".".join(map(str, e["loc"])), "message": e["msg"]} for e in found[:MOST_ERRORS]]
    detail = f"{listed[0]['at']}: {listed[0]['message']}"
    return problem_document(422, "the request cannot be read", detail, {"count": len(found), "errors": listed})


def _plain(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    allowed = (error.headers or {}).get("Allow")
    said = {
        404: f"nothing answers {request.method} {request.url.path}: docs/serving.md lists every call",
        405: f"{request.url.path} is called with {allowed or 'another method'}, not {request.method}",
    }
    answer = problem_document(error.status_code, str(error.detail), said.get(error.status_code, str(error.detail)))
    answer.headers.update(error.headers or {})
    return answer


def _ends(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HungUp)
    return ending()


def _gone(_: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, ClientDisconnect)
    # Nobody reads it: whoever asked has hung up before he had said what.
    return problem_document(400, "the request cannot be read", "body: it ended before it was there as a whole")


def _refused_by_disk(request: Request, error: Exception) -> JSONResponse:
    """What the disk did not take; another error of the system is a bug like any other."""
    assert isinstance(error, OSError)
    if error.errno not in OF_THE_DISK:
        log.error("a call failed", method=request.method, path=request.url.path, where=format_exception(error))
        return _bug(request, error)
    where = f"`{error.filename}`" if error.filename else "a file of the fund"
    why = words_of(error)
    detail = f"{where} cannot be written: {why}: check the disk, then ask again; what was asked is not kept"
    return problem_document(503, "the disk failed", detail)


def _bug(_: Request, error: Exception) -> JSONResponse:
    return problem_document(500, "a bug in ringfence", f"{type(error).__name__}: see the log of the service")
