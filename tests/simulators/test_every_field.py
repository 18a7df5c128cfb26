"""Every field of the published skies, and of many secret ones, can be observed."""

from __future__ import annotations

import numpy as np
import pytest
from skysynergy.challenges.sealing import OPEN_SPLITS, SPLITS, open_secret
from skysynergy.challenges.sky_tiers import TIERS
from skysynergy.challenges.tiers import SKY
from skysynergy.simulators.cadence import attainable, sample_visits
from skysynergy.simulators.detectors import background
from skysynergy.simulators.fields import observe
from skysynergy.simulators.optics import effective_pixels, psf_image
from skysynergy.simulators.randomness import generator
from skysynergy.simulators.surveys import BANDS, SURVEYS


@pytest.mark.parametrize("split", OPEN_SPLITS)
def test_every_field_of_the_tiny_tier_is_observed(split):
    secret = open_secret(SKY.name, SKY.version, "tiny", split)
    sky = TIERS["tiny"].sky
    for number in range(sky.n_fields):
        observed = observe(sky, secret, SPLITS.index(split), number)
        assert sum(len(o.visits) for o in observed.values()) == sum(sky.visits.values())


def test_read_noise_never_asks_for_less_than_no_sky():
    """In u the detector is most of the noise: the visits drawn too deep for their PSF are made shallower."""
    rng = generator(b"many fields", "visits")
    survey, lost = SURVEYS[BANDS["u"].survey], []
    for visit in sample_visits(rng, {"u": 300}, condensed=4):
        psf = psf_image(visit, rng)
        seen = attainable(visit, effective_pixels(psf, survey.psf_oversampling))
        assert background(seen, psf).sky_variance > 0
        lost.append(visit.m5 - seen.m5)
    assert 0 == min(lost) < max(lost) < 0.15
    # Half of the visits in u lie at the floor of a round PSF already; a real one moves them by little.
    assert np.mean(lost) < 0.02
