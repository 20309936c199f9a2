"""docs/cli.md and docs/settings.md are what the commands and settings say today."""

from __future__ import annotations

from pathlib import Path

import pytest

from gyroscope.cli.reference import cli_page, settings_page, write_pages

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.parametrize(("name", "page"), [("cli.md", cli_page), ("settings.md", settings_page)])
def test_the_page_is_up_to_date(name, page):
    fix = "run: .venv/bin/python -m gyroscope.cli.reference docs"
    assert (DOCS / name).read_text(encoding="utf-8") == page(), fix


def test_a_page_names_commands_arguments_options_and_defaults():
    page = cli_page()
    assert "## gyro models add" in page
    assert "| `--signature` | YAML or JSON file of inputs and output; else that of the model so far |  |" in page
    assert "| `--port` | port of the door | `8080` |" in page


def test_both_pages_are_written(tmp_path: Path):
    write_pages(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"cli.md", "settings.md"}
