"""What the docs do not name does not exist: settings, commands, backends, extras, signals, errors, links."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from gyroscope import errors
from gyroscope.backends import BACKENDS
from gyroscope.errors import GyroscopeError
from gyroscope.records import LabelState
from gyroscope.settings import describe
from gyroscope.stats.performance import METRICS

LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")
SIGNAL = re.compile(r"""(?:write|write\.put|Signal)\(\s*"(\w+)\"""")
HEADER = re.compile(r"""b?"(x-(?:request|event|entity|model|logged)[\w-]*)\"""", flags=re.IGNORECASE)


@pytest.fixture(scope="module")
def written(root: Path) -> str:
    """Everything that people wrote, without the two generated pages."""
    pages = [root / "README.md", *sorted((root / "docs").rglob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages if page.name not in ("cli.md", "settings.md"))


@pytest.mark.parametrize("name", [setting.name for setting in describe()])
def test_the_setting_is_named(root: Path, name: str):
    assert name in (root / "docs" / "settings.md").read_text(encoding="utf-8"), f"describe {name} where it is declared"


@pytest.mark.parametrize("name", [f"{kind}: {name}" for kind, names in BACKENDS.items() for name in names])
def test_the_backend_has_a_paragraph(written: str, name: str):
    assert f"`{name.split(': ')[1]}`" in written, "give the backend a paragraph in docs/"


def test_every_command_is_shown_in_use(root: Path, written: str):
    commands = re.findall(
        r"^## (gyro [\w ]+)$", (root / "docs" / "cli.md").read_text(encoding="utf-8"), flags=re.MULTILINE
    )
    assert len(commands) > 10
    unused = [command for command in commands if command not in written]
    assert not unused, f"no page but the reference shows: {unused}"


def test_every_extra_is_named(root: Path, written: str):
    extras = tomllib.loads((root / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    unnamed = [
        extra for extra in extras if extra != "test" and not re.search(rf"gyroscope\[[\w,]*\b{extra}\b", written)
    ]
    assert not unnamed, f"say what these extras are for: {unnamed}"


def test_every_signal_and_metric_is_named(root: Path):
    page = (root / "docs" / "monitoring.md").read_text(encoding="utf-8")
    sources = [*(root / "src" / "gyroscope" / "monitoring").glob("*.py")]
    signals = {name for source in sources for name in SIGNAL.findall(source.read_text(encoding="utf-8"))}
    assert {"performance", "drift", "requests_per_s"} <= signals
    metrics = {name for names in METRICS.values() for name in names}
    unnamed = sorted(name for name in signals | metrics if f"`{name}`" not in page)
    assert not unnamed, f"docs/monitoring.md does not name: {unnamed}"


def test_every_header_is_named(root: Path, written: str):
    sources = (root / "src" / "gyroscope" / "serving").rglob("*.py")
    headers = {name.lower() for source in sources for name in HEADER.findall(source.read_text(encoding="utf-8"))}
    assert "x-request-id" in headers
    unnamed = sorted(name for name in headers if f"`{name}`" not in written.lower())
    assert not unnamed, f"docs/predictions.md does not name: {unnamed}"


def test_every_state_of_a_label_is_named(root: Path):
    page = (root / "docs" / "labels.md").read_text(encoding="utf-8")
    assert [state.value for state in LabelState if f"`{state.value}`" not in page] == []


def test_every_error_is_named(root: Path):
    page = (root / "docs" / "operations.md").read_text(encoding="utf-8")
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, GyroscopeError)]
    assert [kind.__name__ for kind in kinds if f"`{kind.__name__}`" not in page] == []


def test_every_link_leads_somewhere(page: Path, root: Path):
    targets = [target for target in LINK.findall(page.read_text(encoding="utf-8")) if "://" not in target]
    lost = [target for target in targets if not (page.parent / target).exists()]
    assert not lost, f"{page.relative_to(root)} links to what is not there: {lost}"


def test_every_page_can_be_reached_from_the_readme(root: Path):
    index = "\n".join((root / name).read_text(encoding="utf-8") for name in ("README.md", "docs/README.md"))
    lost = [page.name for page in (root / "docs").glob("*.md") if page.name not in index and page.name != "README.md"]
    assert not lost, f"link these from docs/README.md: {lost}"
