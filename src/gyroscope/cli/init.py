"""`gyro init`: write a settings file in which every line is a default, with what it means beside it.

It writes one new file and never replaces one.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer
import yaml

from gyroscope.cli.options import JsonOption
from gyroscope.cli.output import print_json, say
from gyroscope.errors import SettingsError
from gyroscope.settings import FILE_NAME, describe
from gyroscope.settings_tree import Setting

HEAD = """\
# The settings of Gyroscope. Every line below is the default: change what you need, delete the rest.
# A key that does not exist is refused with its line. docs/settings.md lists them all.
"""

EXAMPLES = {"models": "flights", "label_sources": "outcomes", "notifiers": "team", "rules": "slow"}


def init(
    folder: Annotated[
        Path, typer.Argument(help="the folder to write gyroscope.yaml into", show_default="here")
    ] = Path(),
    as_json: JsonOption = False,
) -> None:
    """Write a commented gyroscope.yaml; an existing one is left alone."""
    path = folder.resolve() / FILE_NAME
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(settings_text())
    except FileExistsError as error:
        raise SettingsError("there is one already", where=str(path), fix="edit it, or choose another folder") from error
    if as_json:
        print_json({"written": str(path)})
    else:
        say(f"wrote {path}\nnext: gyro models add NAME ARTIFACT --signature signature.yaml, then gyro up")


def settings_text() -> str:
    """The file `gyro init` writes."""
    lines = [HEAD]
    for setting in describe():
        depth = setting.name.count(".")
        indent = "  " * depth
        key = setting.name.rpartition(".")[2]
        if "<name>" in setting.name:
            lines += _example(setting, depth)
        elif setting.default is None:
            lines += ["", f"{indent}# {setting.about}", f"{indent}{key}:"]
        else:
            lines.append(_line(f"{indent}{key}: {_value(setting.default)}", setting))
    return "\n".join(lines) + "\n"


def _example(setting: Setting, depth: int) -> list[str]:
    """Names are the user's to give, so what a model or a source gets is shown behind a comment sign."""
    if setting.default is None and not setting.name.endswith("<name>"):
        return [f"#{'  ' * depth}# {setting.about}", f"#{'  ' * depth}{setting.name.rpartition('.')[2]}:"]
    if setting.default is None:
        section = setting.name.partition(".")[0]
        return ["", f"# {setting.about}", f"{section}: {{}}", f"#  {EXAMPLES[section]}:"]
    return [_line(f"#{'  ' * depth}{setting.name.rpartition('.')[2]}: {_value(setting.default)}", setting)]


def _line(text: str, setting: Setting) -> str:
    choices = setting.kind.removeprefix("choice of ")
    return f"{text:<34}  # {setting.about}" + (f" ({choices})" if choices != setting.kind else "")


def _value(default: Any) -> str:
    plain = list(default) if isinstance(default, tuple) else default
    text: str = yaml.safe_dump(plain, default_flow_style=True, width=1_000)
    return text.removesuffix("...\n").strip()
