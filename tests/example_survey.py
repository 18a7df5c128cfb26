"""A sky of any visits, made, opened, looked at and drawn twice; and a survey that nobody has described yet.

Run as a script it adds the invented survey TOY to the descriptions, before anything reads them, and tells as
JSON what a sky with it is: ``example_survey.py FOLDER``.
"""

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np


def add_toy():
    """One entry: a telescope of 2 m in space with pixels of 0.13 arcsec, in the filters of others."""
    from skysynergy.simulators import surveys

    mission = surveys.Mission("Toy", 0.05, 62000.0, 3, dithers=2, dither_s=300.0, return_days=100.0)
    toy = surveys.Survey(
        name="TOY",
        group="toy",
        title="The Toy",
        mission=mission,
        pixel_arcsec=0.13,
        diameter_m=2.0,
        obscuration=0.3,
        charge_fwhm_arcsec=0.04,
        read_noise_e=6.0,
        dark_e_s=0.01,
        full_well_e=90_000,
        psf_oversampling=4,
        psf_width_arcsec=6.5,
        composite=(("Toy-J", 1.0), ("Toy-z", 1.2), ("Toy-r", 2.0)),
    )
    rows = (
        ("Toy-r", "speclite:sdss2010-r", 616.0, 26.5, 22.3, 300.0, 0.166, 0.24, 0.0),
        ("Toy-z", "speclite:sdss2010-z", 893.0, 25.0, 22.1, 300.0, 0.185, 0.27, 700.0),
        ("Toy-J", "speclite:twomass-J", 1240.0, 25.8, 22.2, 300.0, 0.21, 0.31, 1400.0),
    )
    surveys.SURVEYS["TOY"] = toy
    for row in rows:
        surveys.BANDS[row[0]] = surveys.Band(row[0], len(surveys.BANDS), "TOY", *row[1:])


def facts(folder, survey, visits):
    """What a sky with those visits is, as far as one survey is concerned.

    Made through the tier ``tiny``, which has to be replaced and put back by the caller.
    """
    from skysynergy.challenges.datasets import Split, generate, open_split, open_truth
    from skysynergy.challenges.figures import exposures_figure, save, scene_figure
    from skysynergy.challenges.sky_fields import fields
    from skysynergy.challenges.sky_tiers import TIERS
    from skysynergy.simulators.scenes import Content
    from skysynergy.simulators.sky import Sky
    from skysynergy.simulators.surveys import BANDS, SURVEYS

    sky = Sky(1, 2, visits, width_arcsec=15.0, content=Content(latitude_deg=40.0))
    images = {}
    for renderer in ("galsim", "fourier"):
        drawn = replace(sky, renderer=renderer)
        TIERS["tiny"] = replace(TIERS["tiny"], sky=drawn, scenes_per_shard=2)
        split = Split.of("tiny", "train", Path(folder) / renderer)
        generate(split, progress=False)
        data, truth = open_split(split), open_truth(split)
        (field,) = fields(data)
        images[renderer] = field.surveys[survey].image
    exposures, group = field.surveys[survey], SURVEYS[survey].group
    sigma = np.sqrt(exposures.sky_variance + exposures.read_variance)[..., None, None]
    titles = [a.get_title() for a in scene_figure(data, truth, 1).axes]
    titles += [a.get_title("left") for a in scene_figure(data, truth, 1).axes]
    save(scene_figure(data, truth, 0), Path(folder) / "scene.png")
    save(exposures_figure(data, 0), Path(folder) / "exposures.png")
    flux = truth["sources/flux"].to_numpy()
    own = [BANDS[name].code for name in SURVEYS[survey].bands]
    visited = [BANDS[name].code for name in exposures.band]
    return {
        "groups": sorted(data.children),
        "bands": exposures.band.tolist(),
        "shape": list(exposures.image.shape),
        "mjd": np.ravel(exposures.mjd).tolist(),
        "m5": np.ravel(exposures.m5).tolist(),
        "fwhm": np.ravel(exposures.fwhm).tolist(),
        "titles": titles,
        "flux shape": list(flux.shape),
        "all have light": bool((flux[:, own] > 0).mean() > 0.99),
        "own flux": bool(np.allclose(truth[f"{group}/flux"].to_numpy(), flux[:, visited], rtol=1e-6)),
        "renderers differ by sigmas": float(np.abs((images["galsim"] - images["fourier"]) / sigma).max()),
        "noise over sigma": float(
            np.median(
                np.abs(exposures.image - np.median(exposures.image, axis=(2, 3), keepdims=True)) / sigma
            )
            * 1.4826
        ),
        "detections": len(data["detections/id"]),
    }


if __name__ == "__main__":
    add_toy()
    wanted = {"i": 2, "Toy-r": 2, "Toy-z": 1, "Toy-J": 3}
    print(json.dumps(facts(sys.argv[1], "TOY", wanted)))  # noqa: T201
