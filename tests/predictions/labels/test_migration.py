"""Labels of the first format: all of them are there after the file is opened, in the states they had."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gyroscope.clock import EventTime
from gyroscope.predictions.labels.labels import Labels
from gyroscope.records import Label, Signature

FIRST_FORMAT = """
CREATE TABLE labels(
  model TEXT NOT NULL, request_id TEXT NOT NULL, row INTEGER NOT NULL, digest BLOB NOT NULL, value NOT NULL,
  kind INTEGER NOT NULL, number INTEGER NOT NULL, tie BLOB NOT NULL, state TEXT NOT NULL, day TEXT,
  received_at INTEGER NOT NULL, copies INTEGER NOT NULL DEFAULT 0,
  PRIMARY KEY(model, request_id, row, digest)) WITHOUT ROWID;
CREATE INDEX labels_joined ON labels(model, day) WHERE state = 'joined';
CREATE INDEX labels_pending ON labels(model, received_at) WHERE state = 'pending';
CREATE TABLE refused(
  model TEXT NOT NULL, received_at INTEGER NOT NULL, position INTEGER NOT NULL, label TEXT NOT NULL,
  reason TEXT NOT NULL);
CREATE TABLE totals(
  model TEXT NOT NULL, state TEXT NOT NULL, count INTEGER NOT NULL, PRIMARY KEY(model, state)) WITHOUT ROWID;
CREATE TABLE dirty(
  model TEXT NOT NULL, day TEXT NOT NULL, handed_out INTEGER NOT NULL, PRIMARY KEY(model, day)) WITHOUT ROWID;
CREATE TABLE seen(model TEXT PRIMARY KEY, epoch TEXT NOT NULL, seq INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE arrivals(last INTEGER NOT NULL);
INSERT INTO labels VALUES
  ('m', 'a', 0, x'01', 1.0, 0, 3, x'', 'joined', '2013-03-01', 10, 1),
  ('m', 'a', 0, x'02', 0.0, 0, 2, x'', 'superseded', NULL, 10, 0),
  ('m', 'b', 1, x'03', 1.0, 2, 7, x'', 'pending', NULL, 20, 0),
  ('m', 'c', 0, x'04', 1.0, 1, 99, x'', 'quarantined', NULL, 5, 0),
  ('n', 'a', 0, x'05', 0.0, 1, 1, x'', 'pending', NULL, 20, 0);
INSERT INTO refused VALUES('m', 10, 4, '{"request_id": "x"}', 'why');
INSERT INTO totals VALUES('m', 'joined', 1), ('m', 'superseded', 1), ('m', 'pending', 1), ('m', 'quarantined', 1),
  ('m', 'duplicate', 1), ('m', 'refused', 1), ('n', 'pending', 1);
INSERT INTO dirty VALUES('m', '2013-03-01', 1);
INSERT INTO seen VALUES('m', 'e', 5);
INSERT INTO arrivals VALUES(5);
"""


def test_everything_is_taken_over_once(tmp_path: Path) -> None:
    with sqlite3.connect(tmp_path / "labels.db") as old:
        old.executescript(FIRST_FORMAT)
    old.close()
    signature = Signature("binary", ())
    labels = Labels(tmp_path, lambda _: signature)
    before = {"joined": 1, "pending": 1, "quarantined": 1, "duplicate": 1, "superseded": 1, "refused": 1}
    assert labels.counts("m") == before
    assert labels.counts("m", as_of=EventTime(30)) == before | {"pending": 2, "quarantined": 0}, "30 days are not over"
    assert labels.counts("n")["pending"] == 1
    ids, rows, values = labels.of_day("m", "2013-03-01")
    assert (ids.tolist(), rows.tolist(), values.tolist()) == (["a"], [0], [1.0])
    assert labels.refused("m") == [(4, '{"request_id": "x"}', "why")]
    assert labels.settle("m", EventTime(30)) == {"2013-03-01"}
    again = [Label("a", 1.0), Label("a", 0.0), Label("b", 1.0, 1, version=7), Label("c", 1.0, labeled_at=EventTime(99))]
    assert labels.add("m", again, EventTime(40)).counts["duplicate"] == 4
    labels.close()
    assert Labels(tmp_path, lambda _: signature).counts("m")["duplicate"] == 5, "and not once more"
