"""The commands, by name; the module of a command is imported when it is run.

Each command only imports what it needs, and listing the commands imports none of them.
"""

from __future__ import annotations

import importlib
from typing import Final

import click

import airssys
from airssys.contracts import meant

_COMMANDS: Final[dict[str, tuple[str, str]]] = {
    "audit": ("_audit", "Verify and read an audit log."),
    "build": (
        "building:build",
        "Build a component from Python, C, Rust, Go or JavaScript.",
    ),
    "cache": ("_cache", "List or clear compiled components."),
    "check": ("_check", "Find all mistakes in a topology."),
    "inspect": ("_inspect", "Show what a component is and what it needs to run."),
    "manifest": ("_manifest", "Check and explain manifests (Component.toml)."),
    "run": ("_run", "Run a topology until it gets a signal, or a WASI program."),
    "serve": ("_serve", "Serve a component that handles requests of HTTP."),
    "toolchains": ("building:toolchains", "Show which languages can be built here."),
    "tree": ("_tree", "Draw the tree that a topology declares."),
    "wit": ("building:wit", "Print the path of the folder with the WIT files."),
}
"""By name: the module of the command, and its line in the list.

A package of several commands is followed by the name of the one in it.
"""


class _Commands(click.Group):
    """A group that only knows the names of its commands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """List the names of all commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command; None if it does not exist."""
        if cmd_name not in _COMMANDS:
            return None
        where, _, name = _COMMANDS[cmd_name][0].partition(":")
        module = importlib.import_module(f"airssys.cli.commands.{where}")
        command: click.Command = getattr(module, name or "command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; of one that there is not, name the nearest."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            if not args:
                raise
            hint = meant(args[0], _COMMANDS, "the commands are")
            text = f"{error.message.rstrip('.')}: {hint}"
            raise click.UsageError(text, ctx) from error

    def format_commands(
        self, ctx: click.Context, formatter: click.HelpFormatter
    ) -> None:
        """Write the list of commands without importing them."""
        lines = [(name, _COMMANDS[name][1]) for name in self.list_commands(ctx)]
        if lines:
            with formatter.section("Commands"):
                formatter.write_dl(lines)


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(airssys.__version__, prog_name="airssys")
def main() -> None:
    """Run WebAssembly components as supervised actors."""
