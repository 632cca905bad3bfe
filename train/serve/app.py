"""The server's doors over HTTP."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import HTMLResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segprep.datasets.sample import JsonDict
from segprep.train.predict.columns import takes
from segprep.train.serve.answered_errors import AnsweringRoute, answer_errors
from segprep.train.serve.answers import Output, Size
from segprep.train.serve.bodies import parts_of
from segprep.train.serve.columns import units_of
from segprep.train.serve.metrics import Metrics
from segprep.train.serve.open_inference import open_inference
from segprep.train.serve.page import SECURITY_HEADERS, page
from segprep.train.serve.service import Service
from segprep.train.serve.stream import add_stream

__all__ = ["build_app"]

_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "content": {
            "image/jpeg": {"schema": {"type": "string", "format": "binary"}},
            "image/png": {"schema": {"type": "string", "format": "binary"}},
            "multipart/form-data": {"schema": {"type": "object", "additionalProperties": {"type": "string"}}},
        },
    }
}


def build_app(service: Service) -> FastAPI:
    """Return the application; it stops the service when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        yield
        service.stop()

    # The pages that FastAPI would offer load programs from a network.
    app = FastAPI(title="segprep", docs_url=None, redoc_url=None, lifespan=lifespan)
    app.router.route_class = AnsweringRoute
    app.add_middleware(_Counted, metrics=service.metrics)
    answer_errors(app)
    app.include_router(open_inference(service))
    add_stream(app, service)

    @app.get("/", response_class=HTMLResponse)
    async def index() -> HTMLResponse:
        return HTMLResponse(page(), headers=SECURITY_HEADERS)

    @app.get("/healthz")
    async def healthz() -> PlainTextResponse:
        return _said(service.alive, "the network's thread ended")

    @app.get("/readyz")
    async def readyz() -> PlainTextResponse:
        return _said(service.ready, "busy or stopping")

    @app.get("/metrics")
    async def metrics() -> Response:
        return Response(service.metrics.text(), media_type=CONTENT_TYPE_LATEST)

    @app.get("/v1/classes")
    async def classes() -> JsonDict:
        return _about(service)

    @app.post("/v1/segment", openapi_extra=_BODY)
    async def segment(
        request: Request,
        output: Output = "ids",
        size: Size = "original",
        dataset: str | None = None,
        opacity: Annotated[float, Query(ge=0, le=1)] = 0.5,
    ) -> Response:
        with service.admitted():
            parts = await parts_of(request, service.model, service.limits)
            body, kind = await service.answered(parts, output, size, dataset, opacity)
        return Response(body, media_type=kind)

    return app


def _about(service: Service) -> JsonDict:
    model = service.model
    return {
        "name": service.name,
        "size": list(model.size),
        "inputs": [
            {"name": c.name, "kind": str(c.kind), "takes": takes(c), "units": list(units_of(c))} for c in model.columns
        ],
        "datasets": [
            {
                "name": name,
                "classes": [
                    {"id": train_id, "name": each.name, "color": list(each.color), "raw_ids": list(each.raw_ids)}
                    for train_id, each in enumerate(classes.classes)
                ],
            }
            for name, classes in model.class_maps.items()
        ],
    }


def _said(good: bool, otherwise: str) -> PlainTextResponse:
    return PlainTextResponse("ok" if good else otherwise, HTTPStatus.OK if good else HTTPStatus.SERVICE_UNAVAILABLE)


class _Counted:
    """Counts requests and their seconds, by the route and not by what clients made up."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app, self._metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began = time.perf_counter()
        status = HTTPStatus.INTERNAL_SERVER_ERROR.value

        async def noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, noted)
        finally:
            path = getattr(scope.get("route"), "path", "other")
            self._metrics.requests.labels(path, str(status)).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - began)
