"""In which modules mistakes are made, and which tests are to notice them."""

from __future__ import annotations

from typing import Final

__all__ = ["SLOW", "TARGETS"]

CORE: Final = ("tests/core",)
SLOW: Final = (
    "tests/core/test_random_programs.py",
    "tests/runtime/test_histories.py",
    "tests/runtime/test_damage.py",
)
"""Which of them take longer than all others together: asked only if somebody wants to be thorough."""
TARGETS: Final[dict[str, tuple[str, ...]]] = {
    "actorflow._core.step": CORE,
    "actorflow._core.replay": CORE,
    "actorflow._core.course": CORE,
    "actorflow._core.turn": CORE,
    "actorflow._core.closing": CORE,
    "actorflow._core.once": CORE,
    "actorflow._runtime.wakes": (
        "tests/runtime/test_wakes_alone.py",
        "tests/runtime/test_wakes.py",
        "tests/runtime/test_histories.py",
    ),
    "actorflow._runtime.rows": (
        "tests/runtime/test_rows.py",
        "tests/runtime/test_damage.py",
        "tests/runtime/test_histories.py",
    ),
    "actorflow._codec.records": ("tests/codec", "tests/core/test_golden.py"),
}
