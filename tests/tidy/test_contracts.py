"""Do the import contracts hold what they say?  Each forbidden import is planted in a model of the house."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from tests.tidy.house import ROOT

ROOMS = [
    "_authoring",
    "_codec",
    "_cli",
    "_core",
    "_determinism",
    "_runtime",
    "errors",
    "limits",
    "testing",
]
WORLD = ["time", "random", "os", "logging"]

FORBIDDEN: dict[str, dict[str, list[str]]] = {
    "application": {"actorflow": ["entities"]},
    "door": {
        "entities": [
            "actorflow._core",
            "actorflow._runtime",
            "persistence",
            "trio",
            "lmdb",
            "msgpack",
            "asyncio",
        ],
    },
    "journal": {
        "actorflow._runtime": ["persistence", "entities", "lmdb"],
        "actorflow.testing": ["entities", "lmdb"],
        "actorflow._cli": ["entities", "lmdb"],
    },
    "bytes": {"persistence": ["actorflow", "entities", "msgpack", "trio"]},
    "rooms": {
        "actorflow._core": [
            *(f"actorflow.{room}" for room in ROOMS if room not in {"_core", "errors", "limits"}),
            *["trio", "lmdb", "msgpack", *WORLD],
        ],
        "actorflow._codec": [
            "actorflow._authoring",
            "actorflow._runtime",
            "actorflow.testing",
            "trio",
            "lmdb",
        ],
        "actorflow._authoring": ["actorflow._runtime", "actorflow.testing", "trio", "lmdb"],
        "actorflow._determinism": [
            "actorflow._codec",
            "actorflow._authoring",
            "actorflow._runtime",
            "trio",
            "lmdb",
        ],
        "actorflow._runtime": ["actorflow.testing", "actorflow._cli"],
        "actorflow.testing": ["actorflow._cli"],
        "actorflow.errors": ["actorflow._core", "actorflow._codec", "trio", "msgpack"],
        "actorflow.limits": ["actorflow._core", "actorflow._codec", "trio", "msgpack"],
    },
}

ALLOWED = {
    "entities": ["actorflow", "attrs", "datetime"],
    "persistence": ["lmdb", "threading", "os"],
    "actorflow._core": ["actorflow.errors", "threading", "attrs"],
    "actorflow._codec": ["actorflow._core", "msgpack", "logging"],
    "actorflow._authoring": ["actorflow._core", "actorflow._codec", "actorflow._determinism", "logging"],
    "actorflow._determinism": ["actorflow.errors", "os", "time"],
    "actorflow._runtime": [
        "actorflow._core",
        "actorflow._codec",
        "actorflow._authoring",
        "trio",
        "msgpack",
        "os",
    ],
    "actorflow.testing": ["actorflow._runtime", "actorflow._core", "trio", "persistence"],
    "actorflow._cli": ["actorflow.testing", "persistence", "rich"],
}


class House:
    """A model of the house in a folder of its own: every room, planned ones too, and the real contracts."""

    def __init__(self, root: Path) -> None:
        self.root = root
        (root / "pyproject.toml").write_text((ROOT / "pyproject.toml").read_text("utf-8"), "utf-8")
        for package in ["actorflow", "entities", "persistence", *(f"actorflow/{room}" for room in ROOMS)]:
            (root / package).mkdir()
            (root / package / "__init__.py").touch()

    def plant(self, importer: str, imported: str, line: str = "    import {}") -> None:
        """Let a module of this room import that one; inside a function, where an import hides best."""
        name = f"planted_{imported.replace('.', '_')}.py"
        text = f"def hidden():\n{line.format(imported)}\n"
        (self.root / importer.replace(".", "/") / name).write_text(text, "utf-8")

    def check(self, contract: str | None = None) -> tuple[int, str]:
        """The exit code and the report of the contracts, or of one."""
        # In a process of its own: the rooms of the model are named like those that this one has imported.
        code = "from importlinter.cli import lint_imports_command as run; run()"
        command = [sys.executable, "-c", code, "--no-cache", *(["--contract", contract] if contract else [])]
        done = subprocess.run(command, cwd=self.root, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def model(tmp_path: Path) -> House:
    """An empty model of the house."""
    return House(tmp_path)


def _contracts() -> set[str]:
    linter = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"]["importlinter"]
    return {contract["id"] for contract in linter["contracts"]}


def test_every_contract_is_tried() -> None:
    """A contract that is added without a planted violation is noticed."""
    assert set(FORBIDDEN) == _contracts()


@pytest.mark.parametrize("contract", FORBIDDEN)
def test_a_forbidden_import_is_reported(model: House, contract: str) -> None:
    """Each import that a contract forbids is reported by it, with importer and imported."""
    pairs = [(importer, imported) for importer, all_ in FORBIDDEN[contract].items() for imported in all_]
    for importer, imported in pairs:
        model.plant(importer, imported)

    code, report = model.check(contract)

    assert code == 1, report
    unseen = [
        f"{importer} -> {imported}"
        for importer, imported in pairs
        if f"{importer}.planted_{imported.replace('.', '_')} -> {imported} (" not in " ".join(report.split())
    ]
    assert not unseen, report


def test_allowed_imports_are_allowed(model: House) -> None:
    """The contracts leave every room what it needs."""
    for importer, all_ in ALLOWED.items():
        for imported in all_:
            model.plant(importer, imported)
    code, report = model.check()
    assert code == 0, report


def test_types_may_be_imported_from_anywhere(model: House) -> None:
    """An import for the type checker alone breaks no contract: it does not happen when the program runs."""
    line = "    from typing import TYPE_CHECKING\n    if TYPE_CHECKING:\n        import {}"
    model.plant("actorflow._runtime", "persistence", line)
    model.plant("actorflow", "persistence", line)
    code, report = model.check()
    assert code == 0, report
