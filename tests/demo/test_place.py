"""The demo's own folder: nothing of it is left, whatever runs in it."""

from __future__ import annotations

import sys
import time
from pathlib import Path

from gyroscope.assembly import House
from gyroscope.clock import EventTime, wall_now
from gyroscope.demo.place import MODEL, Place
from gyroscope.retraining.trainer import start
from gyroscope.supervisor import procfs


def test_a_trainer_does_not_outlive_the_demo(tmp_path: Path):
    place = Place(tmp_path / "demo")
    place.make(8080, "challenger")
    house = House(place.settings)
    house.make_folders()
    training = house.trainings.begin(MODEL, "asked for", EventTime(0), "digest", 9)
    folder = house.home / "trainings" / f"{MODEL}-{training.number}"
    start(
        [sys.executable, "-c", "import os, time; print(os.getpid(), flush=True); time.sleep(600)"], folder, wall_now()
    )
    give_up = time.monotonic() + 30
    while not (folder / "log").read_text() and time.monotonic() < give_up:
        time.sleep(0.01)
    pid = int((folder / "log").read_text())
    place.clear()
    while procfs.start_ticks(pid) and time.monotonic() < give_up:
        time.sleep(0.01)
    assert not procfs.start_ticks(pid)
    assert not place.folder.exists()


def test_a_folder_that_was_never_made_is_cleared_too(tmp_path: Path):
    Place(tmp_path / "demo").clear()
    assert not (tmp_path / "demo").exists()
