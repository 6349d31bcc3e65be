"""Does every benchmark still run?  Each one, at its small size; how fast it is, is not asked here."""

from __future__ import annotations

import pytest

from benchmarks import __main__ as benchmarks


@pytest.mark.parametrize("argv", [[], *([name, "--size", "small"] for name in benchmarks.names())], ids=str)
def test_no_benchmark_rots(argv: list[str]) -> None:
    """A benchmark that the code has left behind fails here, and not on the day it is needed."""
    assert benchmarks.main(argv) == 0


def test_an_unknown_benchmark_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for a benchmark that is not there is answered with its name, not with a traceback."""
    with pytest.raises(SystemExit):
        benchmarks.main(["no-such-benchmark"])
    assert "no-such-benchmark" in capsys.readouterr().err
