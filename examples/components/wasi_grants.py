"""What each grant for WASI opens: one program for each, with the grant and without it.

Each program tries one thing and writes whether it may. What it writes comes into its log,
so it holds `stdout()` too; the last two do not, or write lines that `log` drops.
"""

from pathlib import Path

from airssys import (
    Artifact,
    ChildExited,
    ExitKind,
    Grant,
    Logged,
    Started,
    System,
    blueprint,
    component,
    dynamic_supervisor,
    run,
)
from airssys.security import (
    arguments,
    connect,
    env,
    http,
    log,
    monotonic_clock,
    random,
    read_files,
    stdout,
)

HERE = Path(__file__).parent
TEXT = (HERE / "wasi_grants.wat").read_text()
TRIES: dict[str, tuple[str, Grant]] = {
    "know a variable": (
        "(call $variables (i32.const 96)) (i32.load (i32.const 100))",
        env("SHOP"),
    ),
    "know its arguments": (
        "(call $arguments (i32.const 96)) (i32.load (i32.const 100))",
        arguments(),
    ),
    "measure time": ("(i64.ne (call $now) (call $now))", monotonic_clock()),
    "draw lots": ("(i64.ne (call $chance) (call $chance))", random()),
    "find a folder": (
        "(call $folders (i32.const 96)) (i32.load (i32.const 100))",
        read_files("/data/**", at=str(HERE)),
    ),
    "make a socket": (
        """(call $socket (i32.const 0) (i32.const 96))
        (i32.eqz (i32.load8_u (i32.const 96)))""",
        connect("127.0.0.1", 9),
    ),
    "ask a server": (
        """(local.set $it (call $request (call $fields)))
        (drop (call $authority  ;; at 24 stands 127.0.0.1:9
          (local.get $it) (i32.const 1) (i32.const 24) (i32.const 11)))
        (call $handle (local.get $it) (i32.const 0) (i32.const 0) (i32.const 96))
        (i32.eqz (i32.load8_u (i32.const 96)))""",
        http("https://127.0.0.1:9"),
    ),
}
"""What is tried, how one sees that it was allowed, and the grant for it."""


async def tried(system: System, does: str, *can: Grant) -> str:
    """Run a program to its end; returns what it wrote, or why it was stopped."""
    code = Artifact.from_text(TEXT.replace("(MAY)", does), "wasi_grants.wat")
    program = component(
        "program", code, can=can, env={"SHOP": "open"}, restart="temporary"
    )
    with system.events() as events:
        answer = await system.supervisor("root/programs").start_child(program)
        if not isinstance(answer, Started):
            return str(answer)
        lines = []
        async for event in events:
            if isinstance(event, Logged):
                lines.append(event.message)
            elif isinstance(event, ChildExited):
                crashed = event.reason.kind is ExitKind.CRASH
                return " ".join(lines) or ("stopped" if crashed else "nothing")
    raise AssertionError("the system ended")


async def main(system: System) -> None:
    for what, (does, grant) in TRIES.items():
        for can in ([stdout(), grant], [stdout()]):
            print(f"{what}: {await tried(system, does, *can)}")
    does = TRIES["measure time"][0]
    print(f"write: {await tried(system, does)}")
    print(f"write: {await tried(system, does, stdout(), log('error'))}")


if __name__ == "__main__":
    run(blueprint(dynamic_supervisor("programs")), main, log="off")
