"""The dataset ``sky`` as methods see it: fields of exposures in nJy, from an opened store or from arrays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import xarray

from ..simulators import quantisation
from ..simulators.surveys import BANDS, SURVEYS
from .method import Field, SurveyExposures

__all__ = ["decoded", "field_from_arrays", "fields"]


def decoded(tree: xarray.DataTree) -> xarray.DataTree:
    """An opened store with images in nJy, which are decoded where they are indexed."""
    key = tree.attrs["dither_key"].encode()
    for survey in SURVEYS.values():
        if survey.group in tree.children:
            dataset = tree[survey.group].to_dataset()
            image = quantisation.decode_array(dataset["image"], dataset["step"], key, survey.group)
            image.attrs["units"] = "nJy"
            tree[survey.group] = xarray.DataTree(dataset.assign(image=image))
    return tree


def fields(
    tree: xarray.DataTree, surveys: Sequence[str] = tuple(SURVEYS), *, pixels: bool = True
) -> Iterator[Field]:
    """The fields of an opened split, one at a time, with the exposures of these surveys.

    Without `pixels`, images and masks are empty and nothing large is read.
    """
    numbers = tree["scenes/field"].to_numpy()
    ids = tree["fields/id"].to_numpy()
    for number, identity in enumerate(ids):
        scenes = np.flatnonzero(numbers == number)
        one = slice(int(scenes[0]), int(scenes[-1]) + 1)
        arrays = {}
        bands = {}
        for survey in SURVEYS.values():
            if survey.name in surveys and survey.group in tree.children:
                group = tree[survey.group].to_dataset()
                bands[survey.name] = group["band"].to_numpy()
                for name in _SCENE_ARRAYS:
                    chosen = group[name][one]
                    if not pixels and name in ("image", "mask"):
                        chosen = chosen[..., :0, :0]
                    arrays[f"{survey.group}/{name}"] = chosen.to_numpy()
                for name in _FIELD_ARRAYS:
                    arrays[f"{survey.group}/{name}"] = group[name][number : number + 1].to_numpy()
        yield field_from_arrays(int(identity), float(tree.attrs["sky"]["width_arcsec"]), arrays, bands)


_SCENE_ARRAYS = ("image", "mask", "sky_variance", "read_variance", "wcs")
_FIELD_ARRAYS = ("electron", "mjd", "fwhm", "m5", "airmass", "psf")


def field_from_arrays(
    identity: int, width_arcsec: float, arrays: dict[str, np.ndarray], bands: dict[str, np.ndarray]
) -> Field:
    """A field from the arrays of one field of the data store, images in nJy.

    Arguments:
        identity: its id.
        width_arcsec: of a scene.
        arrays: by path, such as ``lsst/image``.
        bands: by survey, (exposure,) codes of the bands.
    """
    names = np.array(list(BANDS))
    surveys = {}
    for name, codes in bands.items():
        survey = SURVEYS[name]
        members = {key: arrays[f"{survey.group}/{key}"] for key in _SCENE_ARRAYS}
        members |= {key: arrays[f"{survey.group}/{key}"][0] for key in _FIELD_ARRAYS}
        surveys[name] = SurveyExposures(
            survey=name,
            pixel_arcsec=survey.pixel_arcsec,
            psf_pixel_arcsec=survey.pixel_arcsec / survey.psf_oversampling,
            band=names[codes],
            **members,
        )
    return Field(identity, width_arcsec, surveys)
