"""What does somebody get who installs actorflow?  The wheel and the source distribution, built and opened.

The build backend is called directly, without isolation, so nothing here needs a network.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def _build(kind: str, into: Path) -> Path:
    code = f"import sys; from hatchling.build import build_{kind} as build; print(build(sys.argv[1]))"
    done = subprocess.run(
        [sys.executable, "-c", code, str(into)], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return into / done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The wheel of this checkout."""
    return zipfile.ZipFile(_build("wheel", tmp_path_factory.mktemp("wheel")))


def _metadata(wheel: zipfile.ZipFile) -> Message:
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
    return Parser().parsestr(wheel.read(name).decode("utf-8"))


def test_the_wheel_holds_the_runtime_and_the_journal(wheel: zipfile.ZipFile) -> None:
    """Two packages are installed and nothing else: no tests, no examples, nothing to shadow a name."""
    tops = {name.partition("/")[0] for name in wheel.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {"actorflow", "persistence"}


def test_the_wheel_holds_every_module(wheel: zipfile.ZipFile) -> None:
    """What can be imported from the checkout can be imported from the wheel."""
    written = {
        path.relative_to(ROOT).as_posix()
        for package in ("actorflow", "persistence")
        for path in (ROOT / package).rglob("*.py")
    }
    assert written == {name for name in wheel.namelist() if name.endswith(".py")}


def test_the_wheel_is_typed(wheel: zipfile.ZipFile) -> None:
    """Type checkers read the types of what was installed."""
    assert "actorflow/py.typed" in wheel.namelist()


def test_the_wheel_brings_the_command(wheel: zipfile.ZipFile) -> None:
    """Who installs it can type ``actorflow``."""
    name = next(name for name in wheel.namelist() if name.endswith(".dist-info/entry_points.txt"))
    assert "actorflow = actorflow._cli.main:main" in wheel.read(name).decode("utf-8")


def test_the_metadata_is_what_was_promised(wheel: zipfile.ZipFile) -> None:
    """The licence, the Pythons and lower bounds alone: upper bounds would hold users back for no reason."""
    told = _metadata(wheel)
    assert told["Name"] == "actorflow"
    assert told["License-Expression"] == "MIT"
    assert told["Requires-Python"] == ">=3.11"
    needs = [need for need in told.get_all("Requires-Dist", []) if "extra ==" not in need]
    assert {need.partition(">=")[0] for need in needs} >= {"attrs", "lmdb", "msgpack", "trio"}
    assert not [need for need in needs if "<" in need or "==" in need or ">=" not in need]


def test_the_readme_is_shown_where_there_is_one(wheel: zipfile.ZipFile) -> None:
    """Who looks the project up reads its README."""
    assert (_metadata(wheel)["Description-Content-Type"] == "text/markdown") == (ROOT / "README.md").exists()


def test_the_door_is_light(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """``import actorflow`` pulls in no trio, LMDB or journal, also beside a folder named ``persistence``."""
    wheel.extractall(tmp_path)
    (tmp_path / "app/persistence").mkdir(parents=True)
    (tmp_path / "app/persistence/__init__.py").write_text(
        "raise ImportError('the wrong persistence')\n", "utf-8"
    )
    code = (
        "import sys; sys.path[:0] = ['app', '.']; import actorflow; "
        "print(sorted({'trio', 'lmdb', 'persistence', 'entities'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.stdout == "[]\n", done.stderr


def test_pytest_finds_the_plugin(wheel: zipfile.ZipFile, tmp_path: Path) -> None:
    """Who has installed the wheel has the fixture: pytest finds it, and a test waits thirty days."""
    wheel.extractall(tmp_path / "site")
    (tmp_path / "test_cart.py").write_text(
        """
from datetime import timedelta
import pytest
from actorflow import entity, update, sleep

@entity
class Cart:
    @update
    async def wait(self) -> int:
        await sleep(timedelta(days=30))
        return 30

@pytest.mark.actorflow(entities=[Cart])
def test_cart(actorflow_runtime):
    assert actorflow_runtime.actor(Cart, "cart-1").update(Cart.wait) == 30
""",
        "utf-8",
    )
    # What else is installed stays out: a second actorflow among it would name the same plugin.
    code = (
        "import sys, importlib.metadata as m; all_ = m.distributions; "
        "m.distributions = lambda: [one for one in all_() if str(one.locate_file('')).endswith('site')]; "
        "import pytest; sys.exit(pytest.main(['-q', '--strict-markers', '-p', 'no:cacheprovider']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 passed" in done.stdout


def test_the_source_distribution_holds_the_examples(tmp_path: Path) -> None:
    """Who takes the sources can read the example entities and run the tests."""
    with tarfile.open(_build("sdist", tmp_path)) as source:
        tops = {name.split("/")[1] for name in source.getnames()}
    assert tops >= {
        "actorflow",
        "persistence",
        "entities",
        "tests",
        "benchmarks",
        "docs",
        "Makefile",
        "LICENSE",
    }
    assert not {".venv", ".git", "build", "dist"} & tops
