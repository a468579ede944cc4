"""Programs that are wrong; `# E:` names the errors that mypy must have for a line."""

from airssys import (
    ActorContext,
    Envelope,
    System,
    actor,
    blueprint,
    component,
    dynamic_supervisor,
    open_system,
    pool,
    run,
    supervisor,
    task,
    topology,
)


async def handle(context: ActorContext, envelope: Envelope) -> bytes:
    return b""


class Clerk:
    def __init__(self, name: str) -> None: ...

    async def handle(self, context: ActorContext, envelope: Envelope) -> None: ...


# A word that does not exist, and values of the wrong type.
@component("a.wasm", restart="sometimes")  # E: call-overload
class WrongRestart: ...


@component("a.wasm", mailbx=3)  # E: call-overload, call-overload
class WrongWord: ...


@component("a.wasm", limits={"fule": 3})  # E: call-overload
class WrongLimit: ...


@component("a.wasm", limits={"fuel": "much"})  # E: call-overload
class WrongLimitValue: ...


@component("a.wasm", env={"A": 1})  # E: dict-item
class WrongEnvironment: ...


@component
class WithoutCode: ...  # E: call-overload


@component("a.wasm")  # E: type-var
def not_a_class() -> None: ...


# Actors that could not handle a message.
@actor  # E: type-var
def not_async(context: ActorContext, envelope: Envelope) -> bytes:
    return b""


@actor(mailbox=3)  # E: type-var
async def too_few(context: ActorContext) -> bytes:
    return b""


@actor  # E: type-var
async def wrong_answer(context: ActorContext, envelope: Envelope) -> str:
    return ""


@actor
class WithoutHandle: ...  # E: type-var


@actor(limits={})  # E: call-overload, untyped-decorator
async def with_limits(context: ActorContext, envelope: Envelope) -> None: ...


actor("a", Clerk)  # E: arg-type, call-arg
actor("a", Clerk, 3)  # E: arg-type
actor("a")  # E: call-overload
actor("a", handle, names=["b"])  # E: call-overload
component("a", "a.wasm", names=["b"])  # E: call-overload
component("a", 3)  # E: call-overload


# Pools.
@pool(size="many")  # E: call-overload
class WrongSize(Clerk): ...


@pool(routing="random")  # E: call-overload
class WrongRouting(Clerk): ...


pool("a", 3)  # E: call-overload
pool("a", handle, sise=3)  # E: call-overload, call-overload
pool("a", handle, size={"most": 3})  # E: call-overload
pool("a", handle, lag="drop-oldest")  # E: call-overload
pool("a", handle, names=["b"])  # E: call-overload
pool("a", handle, key=len)  # E: arg-type
component("a", "a.wasm", lag="wait")  # E: call-overload


async def wrong_uses(system: System) -> None:
    await system.resize("a", "b")  # E: arg-type
    system.tell("a", b"", key=3)  # E: arg-type


# Trees.
@supervisor(restart=3)  # E: call-overload
class WrongSupervisor: ...


@topology(mailbox=3)  # E: call-overload
class WrongTopology: ...


@topology(engine={"tock": 0.1})  # E: call-overload
class WrongEngine: ...


supervisor("a", Clerk)  # E: call-overload
supervisor("a", component("a.wasm"))  # E: call-overload
blueprint(handle)  # E: arg-type
blueprint(stop_timeout="soon")  # E: arg-type


# Tasks and dynamic supervisors.
@task  # E: type-var
def not_a_task() -> None: ...


async def sweep(seconds: float) -> None: ...


task("a", sweep, "soon")  # E: arg-type
task("a", sweep, 1.0, mailbox=3)  # E: call-overload, call-overload
dynamic_supervisor("a", max_children="many")  # E: call-overload
dynamic_supervisor("a", strategy="one_for_all")  # E: call-overload, call-overload
actor("a", handle, poison="eat")  # E: call-arg, call-overload
component("a", "a.wasm", hook_timeout=1.0)  # E: call-overload, call-overload


# Systems.
class App: ...


async def main(system: System) -> None: ...


def wrong_main(system: str) -> None: ...


open_system("App")  # E: arg-type
open_system(App())  # E: arg-type
run(component("a", "a.wasm"), main)  # E: arg-type
run(App, wrong_main)  # E: arg-type
