"""`airssys wit`: where guest toolchains find the world."""

from __future__ import annotations

import click

from airssys.building import wit_directory
from airssys.cli.common import escaped, say


@click.command("wit")
def command() -> None:
    """Print the folder with the WIT text of airssys:core.

    A toolchain of your own is given that folder and the world runtime-host.
    """
    try:
        say(str(wit_directory()))
    except FileNotFoundError as error:
        raise click.ClickException(escaped(str(error))) from error
