"""Does the application that the page shows serve, and is everything there after a restart?"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import pytest

from tests.callers.props import in_asyncio
from tests.documentation import pages

PAGE = "docs/how_to/use_from_asyncio.md"


@pytest.fixture
def shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """The page's first block, which is the application, in an empty folder."""
    monkeypatch.chdir(tmp_path)
    made = ModuleType("shown_application")
    sys.modules[made.__name__] = made
    pages.run(pages.examples(pages.read(PAGE))[0], PAGE, made)
    yield made
    del sys.modules[made.__name__]


class Served:
    """An application while it serves, by its own protocol and without a server."""

    def __init__(self, app: Any) -> None:
        self._app = app
        self._to_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._from_app: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __aenter__(self) -> Self:
        scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": {}}
        self._life = asyncio.create_task(self._app(scope, self._to_app.get, self._from_app.put))
        await self._live("startup")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._live("shutdown")
        await self._life

    async def _live(self, moment: str) -> None:
        await self._to_app.put({"type": f"lifespan.{moment}"})
        assert await self._from_app.get() == {"type": f"lifespan.{moment}.complete"}

    async def __call__(self, method: str, target: str, **headers: str) -> tuple[int, Any]:
        path, _, query = target.partition("?")
        named = [(name.replace("_", "-").encode(), text.encode()) for name, text in headers.items()]
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "query_string": query.encode(),
            "headers": named,
        }
        answers: list[dict[str, Any]] = []

        async def receive() -> dict[str, Any]:
            return {"type": "http.request", "body": b""}

        async def send(answer: dict[str, Any]) -> None:
            answers.append(answer)

        await self._app(scope, receive, send)
        body = b"".join(answer.get("body", b"") for answer in answers)
        return answers[0]["status"], json.loads(body)


def test_the_application_of_the_page_serves(shown: ModuleType) -> None:
    """Requests at once, one that is repeated, a refusal, a cart that is not there; and after a restart."""

    async def main() -> None:
        async with Served(shown.app) as ask:
            added = [
                ask("PUT", f"/carts/a/items/sku-{n}?quantity=1", idempotency_key=f"{n}") for n in range(100)
            ]
            assert {status for status, _ in await asyncio.gather(*added)} == {200}
            assert (await ask("PUT", "/carts/a/items/sku-0?quantity=1", idempotency_key="0"))[0] == 200
            assert await ask("DELETE", "/carts/a/items/sku-0") == (200, 1)
            assert await ask("DELETE", "/carts/a/items/sku-0") == (
                409,
                {"detail": "there is no sku-0 in this cart"},
            )
            assert (await ask("GET", "/carts/b"))[0] == 404
        async with Served(shown.app) as ask:
            assert await ask("GET", "/carts/a") == (200, {f"sku-{n}": 1 for n in range(1, 100)})

    in_asyncio(main)
