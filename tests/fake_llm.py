"""A language model's server for tests: OpenAI's chat API, answers made from what it was sent."""

from __future__ import annotations

import json
import re
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class FakeLLM:
    """What it was asked, and where it is."""

    url: str = ""
    asked: list[dict[str, Any]] = field(default_factory=list)
    hung_up: int = 0
    """Answers that nobody has heard to their end."""
    pause_s: float = 0.0
    """Between two words of an answer."""


@contextmanager
def fake_llm() -> Iterator[FakeLLM]:
    """Serve on a free port."""
    fake = FakeLLM()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            fake.asked.append(body)
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream")
            self.end_headers()
            try:
                for word in re.findall(r"\S*\s*", answer(body)):
                    self.wfile.write(_event(word))
                    self.wfile.flush()
                    time.sleep(fake.pause_s)
                self.wfile.write(b"data: [DONE]\n\n")
            except OSError:
                fake.hung_up += 1

        def log_message(self, *_: object) -> None:
            return

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    fake.url = f"http://127.0.0.1:{server.server_port}/v1"
    yield fake
    server.shutdown()


def answer(body: dict[str, Any]) -> str:
    """The first sentence of the transcript; or, made of its words, what fits the schema."""
    user = body["messages"][-1]["content"]
    transcript = re.search(r"<transcript>\n(.*?)\n</transcript>", user, re.DOTALL)
    said = transcript[1] if transcript else user
    first = re.split(r"(?<=[.!?])\s", said.strip())[0]
    if form := body.get("response_format"):
        return json.dumps(_instance(form["json_schema"]["schema"], first))
    return first


def _instance(schema: dict[str, Any], text: str) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema["type"]:
        case "object":
            return {name: _instance(each, text) for name, each in schema["properties"].items()}
        case "array":
            return [_instance(schema["items"], text)] * max(1, schema.get("minItems", 1))
        case "integer":
            return schema.get("minimum", 1)
    return text[: schema.get("maxLength", 200)]


def _event(text: str) -> bytes:
    return f"data: {json.dumps({'choices': [{'delta': {'content': text}}]})}\n\n".encode()
