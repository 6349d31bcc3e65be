"""How hard the tests search, and from which seed: both are printed first, so that any run can be repeated.

``ACTORFLOW_PROOF`` names the effort: ``default``, ``ci`` (where ``CI`` is set) or ``prove`` (``make prove``).
``--seed`` repeats a run: Hypothesis, and every test that takes the ``seed`` fixture, begin from it.
``--faults`` keeps what was tried, for the page about it; see ``tests/faults``.
"""

from __future__ import annotations

import os
import secrets
import signal

import hypothesis
import pytest

from tests.faults.counting import Counting

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell starts what it leaves in the background so, and what tests of Ctrl-C wait for would never come.
    signal.signal(signal.SIGINT, signal.default_int_handler)

hypothesis.settings.register_profile("default", deadline=None, print_blob=True, derandomize=False)
hypothesis.settings.register_profile("ci", hypothesis.settings.get_profile("default"), database=None)
hypothesis.settings.register_profile(
    "prove", hypothesis.settings.get_profile("default"), max_examples=5_000, stateful_step_count=100
)

PROOF = os.environ.get("ACTORFLOW_PROOF") or ("ci" if os.environ.get("CI") else "default")
hypothesis.settings.load_profile(PROOF)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add ``--seed`` and ``--faults``."""
    parser.addoption("--seed", type=int, default=None, help="repeat the run that printed this seed")
    parser.addoption("--faults", metavar="FILE", default=None, help="write what was tried, as JSON")


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Choose the seed, before Hypothesis asks for one and before xdist hands the options to its workers."""
    if config.option.seed is None:
        config.option.seed = secrets.randbelow(2**32)
    if config.getoption("--hypothesis-seed") is None:
        config.option.hypothesis_seed = str(config.option.seed)
    config.pluginmanager.register(Counting(config, PROOF), "faults")


def pytest_report_header(config: pytest.Config) -> str:
    """Print what it takes to repeat this run."""
    return f"proof: {PROOF}, --seed {config.option.seed}"


@pytest.fixture(scope="session")
def seed(pytestconfig: pytest.Config) -> int:
    """The number that all random choices of this run grow from."""
    chosen: int = pytestconfig.option.seed
    return chosen


@pytest.fixture(scope="session")
def effort() -> int:
    """How many times over to repeat what is random without Hypothesis: 1, or 50 in a long proof."""
    return 50 if PROOF == "prove" else 1


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say how many worlds were simulated, and how long that took."""
    passed = terminalreporter.stats.get("passed", [])
    told = [text for report in passed for name, text in report.user_properties if name == "worlds"]
    if told:
        worlds, steps, faults, seconds = map(sum, zip(*told, strict=True))
        terminalreporter.write_line(
            f"worlds: {worlds:,} seeds, {steps:,} steps, {faults:,} faults, {seconds:.0f} s of one core"
        )
