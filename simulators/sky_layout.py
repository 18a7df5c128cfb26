"""How a sky lies in its two stores, data and truth, and what each scene and source puts there."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import quantisation
from .blending import blendedness
from .detections import detection_tables
from .detectors import CLIPPED
from .exposures import Exposures, pixels_across
from .knots import MAX_KNOTS
from .layout import Array, Column, Constant, Layout, Table
from .observations import Observation
from .realism import CLEAN
from .sky import Sky, exposure_bands
from .sources import Sources
from .surveys import BANDS, SURVEYS
from .transient_rows import alert_table, transient_tables

__all__ = [
    "calibration_arrays",
    "encoded",
    "exposure_rows",
    "layouts",
    "pixel_truth",
    "source_rows",
    "visit_arrays",
]

_NJY, _ARCSEC = {"units": "nJy"}, {"units": "arcsec"}
_PARTS = ("component",)
# What the truth tells of every source, by name of the attribute of `Sources`.
_TRUTH = {
    "x": Column("float64", attributes=_ARCSEC),
    "y": Column("float64", attributes=_ARCSEC),
    "z": Column("float64"),
    "spectrum": Column("int64"),
    "flux": Column("float64", (len(BANDS),), ("band",), _NJY),
    "component_flux": Column("float64", (2, len(BANDS)), (*_PARTS, "band"), _NJY),
    "half_light_arcsec": Column("float64", (2,), _PARTS, _ARCSEC),
    "sersic_n": Column("float64", (2,), _PARTS),
    "e1": Column("float64", (2,), _PARTS),
    "e2": Column("float64", (2,), _PARTS),
    "n_knots": Column("int64"),
    "knot_fraction": Column("float64"),
}


def layouts(sky: Sky, *, scenes_per_shard: int, attributes: Mapping[str, Any]) -> tuple[Layout, Layout]:
    """How the data and the truth of a sky lie in their stores.

    Arguments:
        sky: what is simulated.
        scenes_per_shard: a whole number of fields.
        attributes: of the roots of both stores.
    """
    n_scenes = sky.n_fields * sky.scenes_per_field
    pixels = ("scene", "exposure", "y", "x")
    scene, fields = (n_scenes,), (sky.n_fields,)
    entry, visit = ("scene", "exposure"), ("field", "exposure")
    arrays = [
        Array("scenes/id", ("scene",), scene, "int64"),
        Array("scenes/field", ("scene",), scene, "int64"),
        Array("fields/id", ("field",), fields, "int64"),
    ]
    constants, truth_tables, truths = [], [_source_table()], []
    for survey in SURVEYS.values():
        bands = exposure_bands(sky, survey.name)
        if not bands:
            continue
        e, size = len(bands), pixels_across(sky.width_arcsec, survey)
        width = 2 * round(survey.psf_width_arcsec * survey.psf_oversampling / survey.pixel_arcsec / 2) + 1
        group = survey.group
        nJy2 = {"units": "nJy2"}
        arrays += [
            Array(f"{group}/image", pixels, (*scene, e, size, size), "int16", attributes={"units": "step"}),
            Array(f"{group}/mask", pixels, (*scene, e, size, size), "uint8"),
            Array(f"{group}/step", entry, (*scene, e), "float32", attributes={"units": "nJy"}),
            Array(f"{group}/sky_variance", entry, (*scene, e), "float64", attributes=nJy2),
            Array(f"{group}/read_variance", entry, (*scene, e), "float64", attributes=nJy2),
            Array(f"{group}/wcs", (*entry, "pixel_axis", "affine"), (*scene, e, 2, 3), "float64"),
            Array(f"{group}/psf", (*visit, "psf_y", "psf_x"), (*fields, e, width, width), "float32"),
            *(
                Array(f"{group}/{name}", visit, (*fields, e), "float64", attributes=units)
                for name, units in _VISIT_UNITS.items()
            ),
        ]
        codes = np.array([BANDS[b].code for b in bands], dtype=np.uint8)
        constants.append(Constant(f"{group}/band", ("exposure",), codes, {"meaning": " ".join(BANDS)}))
        if sky.realism != CLEAN:
            truths += [
                Array(f"{group}/artefacts", pixels, (*scene, e, size, size), "uint8"),
                Array(f"{group}/residual", (*entry, "term"), (*scene, e, 3), "float64", attributes=_NJY),
                Array(f"{group}/true_psf", (*visit, "psf_y", "psf_x"), (*fields, e, width, width), "float32"),
                Array(f"{group}/psf_error", (*visit, "moment"), (*fields, e, 3), "float64"),
                Array(
                    f"{group}/map_error", (*visit, "plane"), (*fields, e, 2), "float64", attributes=_ARCSEC
                ),
                *(
                    Array(f"{group}/{name}", visit, (*fields, e), "float64", attributes=units)
                    for name, units in (("zero_point_error", {"units": "AB mag"}), ("throughput", {}))
                ),
            ]
        truth_tables.append(
            Table(
                group,
                "source",
                {
                    "position": Column("float32", (e, 2), ("exposure", "pixel_axis"), {"units": "pixel"}),
                    "flux": Column("float32", (e,), ("exposure",), {"units": "nJy"}),
                    "masked_fraction": Column("float32", (e,), ("exposure",)),
                },
            )
        )
    shared = {
        "n_scenes": n_scenes,
        "n_fields": sky.n_fields,
        "scenes_per_shard": scenes_per_shard,
        "attributes": dict(attributes),
    }
    truths += [
        Array("fields/id", ("field",), fields, "int64"),
        Array("fields/g1", ("field",), fields, "float64"),
        Array("fields/g2", ("field",), fields, "float64"),
    ]
    listed, matched, _ = detection_tables()
    truth_tables.append(matched)
    tables = [listed]
    if sky.transients is not None:
        counts = {name: len(exposure_bands(sky, name)) for name in SURVEYS}
        tables.append(alert_table())
        truth_tables += transient_tables({name: n for name, n in counts.items() if n})
    return (
        Layout(arrays=arrays, tables=tables, constants=constants, **shared),
        Layout(arrays=truths, tables=truth_tables, **shared),
    )


_VISIT_UNITS = {
    "mjd": {"units": "day"},
    "fwhm": {"units": "arcsec"},
    "m5": {"units": "AB mag"},
    "airmass": {},
    "electron": {"units": "nJy"},
    "condensed": {},
}


def encoded(
    taken: Exposures, observation: Observation, dither_key: bytes, scene: int
) -> dict[str, np.ndarray]:
    """One scene in every exposure of a survey as the data store holds it, by name of the array."""
    sigma = np.array([noise.sigma for noise in observation.backgrounds])
    step = (sigma / quantisation.STEPS_PER_SIGMA).astype(np.float32)
    shape = taken.image.shape[1:]
    group = observation.survey.group
    codes, mask = np.empty(taken.image.shape, np.int16), taken.mask.copy()
    # One exposure at a time: of ten years of visits together, every step would take 60 MB.
    for e in range(len(sigma)):
        dither = quantisation.dither(dither_key, group, scene, e, shape)
        codes[e], clipped = quantisation.encode(taken.image[e], step[e], dither)
        mask[e][clipped] |= CLIPPED
    return {
        "image": codes,
        "mask": mask,
        "step": step,
        "sky_variance": np.array([noise.sky_variance for noise in observation.backgrounds]),
        "read_variance": np.array([noise.read_variance for noise in observation.backgrounds]),
        "wcs": taken.wcs,
    }


def visit_arrays(observation: Observation) -> dict[str, np.ndarray]:
    """What the scenes of a field share in one survey, with a leading dimension of one field, by path."""
    group, visits = observation.survey.group, observation.visits
    columns = {
        "mjd": [visit.mjd for visit in visits],
        "fwhm": [visit.fwhm_arcsec for visit in visits],
        "m5": [visit.m5 for visit in visits],
        "airmass": [visit.airmass for visit in visits],
        "electron": [noise.electron for noise in observation.backgrounds],
        "condensed": [visit.condensed for visit in visits],
    }
    arrays = {f"{group}/{name}": np.array([values], dtype=float) for name, values in columns.items()}
    return arrays | {f"{group}/psf": observation.psf[None]}


def pixel_truth(taken: Exposures, mask: np.ndarray) -> dict[str, np.ndarray]:
    """What spoils the pixels of one scene in a survey, by name of the array; `mask` is as published."""
    return {"artefacts": taken.artefacts | (mask & CLIPPED), "residual": taken.residual}


def calibration_arrays(observation: Observation) -> dict[str, np.ndarray]:
    """The truth about what the calibration of a survey gets wrong, with a leading dimension of one field.

    ``psf_error``: relative error of the size, then of e1 and e2, of the supplied PSF.
    """
    group, errors = observation.survey.group, observation.errors
    columns = {
        "true_psf": observation.true_psf,
        "psf_error": [(one.size, one.e1, one.e2) for one in errors],
        "map_error": [one.offset_arcsec for one in errors],
        "zero_point_error": [one.zero_point for one in errors],
        "throughput": observation.throughput,
    }
    return {f"{group}/{name}": np.asarray(values)[None] for name, values in columns.items()}


def exposure_rows(sources: Sources, taken: Exposures, observation: Observation) -> dict[str, np.ndarray]:
    """The truth about each source of a scene in each exposure of a survey."""
    flux = sources.flux[:, [BANDS[visit.band].code for visit in observation.visits]]
    columns = {"position": taken.position, "flux": flux, "masked_fraction": taken.masked_fraction}
    return {name: values.astype(np.float32) for name, values in columns.items()}


def _source_table() -> Table:
    columns = dict(_TRUTH)
    columns["knots"] = Column("float64", (MAX_KNOTS, 2), ("knot", "plane"))
    columns |= {name: Column("int64") for name in ("id", "scene")}
    columns |= {name: Column("float64") for name in ("g1", "g2", "blendedness", "snr")}
    return Table("sources", "source", columns | detection_tables()[2])


def source_rows(
    sources: Sources, shears: NDArray[np.complex128], ids: np.ndarray, scene: int, sky: Sky
) -> dict[str, np.ndarray]:
    """The truth about each source of a scene: what it is, its shear and opaque id, and how it is blended."""
    blended, snr = blendedness(sources, sky.width_arcsec, drawn_by=sky.renderer)
    rows = {name: np.asarray(getattr(sources, name)) for name in _TRUTH}
    return rows | {
        "knots": np.stack([sources.knots.real, sources.knots.imag], axis=-1),
        "id": ids,
        "scene": np.full(len(sources), scene),
        "g1": shears.real,
        "g2": shears.imag,
        "blendedness": blended,
        "snr": snr,
    }
