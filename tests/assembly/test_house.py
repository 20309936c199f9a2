"""The folders of a home: made private, and refused where somebody else was there first."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from gyroscope.assembly import House
from gyroscope.errors import StoreError


@pytest.fixture
def house(tmp_path: Path) -> House:
    settings = tmp_path / "gyroscope.yaml"
    settings.write_text("home: home\nruntime_dir: run\n")
    return House(settings)


def test_every_folder_is_private(house: House) -> None:
    house.make_folders()
    house.make_folders()
    for folder in (house.home, house.logs, house.run_dir, house.runtime, house.segments, house.runtime / "sockets"):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_a_runtime_folder_that_others_may_write_to_is_refused(house: House) -> None:
    house.runtime.mkdir(mode=0o700)
    house.runtime.chmod(0o777)
    with pytest.raises(StoreError, match="not ours alone"):
        house.make_folders()
    assert list(house.runtime.iterdir()) == []


def test_a_runtime_folder_of_another_user_is_refused(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    house.runtime.mkdir(mode=0o700)
    me = os.getuid()
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    with pytest.raises(StoreError, match="not ours alone"):
        house.make_folders()


def test_a_link_in_its_place_is_refused(house: House, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o700)
    house.runtime.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="not ours alone"):
        house.make_folders()
