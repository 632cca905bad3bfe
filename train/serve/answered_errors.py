"""Every error is {"error": "a sentence"}, as the Open Inference Protocol has it too."""

import sys
import traceback
from collections.abc import Callable, Coroutine, Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from segprep.train.serve.refusals import Refused, refusal_of

__all__ = ["AnsweringRoute", "answer_errors", "refusal_or_bug"]

_CLOSED = 499  # the client went away: of no standard, but of most logs


def refusal_or_bug(error: Exception) -> Refused:
    """Return what to answer to any error; of a bug the traceback goes to standard error."""
    refusal = refusal_of(error)
    if refusal is not None:
        return refusal
    traceback.print_exception(error, file=sys.stderr)
    reason = f"this is a bug of the server: {type(error).__name__}: {error}"
    return Refused(HTTPStatus.INTERNAL_SERVER_ERROR, reason)


class AnsweringRoute(APIRoute):
    """Answers what its function raises: a refusal is no incident that the server's log should tell."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return the function that handles a request."""
        handle = super().get_route_handler()

        async def answering(request: Request) -> Response:
            try:
                return await handle(request)
            except ClientDisconnect:
                return _answered(_CLOSED, "the client went away")
            except RequestValidationError as error:
                found = [f"{e['loc'][-1]}: {e['msg']}, not {e['input']!r}" for e in error.errors()]
                return _answered(HTTPStatus.UNPROCESSABLE_ENTITY, "; ".join(found))
            except HTTPException:
                raise
            except Exception as error:  # noqa: BLE001  (whoever asked gets the answer)
                refusal = refusal_or_bug(error)
                return _answered(refusal.status, refusal.reason, refusal.headers)

        return answering


def answer_errors(app: FastAPI) -> None:
    """Let what has no route, or not this method, be answered in the same form."""

    @app.exception_handler(HTTPException)
    async def _(request: Request, error: HTTPException) -> Response:
        reason = f"{error.detail}: {request.method} {request.url.path}"
        return _answered(error.status_code, reason, error.headers)


def _answered(status: int, reason: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    return JSONResponse({"error": reason}, status, headers)
