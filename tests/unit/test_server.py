import asyncio

from starlette.types import ASGIApp, Receive, Scope, Send

from auricle.server import Prefixes


def named(name: str, seen: list[str]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        seen.append(name)

    return app


def test_the_longest_prefix_of_whole_segments_wins() -> None:
    seen: list[str] = []
    table = {path: (path, named(path, seen)) for path in ("", "/", "/v1", "/v1/embed", "/docs/api")}
    app = Prefixes(table)

    async def ask(path: str) -> None:
        await app({"type": "http", "path": path}, None, None)  # type: ignore[arg-type]

    for path in (
        "/v1/embed",
        "/v1/embeddings",
        "/v1/embed/x",
        "/v1",
        "/",
        "/docs",
        "/x/",
        "/docs/api/ui",
    ):
        asyncio.run(ask(path))
    assert seen == ["/v1/embed", "/v1", "/v1/embed", "/v1", "/", "", "", "/docs/api"]
