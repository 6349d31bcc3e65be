"""The directory of a journal: which files lie in it, who holds it, and whether its data file can be trusted.

Knows the first pages of LMDB's files, and reads them with plain reads: a file that is shorter than it says
kills the process with SIGBUS once it is mapped.  Maps nothing, and touches nothing that is not a journal.

    LOCK               held with flock while the journal is open, and says by whom
    journal.mdb        everything; appears under this name when it is complete
    log-0, log-1 ...   frames that are not in there yet; none of them once it was closed
    journal.mdb-lock   LMDB's own table of readers
    journal.mdb.new    a journal that is being made; left behind only by a crash
    note               the last note

The lock lies in the directory and never moves, and what is made appears by the rename of a file.  Renaming
a whole new directory into place would need a second lock beside it, and whoever took that in an
application's own directory would one day wait for somebody who runs the application under flock(1).
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import struct
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from lmdb import verify as walking

from persistence._bounds import NOTE_BYTES_MAX, checked_note
from persistence.journal import Damaged, Locked, WrongFormat

__all__ = [
    "DATA",
    "LOG_FILE",
    "NEW",
    "Note",
    "check_data_file",
    "look",
    "noted",
    "sync_directory",
    "take_lock",
]

_log = logging.getLogger("persistence")

DATA = "journal.mdb"
NEW = "journal.mdb.new"
LOCK = "LOCK"
NOTE = "note"
LOG_FILE = "log-"
"""With a number behind it."""

_BEFORE_CREATION = {LOCK, NEW}
_OURS = {LOCK, NEW, NOTE, DATA, f"{DATA}-lock"}


def look(path: Path) -> bool:
    """Whether a journal is there; False where one can be made; ``WrongFormat`` where neither is so."""
    if not path.exists():
        if not path.parent.is_dir():
            raise FileNotFoundError(
                f"{path}: there is no directory {path.parent} to make the journal in\n"
                "hint: make it; the journal does not, since it may be a volume that is not mounted"
            )
        return False
    if not path.is_dir():
        raise WrongFormat(f"{path} is a file; a journal is a directory\nhint: name a directory")
    names = {entry.name for entry in path.iterdir()}
    if DATA in names:
        return True
    if names <= _BEFORE_CREATION:
        return False
    if all(name in _OURS or name.startswith(LOG_FILE) for name in names):
        raise Damaged(
            f"{path}: a journal has been here, and its {DATA} is gone; there is {_listed(names)}\n"
            "hint: bring it back from a backup; to begin with nothing, remove the directory"
        )
    raise WrongFormat(
        f"{path} is no journal: it holds {_listed(names - _OURS)}, and no {DATA}\n"
        "hint: give the journal a directory of its own"
    )


def _listed(names: set[str]) -> str:
    shown = ", ".join(sorted(names)[:5])
    return f"{shown} and {len(names) - 5} more" if len(names) > 5 else shown  # noqa: PLR2004 - a line's worth


def sync_directory(path: Path) -> None:
    """Make names that were added or renamed in a directory survive the loss of power."""
    number = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


# ---- who holds it ------------------------------------------------------------------------------------


def take_lock(path: Path) -> int:
    """Hold the directory until the descriptor given is closed, or the process ends however it may."""
    # flock and not fcntl: it belongs to the descriptor.  So it also stops a second opening in this process,
    # and no other part of the program gives it up by closing some other descriptor of the same file.
    number = os.open(path / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(number, 1_000, 0).decode("utf-8", "replace").partition("\n")[0]
            raise _locked(path, holder) from None
        began = datetime.now(UTC).isoformat(timespec="seconds")
        text = f"process {os.getpid()} on {socket.gethostname()}, since {began}\n".encode()
        os.pwrite(number, text, 0)  # over the old one: on a full disk there may be no room for another
        os.ftruncate(number, len(text))
    except BaseException:
        os.close(number)
        raise
    return number


def _locked(path: Path, holder: str) -> Locked:
    if holder.startswith(f"process {os.getpid()} on {socket.gethostname()},"):
        return Locked(
            f"{path} is open in this process already ({holder})\n"
            "hint: use the journal that is open; one journal serves every thread"
        )
    return Locked(
        f"{path} is open in another process: {holder or 'it has not said which yet'}\n"
        "hint: one process serves a journal; stop that one, or give this one a journal of its own"
    )


# ---- what is in its data file ------------------------------------------------------------------------

_MAGIC = 0xBEEFC0DE
_META = struct.Struct("=IIQQ")
"""At the start of a meta: magic, version, address, size of the map.  Then the free table and the main one."""
_TABLE_BYTES = 48
_END = struct.Struct("=QQ")
"""After both tables: the last page and the transaction."""
_PAGE_HEADER_BYTES = 16
_LATER_HEADER_BYTES = 24
"""Of LMDB 1.0, which cannot be read by 0.9, nor the other way round."""
_VERSION = 1
PAGE_BYTES_LEAST = 1 << 8


class Meta(NamedTuple):
    """What a meta page says of the file that it is in."""

    page_bytes: int
    last_page: int
    transaction: int


def check_data_file(file: Path) -> None:
    """Raise unless LMDB can open and map this file."""
    bytes_there = file.stat().st_size
    with file.open("rb") as data:
        head = data.read(1 << 16)
        first = _meta(head, file)
        data.seek(first.page_bytes)
        second = _meta(data.read(1 << 12), file)
    newest = max(first, second, key=lambda meta: meta.transaction)
    bytes_said = (newest.last_page + 1) * newest.page_bytes
    if bytes_there >= bytes_said:
        return
    # A page that was taken and given up again in one transaction is never written: of 9,000 random commits,
    # 514 left a whole file that was up to 126 pages shorter than it says.  Only a walk tells that from a
    # loss.
    missing = unsound(file)
    if missing:
        raise Damaged(
            f"{file} is shorter than it says: {bytes_there} bytes of {bytes_said}; {missing[0]}\n"
            "hint: bring it back from a backup; it was not opened, and nothing in it was touched"
        )


def unsound(file: Path) -> list[str]:
    """Walk every page of a data file, with plain reads, and tell what does not belong together."""
    try:
        findings: list[str] = walking.verify(str(file))  # type: ignore[no-untyped-call]  # pyright: ignore[reportUnknownVariableType]
    except walking.VerifyError as error:
        return [str(error)]
    return findings


def _meta(page: bytes, file: Path) -> Meta:
    """Read a meta page as LMDB 0.9 does, which opens nothing where one of the two is not sound."""
    magic, version = _magic(page, _PAGE_HEADER_BYTES)
    if magic != _MAGIC:
        if _magic(page, _LATER_HEADER_BYTES)[0] == _MAGIC:
            raise WrongFormat(
                f"{file} was written by LMDB 1.0, a journal is by LMDB 0.9; nothing in it was touched\n"
                "hint: it is no journal, or another program has converted it"
            )
        if page[:PAGE_BYTES_LEAST].strip(b"\0"):
            raise WrongFormat(f"{file} is no file of LMDB; nothing in it was touched")
        raise Damaged(
            f"{file} has nothing but zeros where LMDB keeps what it knows of the file\n"
            "hint: bring it back from a backup"
        )
    if version != _VERSION:
        raise WrongFormat(f"{file} has LMDB's data format {version}; a journal has {_VERSION}")
    at = _PAGE_HEADER_BYTES + _META.size
    if len(page) < at + 2 * _TABLE_BYTES + _END.size:
        raise Damaged(f"{file} ends within its first pages\nhint: bring it back from a backup")
    (page_bytes,) = struct.unpack_from("=I", page, at)
    last_page, transaction = _END.unpack_from(page, at + 2 * _TABLE_BYTES)
    if page_bytes < PAGE_BYTES_LEAST or page_bytes > 1 << 15 or page_bytes & (page_bytes - 1):
        raise Damaged(
            f"{file} says that its pages have {page_bytes} bytes\nhint: bring it back from a backup"
        )
    return Meta(page_bytes, last_page, transaction)


def _magic(page: bytes, header_bytes: int) -> tuple[int, int]:
    if len(page) < header_bytes + 8:
        return 0, 0
    magic, version = struct.unpack_from("=II", page, header_bytes)
    return magic, version


# ---- the note ----------------------------------------------------------------------------------------


_HEAD = struct.Struct(">II")


def noted(path: Path) -> bytes:
    """The last note in a directory, for whoever only looks; empty if there is none."""
    try:
        return _text_of((path / NOTE).read_bytes())
    except FileNotFoundError:
        return b""


def _text_of(held: bytes) -> bytes:
    if len(held) < _HEAD.size:
        return b""
    length, checksum = _HEAD.unpack_from(held)
    text = held[_HEAD.size : _HEAD.size + length]
    return text if len(text) == length and crc32(text) == checksum else b""


class Note:
    """A few bytes in a file of their own, written in one piece and never synced; damaged is empty.

    A disk that does not take a note stops nothing: notes are a help, whoever notes is in the middle of
    something that an error would leave half done, and a disk that has failed fails the next commit too.
    """

    def __init__(self, path: Path) -> None:
        self._number = os.open(path / NOTE, os.O_RDWR | os.O_CREAT, 0o600)
        self._fails = False
        try:
            self.text = _text_of(os.pread(self._number, _HEAD.size + NOTE_BYTES_MAX, 0))
            # A disk that takes no note is noticed here, where an error harms nobody.  Otherwise each opening
            # would find the same old one, and take it for another death over the same task.
            self._put(self.text)
        except BaseException:
            os.close(self._number)
            raise

    def write(self, text: bytes) -> None:
        """Put this in the place of the last one: 1.2 µs, one system call."""
        self.text = checked_note(text)
        try:
            self._put(text)
        except OSError as error:
            if not self._fails:  # said once, and not with every note
                _log.warning("a note cannot be kept, and the journal goes on without: %s", error)
            self._fails = True
        else:
            self._fails = False

    def _put(self, text: bytes) -> None:
        os.pwrite(self._number, _HEAD.pack(len(text), crc32(text)) + text, 0)

    def close(self) -> None:
        """Let go of the file."""
        os.close(self._number)
