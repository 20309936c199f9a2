"""The pages docs/cli.md and docs/settings.md, written from the commands and the settings themselves.

`python -m gyroscope.cli.reference docs` writes them; a test says when they are out of date.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

from gyroscope.cli.commands import gyro
from gyroscope.settings import describe

CLI_HEAD = """\
# Every command

<!-- Written by `python -m gyroscope.cli.reference docs`; a test compares it with the commands. -->

`gyro` is nouns and verbs. Exit codes: 0 fine, 1 found something (a check that fails, a refused label, a reference that
looks wrong), 2 failed. Errors are told on stderr: what, where, fix; with `--json` as one JSON object.
"""

SETTINGS_HEAD = """\
# Every setting

<!-- Written by `python -m gyroscope.cli.reference docs`; a test compares it with the settings. -->

One file, `gyroscope.yaml`; `gyro init` writes it with every default. Commands find it in the current folder or one
above, by `--settings`, or by the variable `GYROSCOPE_SETTINGS`. It is policy: nothing rewrites it. An unknown key or a
wrong value is refused with its line. What changes there holds from the next `gyro up` on.

| setting | value | default | what it does |
|---|---|---|---|
"""


def cli_page() -> str:
    """The page of commands, in the order of `gyro --help`."""
    shell = typer.main.get_command(gyro())
    return CLI_HEAD + "".join(_section(names, command) for names, command in _leaves(("gyro",), shell))


def settings_page() -> str:
    """The page of settings, in the order of the file."""
    lines = []
    for setting in describe():
        default = "" if setting.default is None else f"`{_yaml(setting.default)}`"
        kind = "" if setting.kind == "section" else setting.kind
        name = f"**{setting.name}**" if setting.kind == "section" else f"`{setting.name}`"
        lines.append(f"| {name} | {kind} | {default} | {setting.about} |\n")
    return SETTINGS_HEAD + "".join(lines)


def write_pages(folder: Path) -> None:
    """Write both pages."""
    (folder / "cli.md").write_text(cli_page(), encoding="utf-8")
    (folder / "settings.md").write_text(settings_page(), encoding="utf-8")


def _leaves(names: tuple[str, ...], command: Any) -> Iterator[tuple[tuple[str, ...], Any]]:
    inner = getattr(command, "commands", None)
    if inner is None:
        yield names, command
        return
    for name, child in inner.items():
        yield from _leaves((*names, name), child)


def _section(names: tuple[str, ...], command: Any) -> str:
    arguments = [one for one in command.params if one.param_type_name == "argument"]
    options = [one for one in command.params if one.param_type_name == "option" and one.name != "help"]
    usage = " ".join([*names, *(_usage(one) for one in arguments), *(["[OPTIONS]"] if options else [])])
    rows = [(f"`{_usage(one)}`", one.help or "", one) for one in arguments]
    rows += [
        (", ".join(f"`{word}`" for word in (*one.opts, *one.secondary_opts)), one.help or "", one) for one in options
    ]
    table = "".join(f"| {name} | {about} | {_default(one)} |\n" for name, about, one in rows)
    about = " ".join((command.help or "").split())
    return f"\n## {' '.join(names)}\n\n{about}\n\n    {usage}\n" + (
        f"\n| | | default |\n|---|---|---|\n{table}" if table else ""
    )


def _usage(argument: Any) -> str:
    name = argument.metavar or argument.name.upper()
    return name if argument.required else f"[{name}]"


def _default(parameter: Any) -> str:
    if parameter.required:
        return "required"
    if parameter.default in (None, "", False, ()) or callable(parameter.default):
        return ""
    return f"`{parameter.default}`"


def _yaml(default: Any) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, tuple):
        return str(list(default))
    return str(default) or "''"


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
