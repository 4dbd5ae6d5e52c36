"""llama.cpp in this process: one resident model, whose slots all requests share."""

from __future__ import annotations

from pathlib import Path

import httpx
import xllamacpp

from auricle.core.errors import Unavailable
from auricle.text.llm import ONCE, WAIT_S, ChatServer

SLOTS = 4
"""Requests that are answered at a time; their tokens are computed together."""

CONTEXT = 16_384
"""Tokens that all slots hold together."""

CHUNK = 2_000
MOST = 4_500
"""Tokens that two cores read in about a minute, with a model of half a billion weights."""


class Llama(ChatServer):
    """A model that is loaded; dropping it unloads it."""

    def __init__(self, model: str, file: Path, socket: Path, threads: int) -> None:
        socket.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        socket.unlink(missing_ok=True)
        self._server = _start(model, file, socket, threads)
        socket.chmod(0o600)
        client = httpx.Client(
            base_url="http://llama/v1/",
            transport=httpx.HTTPTransport(uds=str(socket), limits=ONCE),
            timeout=httpx.Timeout(WAIT_S, connect=10),
        )
        super().__init__(client, model, chunk=CHUNK, most=MOST, slots=SLOTS)


def _start(model: str, file: Path, socket: Path, threads: int) -> xllamacpp.Server:
    params = xllamacpp.CommonParams()
    params.model.path = str(file)
    params.hostnames = [str(socket)]
    params.n_ctx = CONTEXT
    params.n_parallel = SLOTS
    params.kv_unified = True  # a slot may use what the others do not
    params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
    params.n_gpu_layers = -1  # all, where this build knows a GPU
    params.verbosity = 0
    try:
        return xllamacpp.Server(params)
    except RuntimeError as error:
        raise Unavailable(
            f"The language model {model} cannot be loaded: {error}. Try 'auricle models verify'."
        ) from error
