"""How long does a wait of thirty days take on a virtual clock, and what does each thing cost that is due?

The same entity under the same calls: a wait with one timer in it, waits with many, an activity that is
retried over hours, and opening and closing the whole. Milliseconds, the best of some rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from datetime import timedelta

import trio

from actorflow import RetryPolicy, activity, entity, signal, timer, update
from actorflow.testing import BlockingVirtualRuntime, virtual_runtime

DAYS = timedelta(days=30)


@activity(retry=RetryPolicy(initial_interval=timedelta(hours=1), maximum_interval=timedelta(hours=8)))
async def ask() -> int:
    """Fail four times."""
    await trio.sleep(20)
    if activity.current().number < 5:
        raise ConnectionError
    return activity.current().number


@entity
class Bell:
    """Rings, each time a while after the last."""

    rung: int = 0

    @signal
    def wind_up(self, every: timedelta) -> None:
        self.ring(every).arm(after=every)

    @timer
    def ring(self, every: timedelta) -> None:
        self.rung += 1
        self.ring(every).arm(after=every)

    @update
    async def asked(self) -> int:
        return await ask()


def _best(work: Callable[[BlockingVirtualRuntime], object], rounds: int) -> float:
    """Milliseconds that this takes in a runtime that is open."""
    best = float("inf")
    for _ in range(rounds):
        with virtual_runtime(entities=[Bell]) as runtime:
            runtime.actor(Bell, "bell").signal(Bell.wind_up, timedelta(days=300_000))
            began = time.perf_counter()
            work(runtime)
            best = min(best, time.perf_counter() - began)
    return best * 1e3


def _ringing(every: timedelta) -> Callable[[BlockingVirtualRuntime], object]:
    def work(runtime: BlockingVirtualRuntime) -> None:
        runtime.actor(Bell, "bell").signal(Bell.wind_up, every)
        runtime.sleep(DAYS)

    return work


def main(argv: Sequence[str] | None = None) -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", choices=["small", "full"], default="full")
    full = parser.parse_args(argv).size == "full"
    rounds = 20 if full else 2
    began = time.perf_counter()
    for _ in range(rounds):
        with virtual_runtime(entities=[Bell]):
            pass
    print(f"{'opening and closing':<44}{(time.perf_counter() - began) / rounds * 1e3:>10.2f} ms")
    print(f"{'thirty days, nothing due':<44}{_best(lambda runtime: runtime.sleep(DAYS), rounds):>10.2f} ms")
    for times in (1, 30, 720) if full else (1, 30):
        took = _best(_ringing(DAYS / times), max(2, rounds // 4))
        print(f"{f'thirty days, {times} timers':<44}{took:>10.2f} ms{took / times:>10.2f} for each")
    retried = _best(lambda runtime: runtime.actor(Bell, "bell").update(Bell.asked), rounds)
    print(f"{'an activity, five attempts over hours':<44}{retried:>10.2f} ms")


if __name__ == "__main__":
    main()
