"""What a component may do, in words that read like what they allow.

A component holds nothing by default: whatever it asks its host to do to others is
refused. `can=` lists what it may do, and `bound=` of a supervisor what anything below it
may hold at most:

    from airssys.security import ask, publish, send, store

    component("cart", "cart.wasm", can=[send("shop/*"), ask("stock"), store("cart/*")])

    @supervisor(bound=[send("shop/*"), ask("*"), publish("orders.#"), store("**")])
    class Shop: ...

Each word makes one `Grant`, which is a plain value. A pattern that is not valid is a
mistake of the definition, and `airssys check` shows it with its file and line. The
grammar of each kind of pattern is in docs/reference/grants.

What needs no grant: the component's own name, and sleeping; and its log lines, as long as
no list names these (`log`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from airssys.contracts import EVERYTHING, Grant, is_kind

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = (
    "Grant",
    "arguments",
    "ask",
    "bind",
    "broadcast",
    "clock",
    "connect",
    "custom",
    "delete_files",
    "env",
    "everything",
    "http",
    "insecure_random",
    "list_files",
    "log",
    "monotonic_clock",
    "publish",
    "random",
    "read_files",
    "read_store",
    "request",
    "resolve",
    "run_command",
    "see",
    "send",
    "stderr",
    "stdin",
    "stdout",
    "store",
    "subscribe",
    "write_files",
)


def everything() -> Grant:
    """Allow all there is, of every kind: for code that is trusted like the program."""
    return EVERYTHING


# ---------------------------------------------------------------- messages


def send(names: str) -> Grant:
    """Send messages to components: `shop/*`, `stock`, `*`."""
    return Grant("messaging", ("send",), names)


def ask(names: str) -> Grant:
    """Ask components and wait for their answers."""
    return Grant("messaging", ("ask",), names)


def request(names: str) -> Grant:
    """Ask components and have their answers later, as callbacks."""
    return Grant("messaging", ("request",), names)


def broadcast(names: str) -> Grant:
    """Send one message to several components at once; each of them has to be allowed."""
    return Grant("messaging", ("broadcast",), names)


def publish(topics: str) -> Grant:
    """Publish to topics: `orders.#`, `orders.*.paid`."""
    return Grant("messaging", ("publish",), topics)


def subscribe(topics: str) -> Grant:
    """Subscribe to these topics, or to fewer of them."""
    return Grant("messaging", ("subscribe",), topics)


def see(names: str) -> Grant:
    """Find components in lists, and read their metadata and health."""
    return Grant("components", ("list", "metadata"), names)


# ---------------------------------------------------------------- what is kept


def store(keys: str) -> Grant:
    """Read, write and delete keys of the component's own store: `cart/*`, `**`."""
    return Grant("storage", ("read", "write", "delete"), keys)


def read_store(keys: str) -> Grant:
    """Read keys of the component's own store."""
    return Grant("storage", ("read",), keys)


def read_files(paths: str, *, at: str | None = None) -> Grant:
    """Read files and folders, by the paths that the guest sees: `/data/**`.

    Args:
        paths: what may be read.
        at: the folder of the host that the guest sees as the fixed beginning of `paths`;
            by default the one with the same path.
    """
    return Grant("files", ("read", "list"), paths, _at(at))


def write_files(paths: str, *, at: str | None = None) -> Grant:
    """Create and change files; see `read_files`."""
    return Grant("files", ("write",), paths, _at(at))


def delete_files(paths: str, *, at: str | None = None) -> Grant:
    """Delete files and folders; see `read_files`."""
    return Grant("files", ("delete",), paths, _at(at))


def list_files(paths: str, *, at: str | None = None) -> Grant:
    """List folders without reading what is in their files; see `read_files`."""
    return Grant("files", ("list",), paths, _at(at))


def _at(folder: str | None) -> tuple[tuple[str, str], ...]:
    return () if folder is None else (("at", folder),)


# ---------------------------------------------------------------- the network


def connect(host: str, ports: int | str = "*") -> Grant:
    """Open connections to hosts: `connect("*.example.com", 443)`, `"10.0.0.0/8"`."""
    return Grant("network", ("connect",), _endpoint(host, ports))


def bind(host: str, ports: int | str = "*") -> Grant:
    """Listen at an address of this machine."""
    return Grant("network", ("bind",), _endpoint(host, ports))


def _endpoint(host: str, ports: int | str) -> str:
    return f"{host}:{ports}" if isinstance(host, str) else host


def resolve(host: str) -> Grant:
    """Look up the addresses of host names."""
    return Grant("network", ("resolve",), host)


def http(origin: str, *, methods: str | Iterable[str] = "*") -> Grant:
    """Send requests below an origin: `http("https://api.example.com/v1", methods="GET")`.

    Args:
        origin: scheme, host, port and the beginning of the path.
        methods: one or several; by default any.
    """
    wanted = _joined(methods)
    limits = () if wanted == "*" else (("methods", wanted),)
    return Grant("http", ("request",), origin, limits)


def _joined(words: str | Iterable[str]) -> str:
    """Write words with commas; what is not text is left as it is, for `Grant` to show."""
    if is_kind(words, (tuple, list, set, frozenset)):
        words = tuple(words)
        if all(is_kind(each, str) for each in words):
            return ",".join(words)
    return words  # type: ignore[return-value]  # a text, or a mistake


# ---------------------------------------------------------------- the rest


def clock(resolution: float = 0, *, fixed: float | None = None) -> Grant:
    """Read the time of day; it is cut to the resolution, in seconds, if there is one.

    With `fixed`, in seconds since 1970, the component always reads that time by WASI, so
    that what it does can be repeated. It then learns nothing of the real time.
    """
    if fixed is not None:
        return Grant("clock", ("wall",), "*", (("fixed", f"{fixed!r}"),))
    return Grant("clock", ("wall",), _seconds(resolution))


def monotonic_clock(resolution: float = 0) -> Grant:
    """Measure time; see `clock`."""
    return Grant("clock", ("monotonic",), _seconds(resolution))


def _seconds(resolution: float) -> str:
    """Write seconds; what is not a number is left as it is, for `Grant` to show."""
    if is_kind(resolution, (int, float)) and not is_kind(resolution, bool):
        return str(resolution) if resolution else "*"
    return resolution  # type: ignore[return-value]  # a mistake


def random(*, seed: int | str | None = None) -> Grant:
    """Get random bytes that cannot be guessed.

    With a seed they can be: each instance gets the same ones again, and actors with
    different names get different ones. That is for tests, and for runs to be repeated.
    """
    text = seed if is_kind(seed, bool) or not is_kind(seed, int) else str(seed)
    limits = () if seed is None else (("seed", text),)
    return Grant("random", ("secure", "insecure"), "*", limits)


def insecure_random() -> Grant:
    """Get random numbers for purposes that need no secrecy."""
    return Grant("random", ("insecure",))


def env(*names: str) -> Grant:
    """Read variables of the component's environment; without names, all of them."""
    return Grant("environment", ("read",), _joined(names) if names else "*")


def arguments() -> Grant:
    """Read the arguments that the component was given."""
    return Grant("arguments", ("read",))


def stdin() -> Grant:
    """Read what it is given as standard input."""
    return Grant("streams", ("stdin",))


def stdout() -> Grant:
    """Write standard output, which comes into the log."""
    return Grant("streams", ("stdout",))


def stderr() -> Grant:
    """Write standard error, which comes into the log."""
    return Grant("streams", ("stderr",))


def log(level: str = "trace", *, bytes_per_second: int | None = None) -> Grant:
    """Write log lines of a level and above; `"off"` is none at all.

    A list of grants without this word allows all lines. One with it allows no others.

    Args:
        level: the least important one.
        bytes_per_second: how much; a second's worth may come at once, and other lines are
            dropped. By default what the quota `log_bytes_per_second` lets through.
    """
    rate = "" if bytes_per_second is None else f" {bytes_per_second}"
    return Grant("log", ("emit",), f"{level}{rate}")


def run_command(paths: str) -> Grant:
    """Start programs of the host. No host function of this library offers that."""
    return Grant("process", ("run",), paths)


def custom(kind: str, verb: str, resource: str = "*", **limits: str) -> Grant:
    """Allow something of a kind that the program itself defines."""
    return Grant(kind, (verb,), resource, tuple(sorted(limits.items())))
