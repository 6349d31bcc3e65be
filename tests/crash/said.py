"""What callers said, line by line, in a file that outlives them: what they sent, and what became of it.

A line is written in one piece before a message is sent, and another when it was answered.  So whoever reads
the file after the process was killed knows what was acknowledged, and what may or may not have happened.
"""

from __future__ import annotations

import contextlib
import json
import os
from pathlib import Path
from typing import Any, NamedTuple

from attrs import define, field

__all__ = ["Message", "Said", "Told", "Voice"]


class Message(NamedTuple):
    """Something that a caller sent."""

    id: str
    caller: str
    entity: str
    key: str
    what: str
    """The handler, or ``start``."""
    number: int
    """The caller's, for this actor; 0 where the actor does not take it."""
    once: bool
    rest: list[Any]
    """The other arguments."""


class Told(NamedTuple):
    """What a query told: so far another caller's numbers have come."""

    key: str
    caller: str
    number: int


@define
class Said:
    """All that was said, in order."""

    sent: dict[str, Message] = field(factory=dict[str, Message])
    done: dict[str, Any] = field(factory=dict[str, Any])
    """Acknowledged messages, by id, with the answer."""
    refused: dict[str, str] = field(factory=dict[str, str])
    """Not taken, and why."""
    unknown: dict[str, str] = field(factory=dict[str, str])
    """What ended in ``Unknown``, with what it said; may have been repeated since."""
    told: list[Told] = field(factory=list[Told])
    marks: list[list[Any]] = field(factory=list[list[Any]])
    """Anything else."""
    twice: list[str] = field(factory=list[str])
    """What was answered twice in different ways."""

    @classmethod
    def read(cls, log: Path, lines: int | None = None) -> Said:
        """From a file, as it was when it had so many lines; one that was cut off was never said."""
        said = cls()
        if log.exists():
            for line in log.read_bytes().split(b"\n")[:-1][:lines]:
                with contextlib.suppress(ValueError):
                    said.hear(json.loads(line))
        return said

    def hear(self, line: list[Any]) -> None:
        """Take one line."""
        match line:
            case ["send", *parts]:
                message = Message(*parts)
                self.sent.setdefault(message.id, message)
            case ["done", id_, answer]:
                if self.done.setdefault(id_, answer) != answer:
                    self.twice.append(f"{self.sent[id_]} was answered {self.done[id_]}, then {answer}")
            case ["refused", id_, why]:
                self.refused[id_] = why
            case ["unknown", id_, why]:
                self.unknown[id_] = why
            case ["told", *parts]:
                self.told.append(Told(*parts))
            case _:
                self.marks.append(line)

    def copy(self) -> Said:
        """The same, to go on from by itself."""
        return Said(
            dict(self.sent),
            dict(self.done),
            dict(self.refused),
            dict(self.unknown),
            list(self.told),
            list(self.marks),
            list(self.twice),
        )

    def open(self) -> list[Message]:
        """What may have happened or not, in order."""
        return [one for id_, one in self.sent.items() if id_ not in self.done and id_ not in self.refused]

    def repeatable(self) -> list[Message]:
        """What may have happened or not, and can be repeated so that it has happened once."""
        return [message for message in self.open() if message.once]

    def deaths(self) -> int:
        """How many processes have not come to their end, or were about something when this was written."""
        return self.marks.count(["mark", "opening"]) - self.marks.count(["mark", "Closed"])

    def marked(self, kind: str) -> list[list[Any]]:
        """Marks of a kind."""
        return [mark for mark in self.marks if mark[0] == kind]


class Voice:
    """Says lines that are heard whatever becomes of the process, and beats once for each acknowledgement."""

    def __init__(self, log: Path, pulse: int | None = None) -> None:
        torn = log.exists() and log.read_bytes()[-1:] not in (b"\n", b"")
        self._file = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        self._pulse = pulse
        self.lines = 0
        if torn:
            os.write(self._file, b"\n")

    def say(self, *lines: tuple[Any, ...]) -> None:
        """Say these lines, together."""
        os.write(self._file, b"".join(json.dumps(line).encode() + b"\n" for line in lines))
        self.lines += len(lines)
        if self._pulse is not None:
            beats = sum(line[0] == "done" for line in lines)
            if beats or lines[0][0] == "mark":
                os.write(self._pulse, b"." * beats or lines[0][1][:1].encode())

    def close(self) -> None:
        os.close(self._file)
