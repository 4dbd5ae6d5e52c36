"""What becomes of a client while it waits, over real connections."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response

from auricle.core.errors import AuricleError, TooLong
from auricle.dialects.connection import answer_in_time, is_retry, patience_of
from auricle.dialects.errors import install_error_handlers

app = FastAPI()
left = threading.Event()


@app.get("/{seconds}")
async def answer(request: Request, seconds: float, fails: bool = False) -> Response:
    """Done after some seconds, or failed."""

    async def work() -> int:
        try:
            await asyncio.sleep(seconds)
        except asyncio.CancelledError:
            left.set()
            raise
        if fails:
            raise TooLong("It is too long.")
        return 7

    async def render(number: int) -> Response:
        return JSONResponse({"number": number, "retry": is_retry(request)})

    return await answer_in_time(request, work(), render, patience_of(request))


def render_error(error: AuricleError) -> JSONResponse:
    return JSONResponse({"error": error.message}, error.status)


install_error_handlers(app, render_error)


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    yield f"http://127.0.0.1:{port}"
    server.should_exit = True
    thread.join(20)


PATIENT: dict[str, str] = {}
HASTY = {"x-stainless-read-timeout": "0.4", "x-stainless-retry-count": "1"}


def test_who_does_not_say_how_patient_they_are_gets_the_answer_alone(url: str) -> None:
    assert httpx.get(f"{url}/0.5", headers=PATIENT).content == b'{"number":7,"retry":false}'


def test_blanks_keep_an_impatient_client(url: str) -> None:
    found = httpx.get(f"{url}/1", headers=HASTY)
    assert found.content.startswith(b"  ")
    assert found.json() == {"number": 7, "retry": True}
    at_once = httpx.get(f"{url}/0", headers=HASTY)
    assert not at_once.content.startswith(b" ")


def test_a_failure_is_an_error_while_nothing_is_sent(url: str) -> None:
    found = httpx.get(f"{url}/0", params={"fails": True}, headers=HASTY)
    assert (found.status_code, found.json()) == (TooLong.status, {"error": "It is too long."})


def test_a_later_failure_is_no_answer(url: str) -> None:
    with pytest.raises(httpx.RemoteProtocolError):
        httpx.get(f"{url}/1", params={"fails": True}, headers=HASTY)


@pytest.mark.parametrize("headers", [PATIENT, HASTY])
def test_who_hangs_up_stops_the_waiting(url: str, headers: dict[str, str]) -> None:
    left.clear()
    with (
        pytest.raises(httpx.ReadTimeout),
        httpx.stream("GET", f"{url}/60", headers=headers, timeout=httpx.Timeout(5, read=0.1)),
    ):
        pass
    if headers is HASTY:  # this one hears the first blank, and leaves then
        with httpx.stream("GET", f"{url}/60", headers=headers) as stream:
            assert next(stream.iter_raw()) == b" "
    assert left.wait(20)


def test_patience_is_said_in_several_ways() -> None:
    def patience(**headers: str) -> float | None:
        pairs = [
            (name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()
        ]
        return patience_of(Request({"type": "http", "headers": pairs}))

    assert patience(x_stainless_read_timeout="60.0") == patience(x_stainless_timeout="60") == 60
    for nothing in ({}, {"x_stainless_read_timeout": "NOT_GIVEN"}, {"x_stainless_timeout": "0"}):
        assert patience(**nothing) is None
