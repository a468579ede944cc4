"""`airssys wit`: where guest toolchains find the world."""

from __future__ import annotations

import click

from airssys.building import wit_directory
from airssys.cli.common import escaped, say


@click.command("wit")
def command() -> None:
    """Print the path of the folder with the WIT files of airssys:core.

    Pass that folder, and the world runtime-host, to your own toolchain.
    """
    try:
        say(str(wit_directory()))
    except FileNotFoundError as error:
        raise click.ClickException(escaped(str(error))) from error
