"""All exposures of one scene of an opened split, ready to be looked at."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray

from ..simulators.surveys import BANDS, SURVEYS, Survey

__all__ = ["SceneExposures", "exposures_of", "field_of"]


@dataclass(frozen=True)
class SceneExposures:
    """The exposures that one survey took of one scene.

    Attributes:
        survey: the instrument.
        image: (exposure, y, x) nJy.
        mask: (exposure, y, x), 0 is good.
        variance: (exposure,) of an empty pixel, nJy².
        wcs: (exposure, 2, 3) affine map from arcsec to pixels.
        band: (exposure,) names.
        visits: (exposure,) columns mjd, fwhm, m5, condensed.
        psf: (exposure, py, px).
    """

    survey: Survey
    image: np.ndarray
    mask: np.ndarray
    variance: np.ndarray
    wcs: np.ndarray
    band: tuple[str, ...]
    visits: dict[str, np.ndarray]
    psf: np.ndarray


def field_of(data: xarray.DataTree, scene: int) -> int:
    """The number of the field to which a scene belongs.

    Raises:
        ValueError: if there is no such scene; it names those there are.
        ValueError: if `data` is no opened split.
    """
    if "scenes" not in data.children:
        raise ValueError("this is no opened split of the sky: it has no group /scenes")
    fields = np.asarray(data["scenes/field"])
    if not 0 <= scene < len(fields):
        raise ValueError(f"there is no scene {scene}: this split has scenes 0 to {len(fields) - 1}")
    return int(fields[scene])


def exposures_of(data: xarray.DataTree, scene: int) -> list[SceneExposures]:
    """What each survey took of a scene, in the order of the surveys; reads that scene only.

    Raises:
        ValueError, ValueError: as `field_of`; also if the images are not decoded, or none is there.
    """
    field = field_of(data, scene)
    names = list(BANDS)
    result = []
    for survey in SURVEYS.values():
        if survey.group not in data.children:
            continue
        group = data[survey.group].to_dataset()
        if group["image"].dtype.kind != "f":
            raise ValueError(
                f"/{survey.group}/image holds integers, not nJy: open the split with "
                "skysynergy.challenges.datasets.open_split, which decodes it"
            )
        one = {
            name: group[name].isel(scene=scene).to_numpy()
            for name in ("image", "mask", "sky_variance", "read_variance", "wcs")
        }
        shared = {
            name: group[name].isel(field=field).to_numpy()
            for name in ("mjd", "fwhm", "m5", "condensed", "psf")
        }
        result.append(
            SceneExposures(
                survey=survey,
                image=one["image"],
                mask=one["mask"],
                variance=one["sky_variance"] + one["read_variance"],
                wcs=one["wcs"],
                band=tuple(names[code] for code in group["band"].to_numpy()),
                psf=shared.pop("psf"),
                visits=shared,
            )
        )
    if not result:
        groups = " ".join(f"/{survey.group}" for survey in SURVEYS.values())
        raise ValueError(f"this split holds no exposures: it has none of {groups}")
    return result
