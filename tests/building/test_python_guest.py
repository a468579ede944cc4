"""A real Python guest: whatever happens in it, its host can read what it was."""

import pytest

from airssys.building import BuildFailed, wit_directory, write_stubs
from airssys.contracts import (
    DeliveryFailed,
    GuestRejected,
    GuestTrapped,
    LogLevel,
    TrapReason,
)
from wasm_support import ScriptedServices, envelope

RUN = pytest.mark.parametrize


@pytest.fixture
def services():
    return ScriptedServices()


async def rejected(guest, what):
    with pytest.raises(GuestRejected) as refusal:
        await guest.handle_message(envelope(what.encode()))
    return refusal.value


async def test_an_uncaught_exception_is_an_error_with_its_traceback(
    troubled, open_component
):
    async with open_component(troubled) as guest:
        error = await rejected(guest, "deep")
        assert (error.phase, error.case) == ("handle-message", "runtime-error")
        first, *trace = error.detail.splitlines()
        assert first == "ZeroDivisionError: division by zero"
        assert trace == [
            "Traceback (most recent call last):",
            '  File "troubled.py", line 37, in handle_message',
            "    return getattr(self, message.payload.decode(), self.echo)()",
            '  File "troubled.py", line 63, in deep',
            "    return trouble.deep()",
            '  File "trouble.py", line 10, in deep',
            "    return deeper(0)",
            '  File "trouble.py", line 14, in deeper',
            "    return 1 / number",
            "ZeroDivisionError: division by zero",
        ]
        assert await guest.handle_message(envelope(b"count")) == b"2"


@RUN(
    ("what", "words"),
    [
        ("chained", ["KeyError: 'key'", "ZeroDivisionError", "direct cause"]),
        ("group", ["ExceptionGroup: both", "ValueError: one", "TypeError: two"]),
        ("leave", ["SystemExit: 3"]),
        ("interrupt", ["KeyboardInterrupt"]),
        ("endless", ["RecursionError", "more times"]),
        ("misspelt", ["AttributeError", "Did you mean: 'path'"]),
        ("huge", ["ValueError: xxx", "left out", "xxx"]),
        ("unsayable", [r"ValueError: \udfff"]),
        ("unprintable", ["Unprintable"]),
        ("text", ["handle_message returned str, which is neither bytes nor None"]),
        ("numbers", ["handle_message returned list"]),
        ("refused", ["as it was raised"]),
        ("refused_with_an_exception", ["not a str"]),
        ("refused_with_a_str", ["Err: no variant", "in refused_with_a_str"]),
        ("file", ["OSError: builtins.open: a guest has no files", "in file"]),
        ("late_import", ["decimal was not imported when the component was built"]),
        ("no_such_import", ["no_such_module was not imported"]),
        ("clock", ["time.monotonic: a guest has no such clock"]),
        ("random_bytes", ["os.urandom: a guest has no source of random bytes"]),
        ("standard_input", ["EOFError"]),
        ("bad_exec", ["SyntaxError: invalid syntax", 'File "<string>", line 1']),
        ("bad_parse", ["SyntaxError: invalid syntax", 'File "<unknown>", line 1']),
    ],
)
async def test_trouble_is_reported_and_the_guest_keeps_running(
    troubled, open_component, what, words
):
    async with open_component(troubled) as guest:
        error = await rejected(guest, what)
        assert error.case == "runtime-error"
        assert [word for word in words if word not in error.detail] == []
        assert len(error.detail) < 17_000
        assert await guest.handle_message(envelope(b"count")) == b"2"


async def test_a_typed_error_passes_unchanged(troubled, open_component):
    async with open_component(troubled) as guest:
        error = await rejected(guest, "timeout")
        assert (error.case, error.detail) == ("timeout", None)
        assert (await rejected(guest, "refused")).detail == "as it was raised"


async def test_a_refusal_of_the_host_that_is_not_caught_is_reported(
    troubled, open_component
):
    services = ScriptedServices(ask=DeliveryFailed("no actor listens"))
    async with open_component(troubled, services) as guest:
        error = await rejected(guest, "ask_a_missing_one")
        assert error.case == "runtime-error"
        assert "no actor listens" in error.detail.splitlines()[0]
        assert "in ask_a_missing_one" in error.detail


async def test_tracebacks_that_the_guest_makes_itself_have_lines(
    troubled, open_component
):
    async with open_component(troubled) as guest:
        shown = (await guest.handle_message(envelope(b"caught_by_itself"))).decode()
        assert "    return 1 / number\nZeroDivisionError" in shown


async def test_what_may_be_returned(troubled, open_component):
    async with open_component(troubled) as guest:
        assert await guest.handle_message(envelope(b"buffer")) == b"buffer"
        assert await guest.handle_message(envelope(b"echo")) is None
        assert await guest.handle_message(envelope(b"good_exec")) == b"42"
        assert await guest.handle_message(envelope(b"no_file")) == b"False"


async def test_self_lasts_from_call_to_call(troubled, open_component):
    async with open_component(troubled) as guest:
        for number in range(1, 4):
            answer = await guest.handle_message(envelope(b"count"))
            assert answer == str(number).encode()


async def test_initialize_that_raises_is_initialization_failed(
    troubled, open_component
):
    with pytest.raises(GuestRejected) as refusal:
        async with open_component(troubled, initialize="1"):
            pass
    error = refusal.value
    assert (error.phase, error.case) == ("initialize", "initialization-failed")
    assert error.detail.startswith("RuntimeError: initialize is broken\nTraceback")


async def test_shutdown_that_raises_is_shutdown_failed(troubled, open_component):
    async with open_component(troubled, shutdown="1") as guest:
        with pytest.raises(GuestRejected) as refusal:
            await guest.shutdown()
        assert refusal.value.case == "shutdown-failed"
        assert "shutdown is broken" in refusal.value.detail


async def test_a_callback_that_raises_is_a_runtime_error(troubled, open_component):
    async with open_component(troubled) as guest:
        with pytest.raises(GuestRejected) as refusal:
            await guest.handle_callback(envelope(b""))
        assert refusal.value.case == "runtime-error"
        assert refusal.value.detail.startswith("LookupError: callback\n")


@RUN("function", ["metadata", "health"])
async def test_a_function_without_an_error_logs_its_traceback_before_it_traps(
    troubled, open_component, services, function
):
    async with open_component(troubled, services, **{function: "1"}) as guest:
        with pytest.raises(GuestTrapped) as trap:
            await getattr(guest, function)()
        assert trap.value.reason is TrapReason.UNREACHABLE
    (level, text, context) = services.called("log")[-1]
    assert level is LogLevel.ERROR
    assert text.startswith(f"RuntimeError: {function} is broken\nTraceback")
    assert 'File "troubled.py", line' in text
    assert dict(context) == {"function": function, "exception": "RuntimeError"}


async def test_metadata_that_is_none_is_reported_and_does_not_trap(
    troubled, open_component, services
):
    async with open_component(troubled, services, operations="1") as guest:
        with pytest.raises(GuestTrapped):
            await guest.metadata()
    assert "supported_operations is not a list" in services.called("log")[-1][1]


async def test_metadata_and_health_arrive(troubled, open_component):
    async with open_component(troubled) as guest:
        about = await guest.metadata()
        assert (about.name, about.stateful) == ("troubled", True)
        assert (await guest.health()).value == "degraded"


async def test_what_is_printed_goes_to_the_log(troubled, open_component, services):
    async with open_component(troubled, services) as guest:
        assert await guest.handle_message(envelope(b"printing")) == b"printed"
    assert [(level, text) for level, text, _ in services.called("log")] == [
        (LogLevel.INFO, "one"),
        (LogLevel.WARN, "warned"),
        (LogLevel.INFO, "two"),
    ]


async def test_time_is_the_hosts(troubled, open_component, services, autojump_clock):
    async with open_component(troubled, services) as guest:
        now = await guest.handle_message(envelope(b"now"))
        assert now == b"(5.007, 5007000000)"
        dates = (await guest.handle_message(envelope(b"dates"))).decode()
        assert dates == (
            "1970-01-01 1970-01-01 00:00:06.007000 1970-01-01 00:00:05.007000+00:00"
            " 00:00:05 1970"
        )
        await guest.handle_message(envelope(b"sleep"))
    assert services.called("sleep") == [[0.25]]


def test_stubs_are_what_a_guest_imports(tmp_path):
    pytest.importorskip("componentize_py")
    write_stubs(tmp_path / "stubs")
    lifecycle = tmp_path / "stubs/wit_world/exports/component_lifecycle.py"
    assert "class ComponentMetadata" in lifecycle.read_text("utf-8")
    assert (tmp_path / "stubs/componentize_py_types.py").is_file()
    services = tmp_path / "stubs/wit_world/imports/host_services.py"
    for path in wit_directory().glob("host-services.wit"):
        for line in path.read_text("utf-8").splitlines():
            name, is_function, _ = line.strip().partition(": func(")
            if is_function:
                assert f"def {name.replace('-', '_')}(" in services.read_text("utf-8")


def test_stubs_are_written_again_over_what_is_there(tmp_path):
    pytest.importorskip("componentize_py")
    stubs = tmp_path / "stubs"
    write_stubs(stubs)
    first = {path: path.read_bytes() for path in stubs.rglob("*.py")}
    types, services = (
        stubs / "componentize_py_types.py",
        stubs / "wit_world/__init__.py",
    )
    unchanged = services.stat().st_mtime_ns
    types.write_text("out of date", "utf-8")
    (stubs / "wit_world/mine.py").write_text("mine", "utf-8")
    write_stubs(stubs)
    assert {path: path.read_bytes() for path in first} == first
    assert services.stat().st_mtime_ns == unchanged
    assert (stubs / "wit_world/mine.py").read_text("utf-8") == "mine"


def test_stubs_whose_place_cannot_be_written_name_it(tmp_path):
    pytest.importorskip("componentize_py")
    (tmp_path / "stubs").mkdir()
    (tmp_path / "stubs/wit_world").write_text("a file", "utf-8")
    with pytest.raises(BuildFailed, match="stubs/wit_world: File exists"):
        write_stubs(tmp_path / "stubs")
