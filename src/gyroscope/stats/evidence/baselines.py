"""What the reference windows say is normal, per stream: mean, variance between windows, memory, and tails.

Monitoring fits these once per reference; `scoring` and `detector` read them. They never change by themselves.
"""

from __future__ import annotations

import msgspec
import numpy as np
from scipy.special import ndtri

from gyroscope.records import NotEnoughData
from gyroscope.stats.arrays import Floats, Ints
from gyroscope.stats.evidence.eprocess import Sums
from gyroscope.stats.evidence.pooling import pooled
from gyroscope.stats.evidence.streams import Streams

LEAST_WINDOWS = 14
"""Fewer reference windows say too little about what is normal; 30 are fine, 60 good."""

MOST_MEMORY = 0.8

_FEW = 2_048
"""Up to so many pairs of windows all are compared, all streams at once; beyond, each stream searches."""

MEMORY_CLIP = 4.0
"""A window's residual counts at most 4 for the next one: a single broken day must not make its neighbour look odd."""


class Baselines(msgspec.Struct, frozen=True, eq=False, kw_only=True):
    """What is normal for S streams; those that cannot be judged are in `missing`, with the reason.

    Attributes
    ----------
    names, sides, weights, tolerances
        As in `Streams`, of the usable streams.
    missing : dict of str to NotEnoughData
    mean : float array, shape (S,)
        Of normal windows, in the unit of the stream.
    mean_variance : float array, shape (S,)
        How uncertain that mean is.
    tau2 : float array, shape (S,)
        Variance between windows beyond what their rows explain.
    rho : float array, shape (S,)
        Correlation of a window with the one before, 0 to 0.8. Above 0.6 the window is too short.
    typical : float array, shape (S,)
        Harmonic mean of the variances of the reference windows.
    residuals : float array, shape (S, D)
        Ascending per stream, infinite where a window is absent.
    windows : int array, shape (S,)
        Reference windows that have a value.
    total : float array, shape (S,)
        Sum of their normal scores, each times the root of its weight.

    Examples
    --------
    >>> from gyroscope.stats.evidence import stream
    >>> steady = fit_baselines(stream("loss", [0.9, 1.1] * 8, [0.01] * 16))
    >>> round(float(steady.mean[0]), 6), round(float(steady.tau2[0]), 6)
    (1.0, 0.000667)
    >>> fit_baselines(stream("loss", [0.9, 1.1], [0.01] * 2)).missing
    {'loss': NotEnoughData(reason='2 reference windows with a value; 14 are the least')}
    """

    names: tuple[str, ...]
    sides: Ints
    weights: Floats
    tolerances: Floats
    missing: dict[str, NotEnoughData]
    mean: Floats
    mean_variance: Floats
    tau2: Floats
    rho: Floats
    typical: Floats
    residuals: Floats
    windows: Ints
    total: Floats

    def sums(self) -> Sums:
        """The reference windows as the e-values want them, (S, 1) each.

        Their squares are those of as many windows without ties: a stream that hardly ever moved, such as a rare
        category, is not taken to be as quiet as it looked.
        """
        count = self.windows.astype(np.float64)
        square = normal_square(self.windows) + self.total**2 / count
        return Sums(*(part[:, np.newaxis] for part in (count, count, self.total, square)))

    def band(self, within: Floats) -> tuple[Floats, Floats]:
        """Where 95 of 100 normal windows lie, (low, high) of shape (S, T), for windows with this `within` (S, T)."""
        half = 1.96 * np.sqrt(within + self.tau2[:, np.newaxis])
        return self.mean[:, np.newaxis] - half, self.mean[:, np.newaxis] + half


def fit_baselines(reference: Streams, *, is_ordered: bool = True) -> Baselines:
    """Learn what is normal.

    Parameters
    ----------
    reference : Streams
        D windows that nothing was fitted on, in order of time, treated exactly as later windows will be.
    is_ordered : bool
        False for windows cut at random from rows without time: they have no memory and no variance between them, so
        both are taken as 0 ("independence assumed").

    Returns
    -------
    Baselines
        A stream with fewer than 14 windows is in `missing`. None of these raises: it is about data.

    Notes
    -----
    Variance between windows: the moment estimate of DerSimonian & Laird 1986. Memory: the lag-1 autocorrelation of
    the standardised residuals without its bias, drawn to that of the other streams as far as chance
    explains that they differ. Without it a true correlation of 0.6 gives 4.6 false alarms where 1 is allowed. Taken
    stream by stream, luck alone would cost every stream without memory 7 % of its signal.

    Examples
    --------
    >>> from gyroscope.stats.evidence import stream
    >>> normal = fit_baselines(stream("x:location", np.sin(np.arange(30.0) ** 2), np.full(30, 0.1)))
    >>> normal.names, normal.windows.tolist(), bool(normal.rho[0] < 0.3)
    (('x:location',), [30], True)
    """
    windows = reference.present.sum(axis=1)
    is_usable = windows >= LEAST_WINDOWS
    missing = {
        name: _too_few(int(count))
        for name, count, usable in zip(reference.names, windows, is_usable, strict=True)
        if not usable
    }
    usable = reference.select(tuple(name for name, is_in in zip(reference.names, is_usable, strict=True) if is_in))
    here = usable.present
    y, within = np.where(here, usable.y, 0.0), np.where(here, usable.within, np.inf)
    tau2 = variance_between(y, within) if is_ordered else np.zeros(len(usable.names))
    precision = np.where(here, 1 / (within + tau2[:, np.newaxis]), 0.0)
    total = precision.sum(axis=1)
    mean = (precision * y).sum(axis=1) / total
    standardised = standardise(usable, mean, tau2)
    rho = _memory(standardised) if is_ordered else np.zeros(len(usable.names))
    left = without_memory(standardised, rho)
    windows = here.sum(axis=1)
    residuals = np.sort(np.where(here, left, np.inf), axis=1)
    weight = precision * (windows / total)[:, np.newaxis]
    score = np.where(here, within_reference(left, residuals, windows[:, np.newaxis]), 0.0)
    return Baselines(
        names=usable.names,
        sides=usable.sides,
        weights=usable.weights,
        tolerances=usable.tolerances,
        missing=missing,
        mean=mean,
        mean_variance=1 / total,
        tau2=tau2,
        rho=rho,
        typical=windows / total,
        residuals=residuals,
        windows=windows,
        total=(np.sqrt(weight) * score).sum(axis=1),
    )


def standardise(streams: Streams, mean: Floats, tau2: Floats) -> Floats:
    """Values less their mean, in standard deviations of their window, shape (S, T); NaN where absent.

    Reference and later windows take this one way: equal values must stay equal, as scores count ties.

    Examples
    --------
    >>> from gyroscope.stats.evidence import stream
    >>> standardise(stream("loss", [1.0, 3.0], [0.5, 0.5]), np.array([1.0]), np.array([0.5])).tolist()
    [[0.0, 2.0]]
    """
    here = streams.present
    y, within = np.where(here, streams.y, np.nan), np.where(here, streams.within, 1.0)
    return (y - mean[:, np.newaxis]) / np.sqrt(within + tau2[:, np.newaxis])


def without_memory(standardised: Floats, rho: Floats) -> Floats:
    """Residuals less what the window before foretells, shape (S, T); after a gap nothing does.

    Examples
    --------
    >>> without_memory(np.array([[1.0, 2.0, np.nan, 2.0]]), np.array([0.5])).tolist()
    [[1.0, 1.5, nan, 2.0]]
    """
    left = standardised.copy()
    before = np.clip(standardised[:, :-1], -MEMORY_CLIP, MEMORY_CLIP)
    left[:, 1:] -= rho[:, np.newaxis] * np.where(np.isnan(before), 0.0, before)
    return left


def variance_between(y: Floats, within: Floats) -> Floats:
    """Variance between windows beyond what their rows explain, per stream, shape (S,).

    Parameters
    ----------
    y, within : float array, shape (S, D)
        A window whose `within` is infinite counts for nothing.

    Notes
    -----
    The moment estimate of DerSimonian & Laird 1986, Control. Clin. Trials 7, 177.

    Examples
    --------
    >>> variance_between(np.array([[0.0, 2.0]]), np.array([[0.01, 0.01]])).round(2).tolist()
    [1.99]
    """
    w = 1 / within
    total = np.maximum(w.sum(axis=1), np.finfo(np.float64).tiny)
    mean = (w * y).sum(axis=1) / total
    excess = (w * (y - mean[:, np.newaxis]) ** 2).sum(axis=1) - ((w > 0).sum(axis=1) - 1)
    scale = total - (w * w).sum(axis=1) / total
    found: Floats = np.divide(excess, scale, out=np.zeros_like(excess), where=scale > 0)
    return np.maximum(found, 0.0)


def ranks(values: Floats, reference: Floats) -> Floats:
    """Where values (S, T) stand among the reference (S, D), sorted, 0.5 to D + 0.5; ties count half.

    0.5 where a value is NaN.

    Examples
    --------
    >>> ranks(np.array([[0.0, 1.0, 1.5]]), np.array([[1.0, 2.0]])).tolist()
    [[0.5, 1.0, 1.5]]
    """
    place = np.empty(values.shape)
    if values.shape[1] * reference.shape[1] <= _FEW:
        known, here = reference[:, np.newaxis, :], values[:, :, np.newaxis]
        place = ((known < here).sum(axis=2) + (known <= here).sum(axis=2)) / 2 + 0.5
        return np.where(np.isnan(values), 0.5, place)
    for row, known in enumerate(reference):
        less, not_more = (known.searchsorted(values[row], side) for side in ("left", "right"))
        place[row] = (less + not_more) / 2 + 0.5
    return np.where(np.isnan(values), 0.5, place)


def within_reference(left: Floats, residuals: Floats, windows: Ints) -> Floats:
    """Scores of residuals `left` (S, T) within the range of the reference's (S, D), sorted; `windows` is (S, 1).

    Half by rank, half by size. The rank alone makes any law normal, but tells neighbours apart by luck: of 50 reference
    windows a shift of one or two standard deviations loses a tenth of its evidence. The size counts at most as much
    as the outermost rank, so that no law, however skewed, gives a window more than that.

    Examples
    --------
    >>> spread = np.linspace(-2, 2, 41)[np.newaxis]
    >>> within_reference(np.array([[0.0, 1.0, 2.0]]), spread, np.array([[41]])).round(1).tolist()
    [[-0.0, 0.7, 1.8]]
    """
    outermost = -ndtri(0.5 / (windows + 1))
    by_rank = ndtri(ranks(left, residuals) / (windows + 1))
    known = np.where(np.isfinite(residuals), residuals, 0.0)
    middle = known.sum(axis=1, keepdims=True) / windows
    variance = (known**2).sum(axis=1, keepdims=True) / windows - middle**2
    # A residual's own unit is 1; windows that vary by more than their variance says have theirs.
    by_size = np.clip((left - middle) / np.sqrt(np.maximum(variance, 1.0)), -outermost, outermost)
    halves: Floats = (by_rank + by_size) / 2
    return halves


def normal_square(windows: Ints) -> Floats:
    """Sum of the squared normal scores of as many windows without ties, shape as `windows`.

    Examples
    --------
    >>> normal_square(np.array([3])).round(3).tolist()
    [0.91]
    """
    sums = {count: float((ndtri(np.arange(1, count + 1) / (count + 1)) ** 2).sum()) for count in set(windows.tolist())}
    return np.array([sums[count] for count in windows.tolist()])


def _too_few(windows: int) -> NotEnoughData:
    return NotEnoughData(f"{windows} reference windows with a value; {LEAST_WINDOWS} are the least")


def _memory(standardised: Floats) -> Floats:
    here = np.isfinite(standardised)
    windows = here.sum(axis=1)
    centred = np.where(here, standardised, 0.0)
    centred = np.where(here, centred - (centred.sum(axis=1) / windows)[:, np.newaxis], 0.0)
    variance = (centred**2).sum(axis=1) / windows
    pairs = np.maximum((here[:, 1:] & here[:, :-1]).sum(axis=1), 1)
    product = (centred[:, 1:] * centred[:, :-1]).sum(axis=1) / pairs
    lag: Floats = np.divide(product, variance, out=np.zeros_like(product), where=variance > 0)
    # Around a mean that was estimated, the lag-1 correlation is (1 + 3 rho) / D too low on average (Kendall 1954).
    scale = 1 - 3 / windows
    own, error = (lag + 1 / windows) / scale, 1 / np.sqrt(windows) / scale
    drawn, _ = pooled(own, error)
    # One standard error at most: a stream that truly remembers more than hundreds of others keeps most of it.
    limited = np.clip(drawn, own - error, own + error)
    # 1/D more: what was left of a memory of 0.3 raised 1.3 false alarms after 20 reference windows, 1.05 with it.
    raised: Floats = np.clip(limited + 1 / windows, 0.0, MOST_MEMORY)
    return raised
