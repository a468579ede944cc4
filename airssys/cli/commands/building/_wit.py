"""`airssys wit`: where guest toolchains find the world, and modules for components."""

from __future__ import annotations

from pathlib import Path

import click

from airssys.building import wit_directory
from airssys.cli.common import escaped, say
from airssys.contracts import Artifact, ComponentRefused, EngineSettings
from airssys.wasm.lane.stubs import Described, describe, describe_wit, module_for


@click.group("wit", invoke_without_command=True)
@click.pass_context
def command(context: click.Context) -> None:
    """Print the path of the folder with the WIT files of airssys:core.

    Pass that folder, and the world runtime-host, to your own toolchain.
    """
    if context.invoked_subcommand is not None:
        return
    try:
        say(str(wit_directory()))
    except FileNotFoundError as error:
        raise click.ClickException(escaped(str(error))) from error


@command.command("stubs")
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help="The folder that the module is written to; the current one by default.",
)
@click.option(
    "--world",
    default="",
    help="The world, if FILE is WIT text that has several.",
)
def stubs(file: Path, output: Path, world: str) -> None:
    """Write a typed Python module for the component in FILE, or for WIT text.

    WIT text is a file whose name ends with .wit. It is read with the other files of its
    package, and with those in the folder deps beside it.

    The module has a class for each type, resource and interface of the component, so
    that type checkers and editors know what it takes and returns. It is named after FILE.
    A module with that name is replaced.
    """
    try:
        text = module_for(_described(file, world))
        output.mkdir(parents=True, exist_ok=True)
        path = output / f"{file.stem.replace('-', '_').replace('.', '_')}.py"
        path.write_text(text, "utf-8")
    except (ComponentRefused, OSError) as error:
        raise click.ClickException(escaped(str(error))) from error
    say(str(path))


def _described(file: Path, world: str) -> Described:
    if file.suffix == ".wit":
        return describe_wit(file, world)
    if world:
        raise click.UsageError("--world is for WIT text; a component has one world")
    return describe(Artifact.at(file), EngineSettings())
