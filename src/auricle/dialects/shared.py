"""Two addresses that several vendors share: their answers, merged into one."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, RedirectResponse, Response

from auricle.core.errors import AuricleError
from auricle.desk import Desk
from auricle.dialects import cartesia, openai, sttai
from auricle.dialects.errors import install_error_handlers
from auricle.dialects.openapi import BOOLEAN, INTEGER, STRING, array, choice, record, says

_ERROR = says("What went wrong.", record(error=STRING))
_MODEL = record(id=STRING, object=choice("model"), created=INTEGER, owned_by=STRING)
_MODELS = record(models=array(sttai.MODEL), object=choice("list"), data=array(_MODEL))


def create_app(desk: Desk) -> FastAPI:
    """The application that answers ``/v1/models`` and ``/``."""
    app = FastAPI(title="Shared addresses", openapi_url=None, docs_url=None, redoc_url=None)
    install_error_handlers(app, sttai.render_error)

    @app.get(
        "/v1/models",
        summary="List the models that answer here",
        responses={
            200: says("As STT.ai and OpenAI list them, in one object.", _MODELS),
            "default": _ERROR,
        },
    )
    async def models() -> dict[str, Any]:
        """No key is needed."""
        found = await desk.models()
        return sttai.models_view(found) | openai.models_view(found)

    @app.get(
        "/v1/models/{model}",
        summary="One model, as OpenAI shows it",
        responses={
            200: says("The model.", _MODEL),
            "default": says(
                "What went wrong, in OpenAI's shape.", record(error=record(message=STRING))
            ),
        },
    )
    async def model(model: str) -> Response:
        """No key is needed."""
        try:
            return JSONResponse(openai.model_view(await desk.models(), model))
        except AuricleError as error:
            return openai.render_error(error)

    @app.get(
        "/",
        summary="Is it there?",
        responses={
            200: says("As Cartesia answers.", record(ok=BOOLEAN, version=STRING)),
            "default": _ERROR,
        },
    )
    async def root(request: Request) -> Response:
        """Browsers are led to the documentation."""
        if "text/html" in request.headers.get("accept", ""):
            return RedirectResponse("/docs/api")
        return JSONResponse(cartesia.status_view())

    return app
