"""Does the plugin for pytest give a test a runtime in one line, and cost a run that does not use it nothing?

Each run is one of pytest's own, in a process of its own, as somebody has it who installed actorflow.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PLUGIN = ("-p", "actorflow.testing.plugin")

SHOP = """
from datetime import timedelta

import pytest
from attrs import field

from actorflow import activity, entity, query, timer, update
from actorflow.testing import BlockingVirtualRuntime, VirtualRuntime


@activity
async def charge(cents: int) -> str:
    raise AssertionError("the real one")


@entity
class Cart:
    log: list[str] = field(factory=list)

    @update
    async def pay(self, cents: int) -> str:
        self.late().arm(after=timedelta(days=30))
        return await charge(cents)

    @timer
    def late(self) -> None:
        self.log.append("late")

    @query
    def happened(self) -> list[str]:
        return self.log


pytestmark = pytest.mark.actorflow(entities=[Cart], activities={charge: lambda cents: f"receipt {cents}"})
"""

PLAIN = """
def test_plain(actorflow_runtime: BlockingVirtualRuntime) -> None:
    cart = actorflow_runtime.actor(Cart, "cart-1")
    assert cart.update(Cart.pay, 5) == "receipt 5"
    actorflow_runtime.sleep(timedelta(days=30))
    assert cart.query(Cart.happened) == ["late"]


@pytest.mark.actorflow(activities={charge: lambda cents: "nearer"})
def test_nearer(actorflow_runtime: BlockingVirtualRuntime) -> None:
    assert actorflow_runtime.actor(Cart, "cart-1").update(Cart.pay, 5) == "nearer"


class TestInClass:
    @pytest.mark.parametrize("cents", [1, 2])
    def test_method(self, actorflow_runtime: BlockingVirtualRuntime, cents: int) -> None:
        assert actorflow_runtime.actor(Cart, "cart-1").update(Cart.pay, cents) == f"receipt {cents}"
"""

AWAITED = """
MARK

async def test_awaited(actorflow_runtime: VirtualRuntime) -> None:
    cart = actorflow_runtime.actor(Cart, "cart-1")
    assert await cart.update(Cart.pay, 5) == "receipt 5"
    await actorflow_runtime.sleep(timedelta(days=30))
    assert await cart.query(Cart.happened) == ["late"]
    await actorflow_runtime.crash()
    assert await cart.query(Cart.happened) == ["late"]
"""


def run(folder: Path, text: str, *options: str, plugin: tuple[str, ...] = PLUGIN) -> tuple[str, str]:
    """Run pytest over this text: the line that sums up, and all that was printed."""
    (folder / "test_shop.py").write_text(text, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\nfilterwarnings = error\n", "utf-8")
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "--strict-markers",
            "-p",
            "no:cacheprovider",
            *plugin,
            *options,
        ],
        cwd=folder,
        # Nothing that happens to be installed, but what the test names.
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    printed = done.stdout + done.stderr
    return (printed.strip().splitlines() or [""])[-1], printed


def test_a_plain_test_has_a_runtime(tmp_path: Path) -> None:
    """The fixture gives a blocking runtime for the marked entities, and the nearest mark counts."""
    summary, printed = run(tmp_path, SHOP + PLAIN)
    assert summary.startswith("4 passed"), printed


@pytest.mark.parametrize(
    ("mark", "options"),
    [
        ("", ["-p", "pytest_trio.plugin", "-o", "trio_mode=true"]),
        (
            "@pytest.mark.anyio\n@pytest.mark.parametrize('anyio_backend', ['asyncio', 'trio'])",
            ["-p", "anyio.pytest_plugin"],
        ),
    ],
    ids=["pytest-trio", "anyio"],
)
def test_an_async_test_has_a_runtime(tmp_path: Path, mark: str, options: list[str]) -> None:
    """The same fixture gives tasks a runtime to await, whoever runs them."""
    text = SHOP + AWAITED.replace("MARK\n", mark)
    summary, printed = run(tmp_path, text, *options)
    assert "passed" in summary, printed
    assert "failed" not in summary, printed


def test_who_names_no_entities_is_told_what_to_write(tmp_path: Path) -> None:
    """Without a mark, or with one that names entities by position, the error says what is missing."""
    text = "import pytest\n\n{}\ndef test_shop(actorflow_runtime): pass\n"
    _, printed = run(tmp_path, text.format(""))
    assert "hint: @pytest.mark.actorflow(entities=[Cart])" in printed
    _, printed = run(tmp_path, text.format("@pytest.mark.actorflow([object])"))
    assert "it takes no arguments by position" in printed


def test_the_marker_is_known(tmp_path: Path) -> None:
    """``pytest --markers`` shows it; without the plugin it is a mistake, so the tests above can fail."""
    _, printed = run(tmp_path, "", "--markers")
    assert "@pytest.mark.actorflow(entities=[...]" in printed
    _, printed = run(tmp_path, SHOP + PLAIN, plugin=())
    assert "'actorflow' not found in `markers`" in printed


def test_a_run_that_does_not_use_it_loads_nothing(tmp_path: Path) -> None:
    """Loading the plugin imports neither trio nor LMDB nor Hypothesis, nor anything else of actorflow's."""
    text = """
import sys

def test_light():
    heavy = {"trio", "lmdb", "hypothesis", "msgpack", "attrs", "persistence", "actorflow.errors"}
    assert not heavy & set(sys.modules)
    assert "actorflow.testing.plugin" in sys.modules
"""
    summary, printed = run(tmp_path, text)
    assert summary.startswith("1 passed"), printed
