"""`Component.toml`: all mistakes at once with their lines, and what it can ask for."""

import math
import os
import re
import tomllib
from pathlib import Path

import attrs
import pytest
from hypothesis import example, given, settings, strategies as st

from airssys import component
from airssys.contracts import (
    DEFAULT_QUOTAS,
    EVERYTHING,
    Grant,
    Health,
    Limits,
    Quota,
    RestartType,
    find_spec_mistakes,
)
from airssys.dsl import blueprint, pool
from airssys.security import _grants, ask, custom, everything, http, send, store
from airssys.security.capabilities import (
    KINDS as KINDS_OF_GRANTS,
    Kind,
    define_kind,
    read_grants,
)
from airssys.security.manifest import (
    MOST_BYTES,
    effective,
    explain,
    json_schema,
    read_manifest,
    refused_of,
)
from airssys.security.manifest._lines import find_lines
from airssys.security.manifest._schema import DIGEST, NAME, VERSION, Capabilities
from airssys.security.patterns import NamePattern
from airssys.security.policies import NEEDS, ungranted
from airssys.wasm import IMPORTS

PLANTED = Path(__file__).with_name("twenty_mistakes.toml")
LEAST = """
[package]
name = "shelf"
version = "1.0.0"

[source]
path = "shelf.wat"
"""


def written(folder, text, name="Component.toml"):
    file = folder / name
    file.write_bytes(text.encode() if isinstance(text, str) else text)
    (folder / "shelf.wat").write_text("(component)", "utf-8")
    return file


def lines_with(text, mark=r"# \d+$"):
    return [n for n, line in enumerate(text.split("\n"), 1) if re.search(mark, line)]


# ---------------------------------------------------------------- mistakes


def test_each_planted_mistake_is_found_with_its_line():
    found = read_manifest(PLANTED).mistakes
    wanted = lines_with(PLANTED.read_text("utf-8"))
    assert len(wanted) >= 20
    assert [m.line for m in found] == wanted
    assert {m.file for m in found} == {str(PLANTED)}
    assert all(m.hint for m in found)


@pytest.mark.parametrize(
    ("line", "nearest"),
    [
        (6, "license"),
        (12, "component"),
        (16, "warn"),
        (21, "send"),
        (32, "memory_bytes"),
        (39, "permanent"),
    ],
)
def test_hints_name_the_nearest_word(line, nearest):
    hints = [m.hint for m in read_manifest(PLANTED).mistakes if m.line == line]
    assert any(nearest in hint for hint in hints), hints


def test_one_mistake_in_a_table_hides_no_other(tmp_path):
    text = (
        LEAST
        + """
[health]
interval = "3"
threshold = 0
timeout = -1
[restart]
type = "permanent"
backoff = { first = -1, factor = "x", cap = -2, other = 3 }
[component]
shutdown = "x"
start_timeout = -1
"""
    )
    found = read_manifest(written(tmp_path, text)).mistakes
    assert sorted(m.path for m in found) == [
        ".component.shutdown",
        ".component.start_timeout",
        ".health.interval",
        ".health.threshold",
        ".health.timeout",
        ".restart.backoff.cap",
        ".restart.backoff.factor",
        ".restart.backoff.first",
        ".restart.backoff.other",
    ]


def test_a_component_has_the_mistakes_of_its_manifest_once():
    spec = component("shelf", PLANTED, mailbx=4)
    found = find_spec_mistakes(spec)
    theirs = [m for m in found if m.file == str(PLANTED)]
    assert sorted(m.line for m in theirs) == lines_with(PLANTED.read_text("utf-8"))
    assert [m.file for m in found if m not in theirs] == [__file__]


@pytest.mark.parametrize(
    ("text", "line", "found"),
    [
        (b"[package\n", 1, "not TOML"),
        (b"[package]\nname = 'a'\nname = 'b'\n", 3, "not TOML"),
        (b"[package]\nname = \n", 2, "not TOML"),
        (b"[package]\nname = '", 2, "not TOML"),
        (b"# a\n\n# \xff\n", 3, "not UTF-8"),
        (b"\xef\xbb\xbf[package]\n", 1, "not TOML"),
        (b"a = " + b"[" * 20_000, 1, "nested too deeply"),
        (b"a = " + b"9" * 5000, 1, "not TOML"),
        (b"#" * (MOST_BYTES + 1), 1, "more than"),
        (b"", 1, "no table [package]"),
        (b"package = 3\nsource = 4\n", 1, "3 is not a table"),
        (b"[[package]]\n", 1, "not a table"),
        (b"[source]\npath='a'\n[package]\nname='a'\nversion = 1e9\n", 5, "not text"),
    ],
)
def test_bad_files(tmp_path, text, line, found):
    file = written(tmp_path, text)
    first = read_manifest(file).mistakes[0]
    assert (first.file, first.line) == (str(file), line)
    assert found in first.found


def test_files_that_cannot_be_read(tmp_path):
    pipe = tmp_path / "pipe.toml"
    os.mkfifo(pipe)
    folder = tmp_path / "folder.toml"
    folder.mkdir()
    for file, found in [
        (tmp_path / "missing.toml", "there is no"),
        (folder, "it is a folder"),
        (pipe, "it is not a file"),
        (Path("a\0b.toml"), "cannot be read"),
        (Path("/dev/zero/x.toml"), "cannot be read"),
    ]:
        spec = component("shelf", file)
        (mistake,) = find_spec_mistakes(spec)
        assert found in mistake.found
        assert mistake.file == __file__, "it is the mistake of who named it"


GARBAGE = st.one_of(
    st.binary(max_size=300),
    st.text("[]{}=.,\"'#\n ab1-\\tf", max_size=200).map(str.encode),
)


@given(GARBAGE)
@settings(max_examples=300)
def test_garbage_is_reported(tmp_path_factory, text):
    file = tmp_path_factory.getbasetemp() / "garbage.toml"
    file.write_bytes(text)
    found = read_manifest(file)
    assert found.mistakes
    lines = text.count(b"\n") + 1
    assert all(1 <= m.line <= lines for m in found.mistakes)


VALUES = st.recursive(
    st.one_of(
        st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)
    ),
    lambda below: st.one_of(
        st.lists(below, max_size=3),
        st.dictionaries(st.text(max_size=5), below, max_size=3),
    ),
    max_leaves=8,
)
KEYS = st.sampled_from(
    [
        *(
            "name",
            "version",
            "path",
            "sha256",
            "env",
            "data",
            "shutdown",
            "send",
            "ask",
        ),
        *("http", "clock", "random", "messages", "overflow", "type", "backoff", "fuel"),
        *("interval", "threshold", "accepts", "sends", "fan_out", "key", "other"),
    ]
)
TABLES = st.sampled_from(
    [
        *("package", "source", "component", "capabilities", "limits", "mailbox"),
        *("restart", "health", "codecs", "quotas", "signature", "other"),
    ]
)


@given(st.dictionaries(TABLES, st.dictionaries(KEYS, VALUES, max_size=4), max_size=6))
@example({"codecs": {"accepts": []}})
@example({"package": {}, "component": {"env": {"": ""}}})
@example({"codecs": {"accepts": ["json", "x y"], "sends": "json", "prefixed": True}})
@settings(max_examples=200)
def test_valid_toml_of_any_shape_is_reported(tmp_path_factory, document):
    text, _ = as_toml(document)
    file = tmp_path_factory.getbasetemp() / "shape.toml"
    file.write_text(text, "utf-8")
    found = read_manifest(file)
    assert found.mistakes
    assert not find_spec_mistakes(component("shelf", "x.wat", **dict(found.options)))


# ---------------------------------------------------------------- lines


def quoted(text):
    safe = "".join(
        c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\U{ord(c):08x}"
        for c in text
    )
    return f'"{safe}"'


def as_toml(document, gap=""):  # noqa: C901  # one case for each type
    """Write a document; returns the text, and the line of each key and item."""
    lines, where = [], {(): 1}

    def value(given, key):
        match given:
            case bool():
                lines[-1] += str(given).lower()
            case int() | float():
                lines[-1] += repr(given)
            case str():
                lines[-1] += quoted(given)
            case list():
                lines[-1] += "["
                for index, each in enumerate(given):
                    lines.append("  ")
                    where[*key, index] = len(lines)
                    value(each, (*key, index))
                    lines[-1] += f", # {gap}]"
                lines.append("]")
            case dict():
                lines[-1] += "{"
                for index, (name, each) in enumerate(given.items()):
                    lines[-1] += (", " if index else " ") + f"{quoted(name)} = "
                    where[*key, name] = len(lines)
                    value(each, (*key, name))
                lines[-1] += " }"

    for table, below in document.items():
        lines.append(f"[{quoted(table)}] # {gap}]")
        where[table,] = len(lines)
        for name, each in below.items():
            lines.append(f"{quoted(name)} = ")
            where[table, name] = len(lines)
            value(each, (table, name))
        lines.append("")
    return "\n".join(lines), where


def keys_of(value, key=()):
    yield key
    if isinstance(value, (dict, list)):
        pairs = value.items() if isinstance(value, dict) else enumerate(value)
        for name, each in pairs:
            yield from keys_of(each, (*key, name))


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
DOCUMENTS = st.dictionaries(
    TEXTS, st.dictionaries(TEXTS, VALUES, max_size=4), max_size=4
)


@given(DOCUMENTS, st.sampled_from(["", '"', "'''", "= {", "[["]))
@settings(max_examples=300)
def test_lines_are_those_of_the_keys(document, gap):
    text, where = as_toml(document, gap)
    assert tomllib.loads(text) == document
    assert find_lines(text) == where


@pytest.mark.parametrize(
    ("text", "key", "line"),
    [
        ("a.b.c = 1\na.d = 2", ("a", "d"), 2),
        ("[a.b]\n[a]\nx = 1", ("a",), 2),
        ("[[a]]\n[[a]]\n[a.b]\nx = 1", ("a", 1, "b", "x"), 4),
        ("[[a]]\n[[a.b]]\n[[a.b]]\nx = 1\n[[a]]\n[[a.b]]", ("a", 1, "b", 0), 6),
        ('a = """\n"" \\""" """""\nb = 1', ("b",), 3),
        ("a = '''\n'' \\'''''\nb = 1", ("b",), 3),
        ("a = ''\nb = \"\"\nc = 1", ("c",), 3),
        ("a = [ # ]\n 1, 2\n, # ,\n 3 ]\nb = 1", ("a", 2), 4),
        ("a = 1979-05-27 07:32:00Z # x\nb = 1", ("b",), 2),
        ("\"a.b\" . 'c' = 1", ("a.b", "c"), 1),
        ("a = {b.c = [{d = 1},\n {e = 2}]}", ("a", "b", "c", 1, "e"), 2),
    ],
)
def test_lines_of_what_is_seldom(text, key, line):
    document = tomllib.loads(text)
    lines = find_lines(text)
    assert lines[key] == line
    assert set(keys_of(document)) == set(lines)


# ---------------------------------------------------------------- options


def test_a_manifest_has_options_and_the_program_wins(tmp_path):
    file = written(
        tmp_path,
        LEAST
        + """
[component]
env = { A = "1", B = "2" }
shutdown = 2.5
[limits]
memory_bytes = 1_000_000
fuel = 50
[mailbox]
messages = 7
bytes = 1000
[restart]
type = "transient"
backoff = { first = 1, jitter = true }
[health]
interval = 3
threshold = 9
[codecs]
accepts = ["json"]
""",
    )
    alone = component("shelf", file)
    assert not find_spec_mistakes(alone)
    assert alone.artifact.source == tmp_path / "shelf.wat"
    assert (alone.mailbox, alone.mailbox_bytes) == (7, 1000)
    assert alone.restart is RestartType.TRANSIENT
    assert (alone.limits.memory_bytes, alone.limits.fuel) == (1_000_000, 50)
    assert alone.shutdown == 2.5
    changed = component(
        "shelf",
        file,
        mailbox=9,
        restart="permanent",
        limits={"fuel": 99},
        env={"B": "3"},
        health={"interval": 4},
        codecs="msgpack",
    )
    assert not find_spec_mistakes(changed)
    assert (changed.mailbox, changed.mailbox_bytes) == (9, 1000)
    assert changed.restart is RestartType.PERMANENT
    assert (changed.limits.memory_bytes, changed.limits.fuel) == (1_000_000, 99)
    assert changed.config.env == (("A", "1"), ("B", "3"))
    assert changed.health == Health(interval=4, threshold=9)
    assert changed.backoff.jitter
    assert changed.codecs.takes == ("application/msgpack",)
    assert component("shelf", file, health=None).health is None


def test_a_manifest_cannot_raise_what_is_bounded(tmp_path):
    file = written(
        tmp_path,
        LEAST
        + """
[component]
shutdown = inf
[limits]
memory_bytes = 1_000_000_000_000
storage_keys = 5
fuel = 9
[mailbox]
messages = 1_000_000
bytes = 10
[quotas]
messages_per_second = 5
fan_out = 1_000_000
log_bytes_per_second = { limit = 10, burst = 1_000_000_000, at_limit = "end" }
allocation_bytes_per_call = 7
""",
    )
    spec = component("shelf", file)
    assert not find_spec_mistakes(spec)
    assert spec.limits == Limits(storage_keys=5, fuel=9)
    plain = component("shelf", "shelf.wat")
    assert (spec.shutdown, spec.mailbox) == (plain.shutdown, plain.mailbox)
    assert spec.mailbox_bytes == 10
    assert spec.quotas.messages_per_second == Quota(5)
    assert spec.quotas.fan_out == DEFAULT_QUOTAS.fan_out
    log = DEFAULT_QUOTAS.log_bytes_per_second
    assert spec.quotas.log_bytes_per_second == Quota(10, log.burst, "end")
    assert spec.quotas.allocation_bytes_per_call == Quota(7)
    assert [text.partition(" ")[0] for text in spec.requested.above] == [
        "mailbox",
        "shutdown",
        "limits.memory_bytes",
        "quotas.log_bytes_per_second",
        "quotas.fan_out",
    ]
    raised = component(
        "shelf",
        file,
        limits={"memory_bytes": 10**9},
        mailbox=10**6,
        quotas={"fan_out": 20_000},
        shutdown=math.inf,
    )
    assert not find_spec_mistakes(raised)
    assert raised.limits.memory_bytes == 10**9
    assert raised.limits.storage_keys == 5
    assert (raised.mailbox, raised.shutdown) == (10**6, math.inf)
    assert raised.quotas.fan_out == Quota(20_000)
    assert raised.quotas.messages_per_second == Quota(5)
    assert len(raised.requested.above) == 1


def test_quotas_are_checked_with_their_lines(tmp_path):
    file = written(
        tmp_path,
        LEAST
        + """
[quotas]
fan_out = -1
mesages_per_second = 3
subscriptions = { limit = 3, burst = 4 }
memory_bytes = { limit = 3, at_limit = "dellay" }
open_requests = { burst = 3 }
storage_bytes = { limit = 5, at_limit = "delay" }
""",
    )
    found = read_manifest(file).mistakes
    first = LEAST.count("\n") + 3
    assert [m.line for m in found] == list(range(first, first + 6))
    assert "messages_per_second" in found[1].hint


def test_variables_are_checked_with_their_lines(tmp_path):
    variables = """
[component.env]
HOME = "/"
"" = "1"
"A=B" = "2"
LANG = "C"
NUL = "a\\u0000"
"""
    found = read_manifest(written(tmp_path, LEAST + variables))
    first = LEAST.count("\n") + 4
    assert [m.line for m in found.mistakes] == [first, first + 1, first + 3]
    assert "a variable that a program can read" in found.mistakes[0].found
    assert "env" not in found.options


def test_a_manifest_is_named_wherever_a_path_is(tmp_path):
    file = written(tmp_path, LEAST + "[mailbox]\nmessages = 7\n")
    declared = component(file)
    for spec in (
        component("a", declared),
        component("a", str(file)),
        pool("p", declared).member,
        pool("p", component("a", file)).member,
        blueprint(component("a", file)).root.children[0],
    ):
        assert spec.artifact.source == tmp_path / "shelf.wat"
        assert spec.mailbox == 7
        assert spec.requested is not None


def test_a_manifest_is_relative_to_the_file_that_names_it():
    spec = component("shelf", "twenty_mistakes.toml")
    assert spec.requested.manifest == str(PLANTED)


# ---------------------------------------------------------------- grants


def asks(tmp_path, text):
    return written(tmp_path, f"{LEAST}[capabilities]\n{text}\n")


def test_what_holds_is_what_both_say(tmp_path):
    file = asks(tmp_path, 'send = ["shop/*"]\nask = ["stock"]\nstore = ["a/*", "b/*"]')
    spec = component(
        "shelf", file, can=[send("shop/a/0"), send("other"), ask("*"), store("a/**")]
    )
    assert set(spec.can) == {send("shop/a/0"), ask("stock"), store("a/*")}
    assert {str(rule) for rule in refused_of(spec.requested)} == {
        "messaging send shop/*",
        "storage read b/*",
        "storage write b/*",
        "storage delete b/*",
    }
    assert component("shelf", file).can == ()
    assert not refused_of(component("shelf", file, can=everything()).requested)


def test_a_manifest_alone_grants_nothing(tmp_path):
    file = asks(tmp_path, 'send = ["**"]\nask = ["*"]\nrandom = true')
    assert component("shelf", file).can == ()
    assert component("shelf", file, can=[]).can == ()


def test_a_grant_that_is_not_valid_is_still_found(tmp_path):
    file = asks(tmp_path, 'send = ["shop/*"]')
    wrong = Grant("files", ("read",), "not absolute")
    spec = component("shelf", file, can=[send("shop/*"), wrong])
    assert set(spec.can) == {send("shop/*"), wrong}
    found = find_spec_mistakes(component("shelf", file, can=[send("shop/*"), 3]))
    assert [m.found for m in found] == ["3 is not a grant"]
    found = find_spec_mistakes(component("shelf", file, can=3))
    assert [m.found for m in found] == ["3 is not a list of grants"]


def test_every_word_can_be_asked_for(tmp_path):
    file = asks(
        tmp_path,
        """
send = ["a"]
ask = ["a"]
request = ["a"]
broadcast = ["a"]
publish = ["a.*"]
subscribe = ["a.#"]
see = ["a"]
store = ["**"]
read_store = ["a"]
read_files = ["/a/**"]
write_files = ["/a"]
delete_files = ["/a"]
list_files = ["/a"]
connect = ["*.example.com:443"]
bind = ["127.0.0.1:80-90"]
resolve = ["example.com"]
http = ["https://a.example.com", { origin = "https://b.example.com/v1", methods = ["GET"] }]
clock = 0.5
monotonic_clock = 0
random = true
insecure_random = true
env = ["HOME", "PATH"]
arguments = true
stdin = true
stdout = true
stderr = true
log = "info 100"
run_command = ["/bin/ls"]
custom = [{ kind = "printers", verb = "print", resource = "hall", limits = { pages = "9" } }]
""",
    )
    found = read_manifest(file)
    assert not found.mistakes
    assert len(found.requests) == 30
    assert http("https://b.example.com/v1", methods=["GET"]) in found.requests
    assert EVERYTHING not in found.requests


TILL = define_kind(Kind("manifest-till", {"open": NamePattern.parse}))


def test_kinds_of_the_program_can_be_asked_for(tmp_path):
    file = asks(
        tmp_path,
        """
custom = [
  { kind = "manifest-till", verb = "open", resource = "shop/*" },
  { kind = "manifest-till", verb = "shut" },
  { kind = "not-known-here", verb = "x", limits = { kind = "y" } },
]""",
    )
    found = read_manifest(file)
    assert [m.path for m in found.mistakes] == [".capabilities.custom[1]"]
    granted = [
        custom("manifest-till", "open", "shop/front/0"),
        custom("manifest-till", "open", "bank/*"),
    ]
    assert component("shelf", file, can=granted).can == (granted[0],)
    assert "custom('manifest-till', 'open', 'shop/*')" in "".join(explain(found))


PATTERNS = st.sampled_from(["shop/*", "shop/a/0", "stock", "*", "other"])
LISTS = st.lists(st.builds(send, PATTERNS) | st.builds(ask, PATTERNS), max_size=5)


@given(LISTS, LISTS)
@example([send("shop/*")], [everything()])
def test_what_holds_is_never_more_than_either_says(asked, granted):
    described = attrs.evolve(read_manifest(PLANTED), requests=tuple(asked))
    found = effective(described.requests, tuple(granted))
    held = read_grants(found)[0]
    assert held.attenuates(read_grants(asked)[0])
    assert held.attenuates(read_grants(granted)[0])


# ---------------------------------------------------------------- valid ones

TEXT = st.text(st.characters(exclude_categories=["C"]), min_size=1, max_size=8)
VARIABLE = TEXT.filter(lambda name: "=" not in name)
NUMBER = st.floats(0.01, 1e4).map(lambda number: round(number, 3))
COUNT = st.integers(1, 10**6)


def some(**keys):
    return st.fixed_dictionaries({}, optional=keys)


VALID = st.fixed_dictionaries(
    {
        "package": st.fixed_dictionaries(
            {
                "name": st.from_regex(NAME, fullmatch=True),
                "version": st.from_regex(VERSION, fullmatch=True),
            },
            optional={"description": TEXT, "authors": st.lists(TEXT, max_size=3)},
        ),
        "source": st.fixed_dictionaries(
            {"path": st.sampled_from(["shelf.wat", "./a/b c.wasm", "…"])},
            optional={"sha256": st.from_regex(DIGEST, fullmatch=True)},
        ),
    },
    optional={
        "component": some(
            env=st.dictionaries(VARIABLE, TEXT, max_size=3),
            data=TEXT,
            shutdown=NUMBER | st.just(math.inf),
            log_level=st.sampled_from(["trace", "error"]),
            drain=st.booleans(),
        ),
        "capabilities": some(
            send=st.lists(st.sampled_from(["shop/*", "*", "a/b/c"]), max_size=3),
            publish=st.lists(st.sampled_from(["a.#", "a.*.b"]), max_size=2),
            read_files=st.lists(st.sampled_from(["/a/**", "/b"]), max_size=2),
            clock=NUMBER,
            random=st.booleans(),
            env=st.lists(st.sampled_from(["HOME", "PATH"]), max_size=2),
        ),
        "limits": some(memory_bytes=COUNT, execution_time=NUMBER),
        "mailbox": some(
            messages=COUNT,
            overflow=st.sampled_from(["fail", "block"])
            | some(low=st.sampled_from(["fail", "dead-letter"])),
        ),
        "restart": some(
            type=st.sampled_from(["permanent", "temporary"]),
            backoff=some(first=NUMBER, jitter=st.booleans()),
        ),
        "health": some(interval=NUMBER, threshold=COUNT),
        "codecs": some(accepts=st.just(["json"]), prefixed=st.just(False)),
    },
)


def plain(value):
    """Write a value as TOML has it."""
    if attrs.has(type(value)):
        return attrs.asdict(value, value_serializer=lambda _, __, each: plain(each))
    if isinstance(value, tuple):
        return [plain(each) for each in value]
    return getattr(value, "value", value)


def has_all(read, written):
    """Say whether everything that was written was read."""
    if isinstance(written, dict) and isinstance(read, dict):
        return all(
            name in read and has_all(read[name], written[name]) for name in written
        )
    return read == written


@given(VALID)
@settings(max_examples=200)
def test_what_is_valid_is_read_as_it_is(tmp_path_factory, document):
    text, _ = as_toml(document)
    file = tmp_path_factory.getbasetemp() / "valid.toml"
    file.write_text(text, "utf-8")
    found = read_manifest(file)
    assert not found.mistakes
    read = {table: plain(value) for table, value in found.tables.items()}
    assert has_all(read, document)
    assert not find_spec_mistakes(component("shelf", file))
    assert list(explain(found))
    assert fits(json_schema(), document)


# ---------------------------------------------------------------- the JSON schema


KINDS = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


def fits(schema, value):
    """Check a value against what the schema uses of JSON schema's words."""
    assert schema.keys() <= {
        *("$schema", "title", "type", "properties", "additionalProperties", "required"),
        *("anyOf", "items", "enum", "description", "pattern"),
    }
    if "anyOf" in schema:
        return any(fits(each, value) for each in schema["anyOf"])
    if "enum" in schema:
        return value in schema["enum"]
    if not isinstance(value, KINDS[schema["type"]]):
        return False
    if isinstance(value, bool) and schema["type"] != "boolean":
        return False
    if "pattern" in schema and not re.search(schema["pattern"], value):
        return False
    if isinstance(value, list):
        return all(fits(schema["items"], each) for each in value)
    if isinstance(value, dict):
        known, others = schema.get("properties", {}), schema["additionalProperties"]
        return set(schema.get("required", ())) <= value.keys() and all(
            fits(known[name], each) if name in known else others and fits(others, each)
            for name, each in value.items()
        )
    return True


def test_the_schema_finds_what_editors_can_find():
    planted = tomllib.loads(PLANTED.read_text("utf-8"))
    schema = json_schema()
    for table, keys in {
        "package": ["name", "version", "authors", "licence"],
        "source": ["sha256"],
        "component": ["log_level", "shutdown", "env"],
        "capabilities": ["sned", "random"],
        "limits": ["memory_bites"],
        "restart": ["type"],
    }.items():
        below = {**schema["properties"][table], "required": []}
        for key in keys:
            assert not fits(below, {key: planted[table][key]}), key
    assert not fits({**schema, "required": []}, {"componnent": {}})


def test_the_schema_has_every_key():
    schema = json_schema()["properties"]
    assert {*schema["capabilities"]["properties"]} == {
        field.name for field in attrs.fields(Capabilities)
    }
    words = {*_grants.__all__} - {"Grant", "everything"}
    assert {*schema["capabilities"]["properties"]} == words


# ---------------------------------------------------------------- what imports need


def test_every_function_of_the_host_is_known_to_need_a_grant_or_none():
    functions = {name for names in IMPORTS.values() for name in names}
    assert functions == NEEDS.keys()
    needed = {each for each in NEEDS.values() if each is not None}
    assert all(verb in KINDS_OF_GRANTS[kind].verbs for kind, verb in needed)
    assert ungranted(functions, ())
    assert not ungranted(functions, (everything(),))
    assert ungranted(["send", "ask", "log"], (send("a"),)) == ("ask",)
