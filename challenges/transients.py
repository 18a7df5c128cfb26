"""The challenge ``transients``: what each transient is, with probabilities that mean what they say.

Predictions are judged against the classes of the truth; objects of classes that nothing could be trained on
count in how well a method knows that it does not know. Predictions for broken light curves, which are none of
any transient, may be given besides: a method should be less sure of them.

The track ``pixels`` asks the same about the tiers of ``sky`` that have transients in their exposures.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import xarray

from ..scoring.classification import classification_scorecard
from ..scoring.classification_sums import ClassificationSums, classification_groups, classification_sums
from ..scoring.probabilities import OUT_OF_DISTRIBUTION, clusters_of
from ..scoring.scorecard import Scorecard
from ..simulators.early import FROM_PEAK, PHASES
from ..simulators.transient_classes import CLASSES
from ..simulators.transient_population import expected_number
from ..version import __version__
from . import sky_tiers
from .broken_curves import BROKEN
from .challenge import Challenge
from .datasets import DatasetError, Split, open_split, open_truth
from .digests import digest_of
from .light_curves import LightCurves
from .names import choose
from .sky_alerts import AlertedField, fields_with_alerts
from .submissions import SubmissionError, Table
from .tiers import SKY, TRANSIENTS
from .transient_curves import TransientTrack, batches
from .transient_submission import TRANSIENTS_SUBMISSION, probabilities_of, samples_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["CLASS_WEIGHTS", "GROUP_METRICS", "Transients", "natural_numbers"]

_SURVEYS = ("LSST", "EUCLID_VIS", "EUCLID_NISP")
_PIXELS = "pixels"
_PIXEL_TIERS = tuple(name for name, tier in sky_tiers.TIERS.items() if tier.sky.transients is not None)

CLASS_WEIGHTS = tuple(2.0 if name in ("TDE", "KN") else 1.0 for name in CLASSES)
"""Weights of the PLAsTiCC loss: 2 for tidal disruptions and kilonovae, 1 for the others (Malz et al. 2019,
AJ 158, 171; the codes are those that its participants published)."""

GROUP_METRICS = ("log_loss", "accuracy", "accuracy_balanced", "ece_debiased", "efficiency", "purity")
"""What a scorecard tells of groups: the others are asked of all objects together."""

# Edges of the groups that scorecards break down by.
_GROUPS: Mapping[str, tuple[float, ...]] = {
    "signal_to_noise": (5.0, 10.0, 20.0, 50.0, 1e6),
    "redshift": (0.0, 0.2, 0.5, 1.0, 4.0),
    "detections": (2.0, 5.0, 10.0, 30.0, 1e6),
}


class Transients(Challenge):
    """Probabilities of twelve classes for every object."""

    name = "transients"
    question = "the class of each transient, as probabilities, from its light curve"
    dataset = "transients"
    tracks: ClassVar[Mapping[str, TransientTrack]] = {
        track.name: track
        for track in (
            TransientTrack("full", _SURVEYS, "whole light curves, no redshift"),
            TransientTrack("full-redshift", _SURVEYS, "the same and p(z) of the host", redshift=True),
            TransientTrack("early", _SURVEYS, "light curves cut about peak or first detection", early=True),
            TransientTrack(
                "early-redshift", _SURVEYS, "the same with p(z) of the host", redshift=True, early=True
            ),
            TransientTrack(
                "spectroscopic",
                _SURVEYS,
                "whole light curves; labels are those that follow-up would give",
                spectroscopic=True,
            ),
            TransientTrack(
                "spectroscopic-redshift",
                _SURVEYS,
                "the same with p(z) of the host",
                redshift=True,
                spectroscopic=True,
            ),
            TransientTrack(
                _PIXELS, _SURVEYS, "exposures of both surveys to measure them in: tiers ..-transients"
            ),
        )
    }
    scenarios: ClassVar = {}
    schema = TRANSIENTS_SUBMISSION
    piece = "object"

    def tracks_of(self, tier: str) -> Mapping[str, TransientTrack]:
        """The track ``pixels`` for tiers of ``sky``, all others for those of ``transients``."""
        pixels = tier in _PIXEL_TIERS
        return {name: track for name, track in self.tracks.items() if (name == _PIXELS) == pixels}

    def track(self, name: str | None = None, tier: str | None = None) -> TransientTrack:
        """The track of this name, or the default one: see `Challenge.track`."""
        return self.tracks[super().track(name, tier).name]

    def split(self, tier: str, split: str) -> Split:
        """The split of these names, of the dataset that the tier is of."""
        if tier in _PIXEL_TIERS:
            return Split.of(tier, split, dataset=SKY.name)
        choose("tier", tier, [*TRANSIENTS.tiers, *_PIXEL_TIERS])
        return super().split(tier, split)

    def ids(self, tier: str = "tiny", split: str = "validation") -> np.ndarray:
        """(n,) opaque ids of the objects."""
        return _ids(self.open(tier, split))

    def draw(
        self,
        data: xarray.DataTree,
        truth: xarray.DataTree | None = None,
        number: int = 0,
        *,
        exposures: bool = False,
        band: str | None = None,
    ) -> Figure:
        """The light curve of an object: see `transient_figures.light_curve_figure`."""
        from .transient_figures import light_curve_figure

        if "alerts" in data.children:
            raise ValueError(
                f"this tier has exposures, no curves: `skysynergy show shear --tier {data.attrs['tier']}` "
                "draws its scenes"
            )
        if exposures or band is not None:
            raise ValueError("transients have light curves, no exposures: draw an object, in all its bands")
        return light_curve_figure(data, truth, number)

    def given(
        self, tier: str = "tiny", split: str = "validation", track: str | None = None
    ) -> Iterator[LightCurves | AlertedField]:
        """The light curves of a split, some thousands at a time, as a track shows them.

        On the track ``pixels``, its fields of exposures, each with its alerts.
        """
        chosen = self.track(track, tier)
        tree = self.open(tier, split)
        yield from fields_with_alerts(tree) if chosen.name == _PIXELS else batches(tree, chosen)

    def examples(
        self, tier: str = "tiny", track: str | None = None
    ) -> Iterator[tuple[LightCurves | AlertedField, Mapping[str, np.ndarray]]]:
        """Pieces of the training split that have labels, with ``kind``, the codes of their classes."""
        chosen = self.track(track, tier)
        truth = _true_objects(self.truth(tier, "train"))
        kinds, start = truth["kind"].to_numpy().astype(np.int64), 0
        for piece in self.given(tier, "train", chosen.name):
            own = slice(start, start + len(piece.id))
            start = own.stop
            if chosen.spectroscopic and isinstance(piece, LightCurves):
                kept = truth["has_spectrum"].to_numpy()[own]
                yield piece.select(kept), {"kind": kinds[own][kept]}
            else:
                yield piece, {"kind": kinds[own]}

    def score(
        self,
        predictions: str | Path | Table | Mapping[str, Any],
        tier: str = "tiny",
        split: str = "validation",
        track: str | None = None,
        entry: str = "submission",
        *,
        broken: Mapping[str, str | Path | Table | Mapping[str, Any]] | None = None,
        n_resamples: int = 1000,
    ) -> Scorecard:
        """Judge probabilities predicted for the objects of a split.

        Arguments:
            predictions: a file, or a mapping with ``id`` and ``p_Ia`` to ``p_AGN``; those of samples besides.
            tier, split, track: what they are predictions for.
            entry: name on the scorecard.
            broken: predictions for the same ids with broken light curves, by kind (`broken_curves`). The
                provenance has a digest of each, ``submission_shuffle`` and so on.
            n_resamples: of the bootstrap.

        Raises:
            SubmissionError: with every problem of the predictions.
            DatasetError: if the truth is sealed or not here.
        """
        where = self.split(tier, split)
        for kind in broken or {}:
            choose("kind of broken light curves", kind, BROKEN)
        columns, spoiled = self._read_all(predictions, broken or {}, tier, split, track)
        data, truth = open_split(where), open_truth(where)
        ids, objects = _ids(data), _true_objects(truth)
        if not np.array_equal(ids, objects["id"]):
            raise DatasetError(f"{where.truth} is not the truth of {where.data}: make both again")
        kinds = objects["kind"].to_numpy().astype(np.int64)
        codes = np.where(kinds < len(CLASSES), kinds, OUT_OF_DISTRIBUTION)
        clusters = clusters_of(ids, n_clusters=int(np.clip(len(ids) // 4, 2, 512)))
        p, samples = probabilities_of(columns), samples_of(columns)
        sums = classification_sums(
            clusters,
            p,
            codes,
            samples=samples,
            broken={kind: probabilities_of(given) for kind, given in spoiled.items()},
            positive=0,
        )
        chosen = self.track(track, tier)
        groups = classification_groups(clusters, p, codes, _properties(data, truth, chosen), positive=0)
        if chosen.early:
            groups += tuple(_by_phase(truth, clusters, p, codes))
        return classification_scorecard(
            sums,
            track=chosen.name,
            tier=tier,
            split=split,
            entry=entry,
            weights=CLASS_WEIGHTS,
            # How many of those drawn were noticed is not known of scenes, which hold one each.
            rates=None if chosen.name == _PIXELS else natural_numbers(truth),
            classes=tuple(CLASSES),
            groups=groups,
            group_metrics=GROUP_METRICS,
            provenance={
                "code": __version__,
                "dataset": data.attrs["content_sha256"],
                "submission": digest_of(predictions, columns),
                **{f"submission_{kind}": digest_of((broken or {})[kind], spoiled[kind]) for kind in spoiled},
            },
            n_resamples=n_resamples,
        )

    def _read_all(
        self,
        predictions: str | Path | Table | Mapping[str, Any],
        broken: Mapping[str, str | Path | Table | Mapping[str, Any]],
        tier: str,
        split: str,
        track: str | None,
    ) -> tuple[dict[str, np.ndarray], dict[str, dict[str, np.ndarray]]]:
        """What was predicted for light curves and for broken ones, or the problems of all of them."""
        found: dict[str | None, dict[str, np.ndarray]] = {}
        problems, sources = [], []
        for kind, given in {None: predictions, **broken}.items():
            try:
                found[kind] = self.read(given, tier, split, track)
            except SubmissionError as error:
                where = "" if kind is None else f"on broken light curves ({kind}): "
                problems += [replace(problem, what=where + problem.what) for problem in error.problems]
                sources.append(error.source)
        if problems:
            raise SubmissionError(problems, " and ".join(dict.fromkeys(sources)))
        columns = found.pop(None)
        return columns, {kind: given for kind, given in found.items() if kind is not None}


def natural_numbers(truth: xarray.DataTree) -> np.ndarray:
    """(class,) mean numbers that a survey would notice in a square degree and ten years.

    From nature's rates, and the part of the simulated that were noticed: the mean over fields, since each is
    a place of its own, seen more or less often, where as many are drawn as it takes.
    """
    drawn, kept = (truth[f"fields/{name}"].to_numpy()[:, : len(CLASSES)] for name in ("drawn", "kept"))
    part = np.divide(kept, drawn, out=np.zeros(drawn.shape), where=drawn > 0)
    n_fields = np.maximum((drawn > 0).sum(axis=0), 1)
    return (
        part.sum(axis=0)
        / n_fields
        * [expected_number(name, square_degrees=1.0, years=10.0) for name in CLASSES]
    )


def _ids(data: xarray.DataTree) -> np.ndarray:
    """(n,) of the objects: of light curves, or of alerts in exposures."""
    return data["alerts/id" if "alerts" in data.children else "objects/id"].to_numpy()


def _true_objects(truth: xarray.DataTree) -> xarray.Dataset:
    """What is true of each object, in the order of their ids: of light curves, or of alerts in exposures."""
    return truth["transients" if "transients" in truth.children else "objects"].to_dataset()


def _properties(
    data: xarray.DataTree, truth: xarray.DataTree, track: TransientTrack
) -> dict[str, tuple[np.ndarray, tuple[float, ...]]]:
    """What objects are grouped by, of the observations that the track shows; of alerts in exposures, which
    nobody has measured, the redshift.
    """
    values = {"redshift": _true_objects(truth)["z"].to_numpy()}
    if "alerts" in data.children:
        return {name: (of, _GROUPS[name]) for name, of in values.items()}
    strongest, detections = [], []
    for curves in batches(data, track):
        highest = np.zeros(len(curves))
        np.maximum.at(highest, curves.owner, np.abs(curves.flux) / curves.error)
        strongest.append(highest)
        detections.append(curves.n_detections)
    values |= {
        "signal_to_noise": np.concatenate(strongest),
        "detections": np.concatenate(detections),
    }
    edges = dict(_GROUPS)
    if track.early:
        # Two detections make an object; the first of them may be all that is shown.
        edges["detections"] = (1.0, *edges["detections"])
    return {name: (values[name], edges[name]) for name in edges}


def _by_phase(
    truth: xarray.DataTree, clusters: np.ndarray, p: np.ndarray, codes: np.ndarray
) -> Iterator[tuple[str, tuple[float, float], ClassificationSums]]:
    """Sums of the objects of each cut."""
    counts_from, days = (truth[f"objects/{name}"].to_numpy() for name in ("until_from", "until_days"))
    for origin, phase in PHASES:
        rows = np.flatnonzero((counts_from == origin) & (days == phase))
        name = "days_from_peak" if origin == FROM_PEAK else "days_from_first_detection"
        sums = classification_sums(clusters[rows], p[rows], codes[rows], positive=0)
        yield name, (phase, phase), sums
