"""Are peers driven to their end?  They answer, fail, hang, are interrupted, and nothing of them is left."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from benchmarks import __main__ as benchmarks
from benchmarks.peers import __main__ as peers
from benchmarks.peers import _peer, _work
from benchmarks.peers._peer import NotInstalled, Peer, Report, drive, install
from tests.peers.fake import QUESTIONS

FAKE = Peer("fake", "tests.peers.fake")
LONG = 60.0


def driven(monkeypatch: pytest.MonkeyPatch, mistake: str = "", patience: float = LONG) -> Report:
    """What comes of a fake with this mistake."""
    monkeypatch.setenv("FAKE", mistake)
    return drive(FAKE, sys.executable, "small", patience)


@pytest.fixture
def pipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """One end of a pipe, whose other end is held by what a fake has started, for as long as that lives."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    monkeypatch.setenv("FAKE_PIPE", str(path))
    end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    yield end
    os.close(end)


def ended(pipe: int, within: float = LONG) -> bool:
    """Has nobody the other end any more?"""
    readable, _, _ = select.select([pipe], [], [], within)
    return bool(readable) and os.read(pipe, 1) == b""


# ---- what it says ------------------------------------------------------------------------------------


def test_lines_are_understood() -> None:
    """What a peer says is kept, what its libraries print is not, and a question that comes next is told."""
    report = Report("fake")
    answer = {"callers": 1, "rate": 2.0, "applied_rate": 1.0, "median_ms": 3.0, "p99_ms": 4.0, "count": 5}
    lines = [
        "chatter",
        "17",
        "{",
        json.dumps({"something": "else"}),
        json.dumps({"system": "fake", "version": "1", "durability": "none"}),
        json.dumps({"question": "signals, 1", "sync_ms": 1.0, "checked": True, "result": "abc", **answer}),
        json.dumps({"cannot": "steps, 1", "reason": "no steps"}),
    ]
    assert [report.hear(line) for line in lines] == [None] * len(lines)
    assert report.hear(json.dumps({"asks": "tasks, 1"})) == "tasks, 1"
    assert (report.version, report.durability) == ("1", "none")
    assert report.answers["signals, 1"].rate == 2.0
    assert report.cannot == {"steps, 1": "no steps"}
    assert not report.ended
    report.hear(json.dumps({"end": True}))
    assert report.ended


def test_a_peer_is_asked_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer that works answers every question, rightly."""
    report = driven(monkeypatch)
    assert not report.trouble
    assert list(report.answers) == [question.name for question in QUESTIONS]
    assert all(answer.checked for answer in report.answers.values())


def test_what_a_peer_cannot_do_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    """A peer without steps is asked the rest, and says so."""
    report = driven(monkeypatch, "has no steps")
    assert report.cannot == {"steps, 2": "no steps", "tasks, 1": "no steps"}
    assert not report.trouble


def test_a_peer_that_fails_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    """The last words of a peer that died are its report."""
    report = driven(monkeypatch, "dies")
    assert report.trouble == "failed, asked to begin: boom"


# ---- how it ends -------------------------------------------------------------------------------------


@pytest.mark.parametrize("mistake", ["hangs", "hangs on"])
def test_a_peer_that_hangs_is_ended(mistake: str, monkeypatch: pytest.MonkeyPatch, pipe: int) -> None:
    """Patience is bounded; then the peer is ended with what it started, even if it will not hear of it."""
    monkeypatch.setattr(_peer, "ENDED_WITHIN_SECONDS", 1.0)
    report = driven(monkeypatch, mistake, patience=5.0)
    assert report.trouble == "over 5 s without an answer: signals, 1"
    assert ended(pipe)


def test_an_interrupt_leaves_nothing_behind(monkeypatch: pytest.MonkeyPatch, pipe: int) -> None:
    """Ctrl-C while a peer is asked ends the peer, and what it started."""
    monkeypatch.setenv("FAKE", "hangs")
    alive: list[bool] = []

    def interrupt(question: str) -> None:
        alive.append(not ended(pipe, 0))
        raise KeyboardInterrupt(question)

    with pytest.raises(KeyboardInterrupt, match="signals, 1"):
        drive(FAKE, sys.executable, "small", LONG, interrupt)
    assert alive == [True]  # or the next line would show nothing
    assert ended(pipe)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_who_kills_the_driver_ends_the_peers(number: signal.Signals, pipe: int, tmp_path: Path) -> None:
    """The peers end with their driver, however that ends: by Ctrl-C, told to, or with kill -9."""
    code = (
        # What is started in the background ignores it, and hands that on.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); "
        "import benchmarks.peers.__main__ as peers; from benchmarks.peers._peer import Peer; "
        "peers.OURS = (); peers.PEERS = (Peer('fake', 'tests.peers.fake'),); "
        "raise SystemExit(peers.main(['--size', 'small']))"
    )
    driver = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=_peer.ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "FAKE": "hangs", "TMPDIR": str(tmp_path)},
    )
    with driver:
        assert driver.stderr is not None
        assert "fake: signals, 1" in driver.stderr.readline()
        assert not ended(pipe, 0)
        driver.send_signal(number)
        assert ended(pipe)
        assert ("interrupted" in driver.stderr.read()) == (number == signal.SIGINT)
    assert driver.returncode == {signal.SIGINT: 130, signal.SIGTERM: 143}.get(number, -number)


# ---- its environment ---------------------------------------------------------------------------------


def test_an_environment_is_used_again(tmp_path: Path) -> None:
    """What is installed with the versions wanted is not installed again; without a package none is needed."""
    peer = Peer("fake", "tests.peers.fake", pip=("something==1",))
    folder = tmp_path / "fake"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").touch()
    (folder / "installed").write_text(json.dumps([sys.version, peer.pip, peer.npm]), "utf-8")
    assert install(peer, tmp_path) == str(folder / "bin" / "python")
    assert install(FAKE, tmp_path) == sys.executable


def test_what_cannot_be_installed_says_why(tmp_path: Path) -> None:
    """A place where nothing can be made is named, and the reason."""
    (tmp_path / "file").touch()
    with pytest.raises(NotInstalled, match=r"file/fake cannot be made: "):
        install(Peer("fake", "tests.peers.fake", pip=("something==1",)), tmp_path / "file")
    with pytest.raises(NotInstalled, match="there is no no-such-program here"):
        _peer._run("no-such-program")
    with pytest.raises(NotInstalled, match=r"-c import sys.*: it is full"):
        _peer._run(sys.executable, "-c", "import sys; sys.exit('it is full')")


# ---- all of them -------------------------------------------------------------------------------------


def everyone(monkeypatch: pytest.MonkeyPatch, *others: Peer) -> None:
    """Fakes in the place of actorflow and of its peers."""
    monkeypatch.setattr(peers, "OURS", (Peer("actorflow", FAKE.module),))
    monkeypatch.setattr(peers, "PEERS", others)
    monkeypatch.setitem(_work.SIZES, "small", _work.Size(0.0, QUESTIONS))


def test_one_table_of_all(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A peer that cannot be installed is shown as such, and the others go on; all is kept as JSON."""
    everyone(monkeypatch, FAKE, Peer("absent", FAKE.module, pip=("something==1",)))
    (tmp_path / "file").touch()
    kept = tmp_path / "all.json"
    argv = ["--size", "small", "--json", str(kept), "--environments", str(tmp_path / "file")]
    assert peers.main(argv) == 0
    shown = capsys.readouterr()
    head, *lines = shown.out.splitlines()
    assert head.split() == ["actorflow", "fake", "absent"]
    assert lines[0].startswith("signals/s, 1 caller ")
    assert lines[0].endswith("not installed")
    assert "file/absent cannot be made" in shown.out
    assert "fake: signals, 8" in shown.err
    written = json.loads(kept.read_text("utf-8"))
    assert [system["name"] for system in written["systems"]] == ["actorflow", "fake", "absent"]
    assert written["systems"][1]["answers"][0]["question"] == "signals, 1"


def test_a_wrong_answer_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A system that lost a message is shown as wrong, and the command fails."""
    everyone(monkeypatch, FAKE)
    monkeypatch.setenv("FAKE", "loses one")
    assert peers.main(["fake", "--size", "small"]) == 1
    assert "WRONG" in capsys.readouterr().out


def test_a_peer_that_fails_is_no_success(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A system that was there and failed is shown with its last words, and the command fails."""
    everyone(monkeypatch, FAKE)
    monkeypatch.setenv("FAKE", "dies")
    assert peers.main(["--size", "small"]) == 1
    assert "boom" in capsys.readouterr().out


def test_nobody_asks_the_peers_by_accident() -> None:
    """Who runs all benchmarks, as the tests do, does not install and start the peers with them."""
    assert "signals" in benchmarks.names()
    assert "peers" not in benchmarks.names()


def test_an_unknown_peer_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    """Asking for a peer that is not there is answered with those that are."""
    with pytest.raises(SystemExit):
        peers.main(["temporal,nobody"])
    assert "'nobody'" in capsys.readouterr().err
