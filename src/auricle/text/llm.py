"""Language models: one client for llama.cpp in this process and for servers elsewhere.

Both speak OpenAI's chat API; llama.cpp does so on a Unix socket that only this user can open.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from auricle.core.errors import Unavailable

Tick = Callable[[], None]
"""Called with each token; may raise to stop."""

WAIT_S = 600.0
"""Seconds that a server may take until its first token: a long prompt on a slow processor."""

ONCE = httpx.Limits(max_keepalive_connections=0)
"""A connection for each request. Servers close idle ones after seconds, at times while the next
request is on its way, and that request may not be sent again unasked."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A request to a language model."""

    system: str
    user: str
    max_tokens: int
    schema: Mapping[str, Any] | None = None
    """JSON schema that the answer follows; None for prose."""
    history: tuple[tuple[str, str], ...] = ()
    """Questions and answers before."""
    temperature: float = 0.0


class LLM(Protocol):
    """A language model."""

    model: str
    """What really answers."""
    chunk: int
    """Tokens of text that it reads at a time."""
    most: int | None
    """Tokens of text that it can read for one answer in bearable time; None: any number."""
    slots: int
    """Requests that it serves at a time."""

    def complete(self, prompt: Prompt, tick: Tick) -> str:
        """The model's answer."""


def is_small(llm: LLM) -> bool:
    """Whether a model runs on this machine's processors: so small that it is not believed."""
    return llm.most is not None


class ChatServer:
    """A server that speaks OpenAI's chat API: llama.cpp's, vLLM, Ollama and others."""

    def __init__(
        self,
        client: httpx.Client,
        model: str,
        *,
        chunk: int,
        most: int | None,
        slots: int,
    ) -> None:
        self.model, self.chunk, self.most, self.slots = model, chunk, most, slots
        self._client = client
        self.last_timings: dict[str, Any] = {}
        """What llama.cpp says of the speed of its last answer; empty for other servers."""

    def complete(self, prompt: Prompt, tick: Tick) -> str:
        """The model's answer. Raises :class:`Unavailable` when the server does not give one."""
        try:
            with self._client.stream("POST", "chat/completions", json=self._body(prompt)) as answer:
                if answer.is_error:
                    raise Unavailable(_refusal(answer.status_code, answer.read()))
                return "".join(self._deltas(answer, tick)).strip()
        except httpx.HTTPError as error:
            raise Unavailable(
                f"The language model does not answer: {error}. Try again later.", retry_after=10
            ) from error

    def _body(self, prompt: Prompt) -> dict[str, Any]:
        before = [
            {"role": role, "content": said}
            for pair in prompt.history
            for role, said in zip(("user", "assistant"), pair, strict=True)
        ]
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [
                {"role": "system", "content": prompt.system},
                *before,
                {"role": "user", "content": prompt.user},
            ],
            "max_tokens": prompt.max_tokens,
            "temperature": prompt.temperature,
            "frequency_penalty": 0.3,  # small models repeat themselves
            "stream": True,
        }
        if prompt.schema is not None:
            named = {"name": "answer", "schema": prompt.schema, "strict": True}
            body["response_format"] = {"type": "json_schema", "json_schema": named}
        return body

    def _deltas(self, answer: httpx.Response, tick: Tick) -> Iterator[str]:
        for line in answer.iter_lines():
            tick()
            data = line.removeprefix("data:").strip()
            if data == line.strip() or data == "[DONE]":
                continue
            found = json.loads(data)
            if "error" in found:
                raise Unavailable(_refusal(200, data.encode()))
            self.last_timings = found.get("timings") or self.last_timings
            for choice in found.get("choices", ()):
                yield choice["delta"].get("content") or ""


def _refusal(status: int, body: bytes) -> str:
    try:
        said = json.loads(body)["error"]
        reason = said["message"] if isinstance(said, dict) else str(said)
    except (ValueError, KeyError, TypeError):
        reason = f"status {status}"
    return f"The language model gave no answer: {reason[:300]}"


def remote(url: str, model: str, key: str | None) -> ChatServer:
    """The server that the operator has named."""
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    client = httpx.Client(
        base_url=url.rstrip("/") + "/",
        headers=headers,
        limits=ONCE,
        timeout=httpx.Timeout(WAIT_S, connect=10),
    )
    return ChatServer(client, model, chunk=6000, most=None, slots=8)
