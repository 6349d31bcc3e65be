"""What is done to a journal now and then: looking whether it is sound, and copying it.

Knows journals that are closed, and copies; a check reads, and changes nothing.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import lmdb

from persistence import _data_file as data_file
from persistence import _directory as directory
from persistence import _log_files as log_files
from persistence._store import Store
from persistence.journal import JournalError

__all__ = ["copied", "findings"]

FINDINGS_MAX = 200


def findings(path: Path) -> list[str]:
    """Walk a closed journal, page by page and frame by frame; gives what is wrong with it."""
    if not directory.look(path):
        return [f"{path}: there is no journal"]
    file = path / directory.DATA
    lock = directory.take_lock(path)
    try:
        directory.check_data_file(file)
        # Offline and with plain reads: what LMDB would make of damage is sometimes a signal, not an error.
        return directory.unsound(file) or _wrong_in_the_log(path, file)
    except JournalError as error:
        return [str(error)]
    finally:
        os.close(lock)


def _wrong_in_the_log(path: Path, file: Path) -> list[str]:
    env = lmdb.open(
        str(file), subdir=False, readonly=True, lock=False, lib_version=0, max_dbs=data_file.TABLES_MAX + 2
    )
    wrong: list[str] = []
    try:
        data_file.check_format(env, path)
        log = env.open_db(data_file.LOG, create=False)
        meta = env.open_db(data_file.META, create=False)
        with env.begin() as txn, txn.cursor(log) as cursor:
            keys = list(cursor.iternext(values=False))
            wrong += [
                f"a key of the log has {len(key)} bytes: {key.hex()}"
                for key in keys
                if len(key) != data_file.KEY_BYTES
            ]
            held = {int.from_bytes(key, "big") for key in keys if len(key) == data_file.KEY_BYTES}
            first, last = data_file.expected(txn, log, meta)
            for position, frame in log_files.found(path, first):
                held.add(position)
                if txn.get(data_file.key_of(position), frame, log) != frame:
                    wrong.append(f"there are two frames at position {position}, and they differ")
            expected = first
            for position in sorted(held):
                if position < first:
                    wrong.append(f"frame {position} is there, and was forgotten")
                    continue
                if position != expected:
                    wrong.append(f"frames {expected} to {position - 1} are missing")
                expected = position + 1
                if len(wrong) >= FINDINGS_MAX:
                    break
            if expected <= last and not wrong:
                wrong.append(f"frames {expected} to {last} are missing at the end")
    finally:
        env.close()
    return wrong


def copied(store: Store, to: Path) -> None:
    """Make a journal in this directory, of what is committed now."""
    if to.exists():
        raise FileExistsError(
            f"{to} is there already\nhint: a backup makes its own directory; name one that is not there"
        )
    work = to.with_name(f"{to.name}.new")
    if work.exists():  # left by a backup that did not come to its end
        shutil.rmtree(work)
    work.mkdir(mode=0o700)
    try:
        file = work / directory.DATA
        store.copy(file)
        file.chmod(0o600)
        number = os.open(file, os.O_RDONLY)
        try:
            os.fsync(number)
        finally:
            os.close(number)
        directory.sync_directory(work)
        work.rename(to)
    except BaseException as error:
        shutil.rmtree(work, ignore_errors=True)
        if isinstance(error, lmdb.Error | OSError):
            raise JournalError(
                f"{to} could not be made: {type(error).__name__}: {error}\n"
                "hint: is the disk full, or failing? are there descriptors left? the journal is as it was"
            ) from error
        raise
    try:
        directory.sync_directory(to.parent)
    except OSError as error:
        said = f"{type(error).__name__}: {error}"
        raise JournalError(
            f"{to} is there and whole, but may not be after a loss of power: {said}\n"
            "hint: is the disk failing? make another somewhere else; the journal is as it was"
        ) from error
