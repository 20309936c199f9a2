"""The frozen records that cross borders between rooms.

Every room may read these; nothing here touches the world. Arrays stay inside rooms, records travel.
"""

from __future__ import annotations

from enum import Enum
from typing import Literal

import msgspec

from gyroscope.clock import EventTime

Dtype = Literal["float64", "float32", "int64", "bool", "string"]
Task = Literal["binary", "multiclass", "regression", "ranking"]
RunnerName = Literal["onnx", "lightgbm", "xgboost", "skops", "python", "external"]
Role = Literal["keep", "hash", "drop", "pii"]


class NotEnoughData(msgspec.Struct, frozen=True, tag=True):
    """Not knowing, as a value: never 0, NaN, None or "no drift"."""

    reason: str


class Feature(msgspec.Struct, frozen=True):
    """One input column. `categories` fixes the codes of a string column; `nullable` allows missing values.

    `role` says what the log may hold of it: the value, a keyed digest of it, or nothing; `pii` is a digest for a text,
    nothing for a number.
    """

    name: str
    dtype: Dtype = "float64"
    categories: tuple[str, ...] = ()
    nullable: bool = True
    role: Role = "keep"

    @property
    def is_hashed(self) -> bool:
        """Whether the log and references hold a digest instead of the value."""
        return self.role == "hash" or (self.role == "pii" and self.dtype == "string")

    @property
    def is_logged(self) -> bool:
        """Whether the log and references hold anything of it."""
        return self.role == "keep" or self.is_hashed


class Signature(msgspec.Struct, frozen=True):
    """What a model takes and gives back.

    `output` names the tensor of the reply. Binary: the probability of the positive class, decided at `threshold`.
    Multiclass: one probability per entry of `classes`. Regression: the value. Ranking: a score, the higher the further
    up in its list; rows with the same value of the feature `group` are one list, without it the rows of one request.
    """

    task: Task
    features: tuple[Feature, ...]
    output: str = "probability"
    classes: tuple[str, ...] = ()
    threshold: float = 0.5
    group: str = ""

    @property
    def says_probabilities(self) -> bool:
        """Whether outputs are probabilities; else they are any finite numbers."""
        return self.task in ("binary", "multiclass")

    @property
    def width(self) -> int:
        """Numbers per row of the output."""
        return len(self.classes) if self.task == "multiclass" else 1

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(feature.name for feature in self.features)

    @property
    def as_logged(self) -> Signature:
        """The signature as the table and references know it: a hashed feature is a text of any value.

        >>> private = Signature("binary", (Feature("age", role="drop"), Feature("plan", "string", ("a",), role="hash")))
        >>> [(feature.name, feature.categories) for feature in private.as_logged.features]
        [('plan', ())]
        """
        logged = [feature for feature in self.features if feature.is_logged]
        if len(logged) == len(self.features) and not any(feature.is_hashed for feature in logged):
            return self
        return msgspec.structs.replace(self, features=tuple(_digested(feature) for feature in logged))


def _digested(feature: Feature) -> Feature:
    if not feature.is_hashed:
        return feature
    return msgspec.structs.replace(feature, dtype="string", categories=())


class Version(msgspec.Struct, frozen=True):
    """One content-addressed model version; `version` is the first 12 hex digits of the SHA-256 of what it holds.

    `entry` is `module:Class` for the runner `python`; for a model served elsewhere, whose runner is `external` and
    which has no artifact, what it is called there; else empty.
    """

    model: str
    version: str
    runner: RunnerName
    artifact: str
    sha256: str
    signature: Signature
    created_at: EventTime
    notes: tuple[str, ...] = ()
    entry: str = ""


RouteRole = Literal["champion", "canary", "shadow", "standby"]


class Route(msgspec.Struct, frozen=True):
    """The share (0 to 1) of a model's traffic that one version gets, and as what.

    The champion answers; a canary is offered its share first, and the champion answers what it fails; a shadow is sent
    copies and answers nobody; a standby is ready to be champion again at once, and while a new champion is watched it
    keeps a share, the holdback, and answers what the champion fails.
    """

    model: str
    version: str
    share: float = 1.0
    role: RouteRole = "champion"


class Size(msgspec.Struct, frozen=True):
    """How many replicas a model is wanted to have."""

    model: str
    replicas: int


class Label(msgspec.Struct, frozen=True):
    """An outcome of one row of one request, named by its id or by the entity it was about (then `request_id` is empty).

    Order: `version`, else `labeled_at`, ties by the hash of the value. With an entity key it belongs to the newest
    prediction of that entity at or before `event_time`, else `labeled_at`, else the moment it is received.
    """

    request_id: str
    value: float | str
    row: int = 0
    version: int | None = None
    labeled_at: EventTime | None = None
    entity_key: str = ""
    event_time: EventTime | None = None


class LabelState(Enum):
    """Each label received is in exactly one."""

    JOINED = "joined"
    PENDING = "pending"
    QUARANTINED = "quarantined"
    DUPLICATE = "duplicate"
    SUPERSEDED = "superseded"
    REFUSED = "refused"


class Signal(msgspec.Struct, frozen=True):
    """One measured number of one series, at event time for what the data says and wall time for what the machine says.

    `value` is `NotEnoughData` when it is not known. `low` and `high` bound it where an interval exists; `n` is how many
    rows are behind it.
    """

    name: str
    at: EventTime
    value: float | NotEnoughData
    labels: tuple[tuple[str, str], ...] = ()
    low: float | None = None
    high: float | None = None
    n: int = 0


class Window(msgspec.Struct, frozen=True, order=True):
    """A half-open stretch of event time, [start, end)."""

    start: EventTime
    end: EventTime


CauseKind = Literal["quality", "performance", "relation", "estimate", "seasonal", "output", "input", "rule"]
"""What kind of monitor saw it, the likeliest root of several first: broken data makes predictions drift.

`rule` is a plain limit that somebody wrote into the settings.
"""


class Cause(msgspec.Struct, frozen=True, kw_only=True):
    """A change that a monitor is sure of: what monitoring hands to whoever makes incidents of it.

    `subjects` are columns, metrics or series, the most suspect first. The change began about `since`, was certain with
    the window that starts at `seen`, and `ended` with the window from which all was quiet again; None while it lasts.
    `harm_per_day` is |gap| x rows per day, in rows. What informs and must wake nobody has `pages` False. `is_settled`:
    it is over, and what comes now would be another cause.
    """

    model: str
    version: str
    kind: CauseKind
    subjects: tuple[str, ...]
    since: EventTime
    seen: EventTime
    reason: str
    ended: EventTime | None = None
    harm_per_day: float | NotEnoughData = NotEnoughData("the harm is not known")
    pages: bool = True
    bundle: tuple[Signal, ...] = ()
    note: str = ""
    is_settled: bool = False


class Noise(msgspec.Struct, frozen=True):
    """A person's verdict that an incident was not worth it: its kind, and the window with which it was certain."""

    incident: str
    kind: CauseKind
    seen: EventTime


class Decision(msgspec.Struct, frozen=True):
    """What a loop decided, the name of the reason, and the figures it rests on; `reason` is the value of an enum."""

    action: str
    reason: str
    evidence: dict[str, float | str] = {}


class Judged(msgspec.Struct, frozen=True):
    """Everything that monitors are sure of about a model now, over all of its history.

    `upto` is the start of the newest window judged, by version and kind: an incident that is newer is not contradicted.
    Causes that began within `near_us` of each other may be one. `at` is wall time, for the journal.
    """

    causes: tuple[Cause, ...]
    upto: dict[tuple[str, CauseKind], EventTime]
    near_us: int
    at: EventTime
