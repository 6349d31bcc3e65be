"""How many signals a second, beside the least that a durable message can cost on this machine?

Carts take ``add_item`` from so many callers, each waiting for its acknowledgement, every commit synced; the
bare loop of ``_light`` does the same in the same minute.  What the carts come to is compared with what was
sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

from ._case import Case, Found, Size, at_least
from ._light import light
from ._load import alike, cents, expected, opened, sent

LIGHT = {1: 1.0, 64: 0.75, 1_024: 0.6}
"""What is asked, by callers: the share of the light."""

# callers, actors, messages
SHAPES: dict[Size, list[tuple[int, int, int]]] = {
    "tiny": [(1, 5, 20), (16, 10, 320)],
    "small": [
        (1, 100, 1_500),
        (16, 100, 8_000),
        (64, 1, 20_000),
        (64, 100, 20_000),
        (64, 10_000, 20_000),
        (256, 100, 30_000),
        (1_024, 100, 50_000),
    ],
    "full": [
        (callers, actors, messages)
        for callers, messages in ((1, 3_000), (16, 20_000), (64, 50_000), (256, 100_000), (1_024, 150_000))
        for actors in (1, 100, 10_000, 100_000)
    ],
}


async def signals(path: Path, callers: int, actors: int, messages: int) -> Found:
    """Messages a second."""
    async with opened(path, actors) as (runtime, carts):
        before = runtime.statistics().commits
        took = await sent(carts, callers, messages)
        commits = runtime.statistics().commits - before
        total = await cents(carts)
    assert total == expected(actors, callers, messages), f"{total} cents"
    return Found(messages / took, total, {"messages a commit": messages / commits})


def cases(size: Size) -> Iterator[Case]:
    """Callers and actors."""
    for callers, actors, messages in SHAPES[size]:
        load = alike(callers, actors, messages)
        yield Case(
            where={"callers": callers, "actors": actors},
            unit="/s",
            ours=partial(signals, **load),
            light=partial(light, **load),
            asked=at_least(LIGHT[callers]) if callers in LIGHT and actors <= 10_000 else None,
        )
