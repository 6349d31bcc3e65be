"""What a handler must not touch, and what to write instead: one table, read by the lint and by the guard.

An entry covers everything below its dotted name, the longest entry wins, and ``None`` allows what a shorter
one forbids.  Names are the public ones: ``os.stat``, though the function says it lives in ``posix``.
"""

from __future__ import annotations

from functools import lru_cache
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType

__all__ = [
    "ALLOW",
    "ARGUMENTS",
    "FORBIDDEN",
    "MARK",
    "OWN_LINE",
    "canonical",
    "excused",
    "instead_of",
    "name_of",
]

MARK = "# actorflow: ok"
"""On a line: the author has thought about it, neither the lint nor the guard speaks of it."""

ALLOW = None

_CHANCE = "use actorflow.random(), which replay repeats"
_CLOCK = "use actorflow.now(), the time that was recorded with the message"
_COLLECTOR = "do not let the garbage collector decide: hold what you need in the actor's fields"
_CONSOLE = "use actorflow.logger, which is silent during replay, or print in an activity"
_ENVIRONMENT = "read it when the program starts and send it in a message, or read it in an activity"
_FOREIGN = "await actorflow's own sleep, wait_until, gather, race, or an activity"
_FORMAT = "it follows the machine's zone or locale: keep UTC in state, format where it is shown"
_IDENTITY = "it differs between processes: use a field of the value, or hashlib"
_IMPORT = "import at the top of the module: the first time would differ from every later one"
_LOGGER = "use actorflow.logger, which is silent during replay"
_NO_LOCK = "handlers of one actor run one at a time: no lock is needed"
_THREAD = "do it in an activity: a plain `def` activity runs in a thread"
_TRACE = "it names lines and addresses: keep the type and the arguments of the error"
_UUID = "use actorflow.uuid4(), which replay repeats"
_WORLD = "do it in an activity, whose result is recorded"

FORBIDDEN: dict[str, str | None] = {
    # Clocks and calendars of this machine.
    "time": _CLOCK,
    "time.sleep": "await actorflow.sleep(...), which survives a restart",
    **dict.fromkeys(("time.ctime", "time.localtime", "time.mktime", "time.strftime", "time.tzset"), _FORMAT),
    **dict.fromkeys(("time.timezone", "time.altzone", "time.daylight", "time.tzname"), _FORMAT),
    **dict.fromkeys(("time.struct_time", "time.strptime"), ALLOW),
    **dict.fromkeys(("datetime.datetime.now", "datetime.datetime.utcnow", "datetime.datetime.today"), _CLOCK),
    "datetime.date.today": _CLOCK,
    **dict.fromkeys(("datetime.datetime.astimezone", "datetime.datetime.fromtimestamp"), _FORMAT),
    "datetime.date.fromtimestamp": _FORMAT,
    "locale": _FORMAT,
    "zoneinfo": "its rules change with the machine's time zone data: decide the offset outside and store it",
    # Chance.
    **dict.fromkeys(("random", "secrets", "numpy.random", "os.urandom", "os.getrandom"), _CHANCE),
    **dict.fromkeys(("uuid.uuid1", "uuid.uuid4", "uuid.uuid6", "uuid.uuid7", "uuid.getnode"), _UUID),
    # The machine: files, processes, the environment.
    "os": _WORLD,
    **dict.fromkeys(("os.fspath", "os.fsencode", "os.fsdecode", "os.strerror", "os.path"), ALLOW),
    **{
        f"os.path.{name}": _WORLD
        for name in (
            *("abspath", "exists", "expanduser", "expandvars", "getatime", "getctime", "getmtime", "getsize"),
            *("isdir", "isfile", "islink", "ismount", "lexists", "realpath", "relpath", "samefile"),
        )
    },
    **dict.fromkeys(("os.environ", "os.environb", "os._Environ", "os.getenv", "os.putenv"), _ENVIRONMENT),
    **dict.fromkeys(("sys.argv", "sys.flags", "getpass", "platform", "pwd", "grp"), _ENVIRONMENT),
    **dict.fromkeys(("open", "io.open_code", "io.FileIO", "io.TextIOWrapper", "io.BufferedReader"), _WORLD),
    **dict.fromkeys(("io.BufferedWriter", "io.BufferedRandom", "sys.stdin"), _WORLD),
    **dict.fromkeys(
        ("pathlib.Path", "pathlib.PosixPath", "pathlib.WindowsPath"), f"{_WORLD}; for names use PurePath"
    ),
    **dict.fromkeys(("print", "input", "sys.stdout", "sys.stderr"), _CONSOLE),
    **dict.fromkeys(
        ("ctypes", "fcntl", "fileinput", "filecmp", "glob", "mmap", "pty", "resource", "shutil"), _WORLD
    ),
    **dict.fromkeys(("signal", "subprocess", "syslog", "tempfile", "webbrowser", "winreg"), _WORLD),
    **dict.fromkeys(("dbm", "shelve", "sqlite3"), _WORLD),
    # The network.
    **dict.fromkeys(("ftplib", "http", "imaplib", "poplib", "select", "selectors", "smtplib"), _WORLD),
    **dict.fromkeys(("socket", "socketserver", "ssl", "urllib", "xmlrpc"), _WORLD),
    **dict.fromkeys(("aiohttp", "boto3", "httpx", "psycopg", "requests", "urllib3"), _WORLD),
    **dict.fromkeys(
        ("http.HTTPStatus", "http.HTTPMethod", "http.cookies", "urllib.parse", "urllib.error"), ALLOW
    ),
    # Threads, and loops that are not ours.
    **dict.fromkeys(("concurrent", "multiprocessing", "queue", "sched", "threading"), _THREAD),
    **dict.fromkeys(
        ("threading.Lock", "threading.RLock", "threading.lock", "threading.allocate_lock"), _NO_LOCK
    ),
    **dict.fromkeys(("threading.Semaphore", "threading.Condition", "threading.BoundedSemaphore"), _NO_LOCK),
    **dict.fromkeys(("anyio", "asyncio", "curio", "trio"), _FOREIGN),
    "asyncio.exceptions": ALLOW,
    # What this process happens to be: addresses, collection, frames, what is loaded.
    **dict.fromkeys(("hash", "id", "sys.getrefcount"), _IDENTITY),
    **dict.fromkeys(("gc", "weakref"), _COLLECTOR),
    **dict.fromkeys(("linecache", "traceback"), _TRACE),
    "logging": _LOGGER,
    **dict.fromkeys(("import", "importlib", "__import__", "pkgutil", "runpy"), _IMPORT),
}

ARGUMENTS = {
    "random.Random": 1,
    "time.asctime": 1,
    "time.gmtime": 1,
    "datetime.datetime.astimezone": 1,
    "datetime.datetime.fromtimestamp": 2,
}
"""Forbidden only with fewer arguments: a seeded generator and a given zone are the same everywhere."""

OWN_LINE = frozenset(
    {"__import__", "hash", "id", "import", "importlib", "queue", "sys.getrefcount", "threading", "weakref"}
)
"""Forbidden where the author writes it; inside libraries (a memo by ``id``, a lock) it does no harm."""

# Where the standard library really keeps what it shows under another name.
_HOMES = {
    "_io": "io",
    "_random": "random",
    "_socket": "socket",
    "_sqlite3": "sqlite3",
    "_thread": "threading",
    "genericpath": "os.path",
    "nt": "os",
    "ntpath": "os.path",
    "posix": "os",
    "posixpath": "os.path",
}
_SHOWN = {"io.open": "open", "pathlib._local": "pathlib", "random.Random": "random"}


@lru_cache(maxsize=4096)
def canonical(name: str) -> str:
    """Answer the public spelling of a name: ``posix.stat`` is ``os.stat``, ``builtins.id`` is ``id``."""
    head, _, rest = name.removeprefix("builtins.").partition(".")
    name = f"{_HOMES.get(head, head)}.{rest}" if rest else _HOMES.get(head, head)
    for long, short in _SHOWN.items():
        if name.startswith(f"{long}."):
            return short + name[len(long) :]
    return _SHOWN["io.open"] if name == "io.open" else name


@lru_cache(maxsize=4096)
def instead_of(name: str) -> str | None:
    """Answer what to write instead of ``name``, or None where it does no harm."""
    while name not in FORBIDDEN:
        name = name.rpartition(".")[0]
        if not name:
            return None
    return FORBIDDEN[name]


def name_of(thing: object) -> str:
    """Answer the public name of a module, class or function; for any other value, that of its class."""
    match thing:
        case ModuleType():
            return canonical(thing.__name__)
        case type() | FunctionType():
            return canonical(f"{thing.__module__}.{thing.__qualname__}")
        case MethodType():
            return name_of(thing.__func__)
        case BuiltinFunctionType():
            owner = thing.__self__
            if owner is None or isinstance(owner, ModuleType):
                return canonical(f"{thing.__module__}.{thing.__qualname__}")
            return canonical(f"{name_of(owner)}.{thing.__name__}")
        case _:
            return name_of(type(thing))


def excused(lines: list[str], first: int, last: int) -> bool:
    """Tell whether the author has put the mark on one of these lines (counted from 1)."""
    return any(MARK in line for line in lines[first - 1 : last])
