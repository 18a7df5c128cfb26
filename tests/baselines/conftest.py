"""What the tests of baselines share: fields whose every pixel is chosen, and the example of light curves."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from types import ModuleType, SimpleNamespace

import galsim
import numpy as np
import pytest
from scipy.signal import fftconvolve
from skysynergy.challenges.method import Field, SurveyExposures
from skysynergy.simulators.cadence import Visit
from skysynergy.simulators.optics import psf_image
from skysynergy.simulators.profiles import profiles_of
from skysynergy.simulators.rendering.galsim import render
from skysynergy.simulators.sources import Sources, sersic_sources
from skysynergy.simulators.surveys import BANDS, SURVEYS

WIDTH = 19.2
# A galaxy of 0.1 arcsec in LSST responds to shear a twentieth as much as a large one, so what GalSim's
# default accuracy leaves (1e-5 of the light) would be 3e-4 of its shear.
TIGHT = galsim.GSParams(
    folding_threshold=1e-4, maxk_threshold=1e-5, kvalue_accuracy=1e-8, maximum_fft_size=16384
)
SEEING_ARCSEC = {"LSST": 0.85, "EUCLID_VIS": 0.24, "EUCLID_NISP": 0.41}


def rotation(degrees: float, mirrored: bool = False) -> np.ndarray:
    """A turn of the detector on the sky, after a mirror or not."""
    a = np.radians(degrees)
    turn = np.array([[np.cos(a), -np.sin(a)], [np.sin(a), np.cos(a)]])
    return turn @ np.diag([-1.0, 1.0]) if mirrored else turn


def galaxies(x=0.0, y=0.0, size=0.3, n=1.0, e=0j, flux=1e4) -> Sources:
    """Sources from numbers or arrays of them; the flux is the same in all bands."""
    e = np.asarray(e)
    return sersic_sources(
        x=x, y=y, flux=flux, half_light_arcsec=size, sersic_n=n, e1=e.real, e2=e.imag, z=0.0
    )


def streaked(psf: np.ndarray, sigma: float, degrees: float) -> np.ndarray:
    """A PSF that the telescope dragged along a line: σ in samples, at that angle."""
    y, x = np.indices(psf.shape) - psf.shape[0] // 2
    along, across = x + 1j * y, np.exp(1j * np.radians(degrees))
    turned = along * np.conj(across)
    line = np.exp(-0.5 * (turned.real / sigma) ** 2 - 0.5 * (turned.imag / 1.0) ** 2)
    dragged = np.maximum(fftconvolve(psf.astype(float), line, mode="same"), 0)
    return (dragged / dragged.sum()).astype(np.float32)


def exposures(band: str, scenes, turns, *, sigma=1e-3, seed=None, noisy=False, streak=0.0):
    """SurveyExposures of `scenes` (a list of Sources), one exposure for each of `turns` (2, 2).

    The PSFs are round without a seed; `streak` (arcsec) drags them along 30 degrees.
    """
    survey = SURVEYS[BANDS[band].survey]
    size = round(WIDTH / survey.pixel_arcsec)
    rng = np.random.default_rng(seed)
    visit = Visit(band, 0.0, SEEING_ARCSEC[survey.name], 25.0, 1.0)
    count, shape = len(turns), (len(scenes), len(turns))
    psf = np.stack([psf_image(visit, rng if seed is not None else None) for _ in turns])
    if streak:
        samples = streak / survey.pixel_arcsec * survey.psf_oversampling
        psf = np.stack([streaked(one, samples, 30.0) for one in psf])
    image = np.zeros((*shape, size, size))
    wcs = np.zeros((*shape, 2, 3))
    places = np.random.default_rng(0).uniform(-0.5, 0.5, (*shape, 2))
    for s, e in np.ndindex(*shape):
        wcs[s, e] = np.column_stack([turns[e] / survey.pixel_arcsec, (size - 1) / 2 + places[s, e]])
        profiles = profiles_of(scenes[s])
        image[s, e] = render(
            profiles,
            profiles.flux[None, :, BANDS[band].code],
            psf=psf[e : e + 1],
            psf_oversampling=survey.psf_oversampling,
            wcs=wcs[s, e][None],
            shape=(size, size),
            gsparams=TIGHT,
        )[0]
    if noisy:
        image += sigma * rng.standard_normal(image.shape)
    ones = np.ones(count)
    return SurveyExposures(
        survey=survey.name,
        pixel_arcsec=survey.pixel_arcsec,
        psf_pixel_arcsec=survey.pixel_arcsec / survey.psf_oversampling,
        image=image,
        mask=np.zeros(image.shape, dtype=np.uint8),
        sky_variance=np.full(shape, 0.75 * sigma**2),
        read_variance=np.full(shape, 0.25 * sigma**2),
        electron=ones,
        band=np.full(count, band),
        mjd=0 * ones,
        fwhm=visit.fwhm_arcsec * ones,
        m5=visit.m5 * ones,
        airmass=ones,
        psf=psf,
        wcs=wcs,
    )


def field(*surveys: SurveyExposures) -> Field:
    return Field(7, WIDTH, {x.survey: x for x in surveys})


@pytest.fixture(scope="session")
def make() -> SimpleNamespace:
    """How to make galaxies, turned detectors, their exposures, and fields of them."""
    return SimpleNamespace(
        rotation=rotation, galaxies=galaxies, exposures=exposures, field=field, width=WIDTH
    )


@pytest.fixture(scope="session")
def example() -> ModuleType:
    """The room `example_light_curves`, which makes light curves quickly."""
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(Path(__file__).parent))
        return import_module("example_light_curves")
