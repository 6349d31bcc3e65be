"""Does the command say what a person and a pipeline need: text, data, exit codes, and whose mistake it is?"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from actorflow._cli.main import main
from tests.verify.shop import ADD, FIRST, PAYS, Shop, changed


def _image(path: Path) -> dict[str, tuple[bytes, int]]:
    return {entry.name: (entry.read_bytes(), entry.stat().st_mtime_ns) for entry in path.iterdir()}


# ---- what is found -----------------------------------------------------------------------------------


def test_the_code_that_made_a_journal_fits_it(shop: Shop) -> None:
    """Every actor is replayed and nothing is found; of the journals no byte and no time has changed."""
    shop.make()
    before = _image(shop.backup), _image(shop.closed)
    done = shop.verify()
    assert (done.code, done.out) == (
        0,
        "6 actors, all verified, 18 messages replayed\nnothing would go wrong\n",
    )
    assert shop.verify(str(shop.closed)).code == 0
    assert _image(shop.backup) == before[0]
    after = _image(shop.closed)
    touched = {name for name in after if after[name] != before[1].get(name)}
    assert touched <= {"journal.mdb-lock"}, "that is LMDB's, and made anew by whoever opens it"


def test_limits_of_the_runtime(shop: Shop) -> None:
    """Limits that the application gives its runtime are named, and count."""
    shop.make()
    shop.write(changed(("@activity", "SMALL = Limits(run_records=2)\n\n\n@activity")))
    assert shop.verify().code == 0
    done = shop.verify(str(shop.backup), "--limits", "shop:SMALL")
    assert done.code == 1
    assert "run_records=2" in done.out


def test_an_entity_that_nobody_names(shop: Shop) -> None:
    """Actors of an entity that was left out are a warning, or an error if that is what one wants."""
    shop.make()
    done = shop.verify(entities="shop:Cart")
    assert done.code == 0
    assert done.out.startswith("3 actors, all verified")
    assert "warning: 3 actors of Order, which was not named, would sleep" in done.out
    assert shop.verify(str(shop.backup), "--unregistered", "error", entities="shop:Cart").code == 1
    assert shop.verify(str(shop.backup), "--unregistered", "error", entities="shop:Cart,shop:Order").code == 0


def test_programs_read_it_too(shop: Shop) -> None:
    """With --json the report is data, and whatever the application prints is not in it."""
    shop.make()
    shop.write(changed((PAYS, "        await sleep(timedelta(days=1))\n")) + "\nprint('imported')\n")
    told = json.loads(shop.verify(str(shop.backup), "--json").out)
    assert (told["ok"], told["actors"], told["verified"]) == (False, 6, 6)
    (cause,) = told["causes"]
    assert (cause["count"], [one["key"] for one in cause["findings"]]) == (
        3,
        ["order-000", "order-001", "order-002"],
    )
    assert cause["findings"][0]["recorded"].startswith("Schedule(")


# ---- what is known -----------------------------------------------------------------------------------

OTHER_PAY = PAYS, "        await sleep(timedelta(days=1))\n"


def _known(shop: Shop, *more: str) -> dict[str, Any]:
    """The report as a file, of which something may be known."""
    told: dict[str, Any] = json.loads(shop.verify(str(shop.backup), "--json", *more).out)
    (shop.folder / "known.json").write_text(json.dumps(told), "utf-8")
    return told


def test_what_is_known_is_counted_and_shown_and_no_failure(shop: Shop) -> None:
    """With a report as exceptions the same journal passes, and every cause is still told."""
    shop.make()
    shop.write(changed(OTHER_PAY, (ADD, "")))
    told = _known(shop)
    assert len(told["causes"]) == 2
    done = shop.verify(str(shop.backup), "--except", "known.json")
    assert done.code == 0
    assert "known: 3 actors of Order: it would be set aside" in done.out
    assert "known: 3 actors of Cart: it would be set aside" in done.out
    assert done.out.endswith("nothing else would go wrong; 6 findings, 2 causes known\n")
    told = _known(shop, "--except", "known.json")
    assert (told["ok"], told["causes"], len(told["excepted"])) == (True, [], 2)
    assert shop.verify(str(shop.backup), "--except", "known.json").code == 0, "such a report serves as well"


def test_what_is_not_known_fails(shop: Shop) -> None:
    """The control: of two causes one is excepted, and the other still ends the command with 1."""
    shop.make()
    shop.write(changed(OTHER_PAY))
    _known(shop)
    shop.write(changed(OTHER_PAY, (ADD, "")))
    done = shop.verify(str(shop.backup), "--except", "known.json")
    assert done.code == 1
    assert "known: 3 actors of Order" in done.out
    assert "1. 3 actors of Cart" in done.out
    assert done.out.endswith("3 findings, 1 cause; 3 findings, 1 cause known\n")


def test_the_same_handler_failing_otherwise_is_not_known(shop: Shop) -> None:
    """What is known is that it asks for one thing; that it asks for another is news."""
    shop.make()
    shop.write(changed(OTHER_PAY))
    _known(shop)
    shop.write(
        changed(
            (PAYS, "        await gather()\n"),
            ("import trio\n", "import trio\nfrom actorflow import gather\n"),
        )
    )
    assert shop.verify(str(shop.backup), "--except", "known.json").code == 1


def test_what_is_known_and_gone_is_told(shop: Shop) -> None:
    """An exception that nothing needs any more is named, where everybody was looked at."""
    shop.make()
    shop.write(changed(OTHER_PAY))
    _known(shop)
    shop.write(FIRST)
    done = shop.verify(str(shop.backup), "--except", "known.json")
    assert done.code == 0
    assert "warning: excepted, and not found any more: Order: " in done.out
    assert done.out.endswith("nothing would go wrong\n")
    few = shop.verify(str(shop.backup), "--except", "known.json", "--actor", "Cart/cart-000")
    assert "warning" not in few.out, "the others may have it"


# ---- which actors ------------------------------------------------------------------------------------


def test_a_sample_can_be_repeated(shop: Shop) -> None:
    """A sample prints its seed; with that seed the same actors are taken."""
    shop.make(carts=40, orders=0)
    shop.write(changed((ADD, "")))
    first = shop.verify(str(shop.backup), "--sample", "5")
    assert "40 actors, 5 verified" in first.out
    again = first.out.splitlines()[-1].partition(": ")[2].split()
    assert shop.verify(str(shop.backup), *again).out == first.out


def test_one_actor(shop: Shop) -> None:
    """Who looks for the reason of one finding verifies one actor."""
    shop.make()
    shop.write(changed((PAYS, "        await sleep(timedelta(days=1))\n")))
    done = shop.verify(str(shop.backup), "--actor", "Order/order-001", "--actor", "Cart/cart-000")
    assert done.code == 1
    assert done.out.startswith("6 actors, 2 verified")
    assert "Order 'order-001', message 2" in done.out


# ---- mistakes ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("argv", "entities", "said"),
    [
        (["nowhere"], "shop", "there is no journal"),
        (["."], "shop", "is no journal: it holds"),
        ([], "shop.nothing", "there is no module shop.nothing"),
        ([], "empty", "the module empty has no entities"),
        ([], "broken", "broken cannot be imported: ZeroDivisionError"),
        ([], "shop:Nobody", "the module shop has no Nobody"),
        ([], "shop:charge", "shop:charge is no entity"),
        ([], "shop,again", "two classes are the entity 'Cart'"),
        (["--limits", "shop:Cart"], "shop", "shop:Cart is no Limits"),
        (["--under", "moon"], "shop", "'moon' is nothing to verify under; there are: hash-seed"),
        (["--actor", "cart-000"], "shop", "'cart-000' names no actor"),
        (["--actor", "Bill/b"], "shop", "there is no entity 'Bill'"),
        (["--actor", "Cart/nobody"], "shop", "there is no such actor"),
        (["--actor", "Cart/cart-000", "--sample", "3"], "shop", "exclude each other"),
        (["--jobs", "0"], "shop", "1 is the least"),
        (["--timeout", "0"], "shop", "0 is no time to wait"),
        (["--except", "nowhere.json"], "shop", "--except nowhere.json: No such file"),
        (["--except", "empty.py"], "shop", "--except empty.py is no JSON"),
        (["--except", "list.json"], "shop", "--except list.json is no report of --json"),
        (["--except", "other.json"], "shop", "--except other.json is no report of --json"),
    ],
)
def test_a_mistake_is_told_from_a_finding(
    shop: Shop,
    argv: list[str],
    entities: str,
    said: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """What cannot be found out ends with 2 and says why; no traceback, and nothing is made."""
    shop.make(carts=1, orders=1)
    shop.write("", "empty")
    shop.write("1 / 0", "broken")
    shop.write(FIRST, "again")
    (shop.folder / "list.json").write_text("[]")
    (shop.folder / "other.json").write_text('{"causes": [{"findings": [{"entity": "Cart"}]}]}')
    names = {entry.name for entry in shop.folder.iterdir()}
    store = [] if argv and not argv[0].startswith("-") else [str(shop.backup)]
    monkeypatch.chdir(shop.folder)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    code: object
    try:
        code = main(["verify", *store, *argv, "--entities", entities])
    except SystemExit as ended:  # as argparse ends it
        code = ended.code
    finally:
        for name in ("shop", "empty", "broken", "again"):
            sys.modules.pop(name, None)
    assert code == 2
    told = capsys.readouterr()
    assert (told.out, said in told.err) == ("", True), told.err
    assert {entry.name for entry in shop.folder.iterdir()} == names


def test_what_there_is_to_type(shop: Shop) -> None:
    """The command says what it takes, and which release it is."""
    assert "verify" in shop.run("-m", "actorflow", "--help").out
    assert "--entities" in shop.run("-m", "actorflow", "verify", "--help").out
    assert shop.run("-m", "actorflow", "--version").out.startswith("actorflow 0.")
    assert shop.run("-m", "actorflow", check=False).code == 2
