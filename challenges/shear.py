"""The challenge ``shear``: the reduced shear of each field, from its individual exposures.

Two judges. A prediction for a split is scored field by field, and the scorecard says how small
a multiplicative bias the split could show at all. The harness decides m: it runs a method on
fresh pairs of fields that differ in nothing but the sign of the shear.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from ..scoring.scorecard import Scorecard
from ..scoring.shear import shear_scorecard, shear_sums
from ..simulators.scenes import Content
from ..simulators.sky import Sky
from ..version import __version__
from .challenge import Challenge, Scenario, Track
from .datasets import DatasetError, Split, open_split, open_truth
from .digests import digest_of
from .method import Field
from .shear_submission import SHEAR_SUBMISSION
from .sky_fields import fields
from .submissions import Table

__all__ = ["Shear", "psf_ellipticity"]

# VIS and the deepest LSST band with sharp images: four dithers, four condensed visits.
_DEEP = {"i": 4, "VIS": 4}
# |g| = 0.02: a real cosmic shear, whose second order (g² = 4e-4) is below what is asked for.
_HARNESS = {"shear_range": (0.02, 0.02), "partners": True}


class Shear(Challenge):
    """g1, g2 and their covariance, for every field."""

    name = "shear"
    question = "the reduced shear g1, g2 of each field and its covariance"
    tracks: ClassVar = {
        "joint": Track("joint", ("LSST", "EUCLID_VIS", "EUCLID_NISP"), "exposures of both surveys"),
        "lsst": Track("lsst", ("LSST",), "LSST exposures alone"),
    }
    scenarios: ClassVar = {
        "isolated": Scenario(
            "isolated",
            Sky(1, 100, _DEEP, content=Content("isolated"), **_HARNESS),
            "four galaxies with i < 24.5 in each scene, 9.6 arcsec apart, in VIS and LSST i",
        ),
        "field": Scenario(
            "field",
            Sky(1, 100, _DEEP, **_HARNESS),
            "natural blends to i = 27.5, in VIS and LSST i",
        ),
    }
    schema = SHEAR_SUBMISSION

    def ids(self, tier: str = "tiny", split: str = "validation") -> np.ndarray:
        """(n,) opaque ids of the fields."""
        return open_split(Split.of(tier, split))["fields/id"].to_numpy()

    def examples(
        self, tier: str = "tiny", track: str | None = None
    ) -> Iterator[tuple[Field, Mapping[str, float]]]:
        """The fields of the training split, with their truth."""
        truth = self.truth(tier, "train")["fields"].to_dataset()
        rows = {int(identity): row for row, identity in enumerate(truth["id"].to_numpy())}
        for field in self.given(tier, "train", track):
            row = rows[field.id]
            yield field, {str(name): float(values[row]) for name, values in truth.items() if name != "id"}

    def score(
        self,
        predictions: str | Path | Table | Mapping[str, Any],
        tier: str = "tiny",
        split: str = "validation",
        track: str | None = None,
        entry: str = "submission",
    ) -> Scorecard:
        """Judge shears predicted for the fields of a split.

        Arguments:
            predictions: a file, or a mapping with ``id g1 g2 cov11 cov22 cov12``.
            tier, split, track: what they are predictions for.
            entry: name on the scorecard.

        Raises:
            SubmissionError: with every problem of the predictions.
            DatasetError: if the truth is sealed or not here.
        """
        where = Split.of(tier, split)
        columns = self.read(predictions, tier, split, track)
        data, truth = open_split(where), open_truth(where)
        if not np.array_equal(data["fields/id"], truth["fields/id"]):
            raise DatasetError(f"{where.truth} is not the truth of {where.data}: make both again")
        true = np.stack([truth[f"fields/{g}"].to_numpy() for g in ("g1", "g2")], axis=1)
        given = fields(data, self.track(track).surveys, pixels=False)
        psf = np.array([psf_ellipticity(field) for field in given])
        sums = shear_sums(
            np.arange(len(true)),
            true,
            np.stack([columns["g1"], columns["g2"]], axis=1),
            covariance=np.stack([columns["cov11"], columns["cov22"], columns["cov12"]], axis=1),
            psf=psf,
        )
        return shear_scorecard(
            sums,
            use="score",
            track=self.track(track).name,
            tier=tier,
            split=split,
            entry=entry,
            provenance={
                "code": __version__,
                "dataset": data.attrs["content_sha256"],
                "submission": digest_of(predictions, columns),
            },
        )


def psf_ellipticity(field: Field) -> np.ndarray:
    """(2,) ellipticity e1, e2 on the sky of the PSFs of a field, averaged over its exposures.

    Gaussian-weighted second moments with the exposure's own FWHM as weight, turned from the
    pixel frame to the sky.
    """
    ellipticities = []
    for exposures in field.surveys.values():
        for e, psf in enumerate(exposures.psf):
            y, x = (np.indices(psf.shape) - psf.shape[0] // 2) * exposures.psf_pixel_arcsec
            weighted = psf * np.exp(-(x**2 + y**2) / 2 / (exposures.fwhm[e] / 2.3548) ** 2)
            pixel = np.array([[np.sum(weighted * a * b) for a in (x, y)] for b in (x, y)])
            back = np.linalg.inv(exposures.wcs[0, e, :, :2] * exposures.pixel_arcsec)
            sky = back @ pixel @ back.T
            # Moments give chi = (1−q²)/(1+q²), about twice e = (1−q)/(1+q), and the weight
            # halves the chi of a Gaussian of its own width: the two factors cancel.
            ellipticities.append(np.array([sky[0, 0] - sky[1, 1], 2 * sky[0, 1]]) / np.trace(sky))
    return np.mean(ellipticities, axis=0)
