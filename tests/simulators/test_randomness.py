"""Streams of random numbers: repeatable, all different, and independent of each other."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.simulators.randomness import generator, stream_key

SECRET = bytes(range(32))


def test_a_stream_is_the_same_whenever_it_is_asked_for():
    first = generator(SECRET, "noise", 1, 2, 3).standard_normal(10)
    generator(SECRET, "galaxies", 1).uniform(size=1000)
    np.testing.assert_array_equal(generator(SECRET, "noise", 1, 2, 3).standard_normal(10), first)


def test_keys_never_change():
    # Released skies hang on this number: BLAKE2b, keyed by the secret, of 05 00 "noise" and 0, 3 in eight
    # bytes each, little-endian.
    assert stream_key(b"open", "noise", 0, 3) == 0x70E7FB4341A371E9EF07EB21CE60D283


def test_no_two_streams_share_a_key():
    kinds, secrets = ("galaxies", "noise", "nois", "noise\0", ""), (b"a", b"a\0", b"b", SECRET)
    # Shorter and longer lists of indices, swapped ones, and ones that run over a byte.
    indices = [(), (0,), (0, 0), (1, 0), (0, 1), (1,), (255,), (256,), (2**63,), (0, 0, 0)]
    keys = [stream_key(*x[:2], *x[2]) for x in itertools.product(secrets, kinds, indices)]
    assert len(set(keys)) == len(keys) == 200
    assert max(keys).bit_length() <= 128


@given(index=st.integers(0, 2**62), kind=st.text(max_size=20))
def test_neighbouring_keys_have_nothing_in_common(index, kind):
    different = stream_key(SECRET, kind, index) ^ stream_key(SECRET, kind, index + 1)
    # Binomial of 128 bits: 64 ± 5.7. Six sigma.
    assert abs(different.bit_count() - 64) < 34


def test_streams_are_independent():
    n = 20_000
    names = [(SECRET, "noise", k) for k in range(20)] + [(SECRET, "noise", 0, k) for k in range(10)]
    names += [(SECRET, kind, 0) for kind in ("galaxies", "dither", "optics")]
    names += [(bytes([k, *SECRET[1:]]), "noise", 0) for k in range(1, 8)]
    normals = np.stack([generator(*name).standard_normal(n) for name in names])
    correlation = np.corrcoef(normals)[np.triu_indices(len(names), 1)] * np.sqrt(n)
    # 780 coefficients, each a unit normal: 4.8 is exceeded once in 800 such sets, and a spread of
    # 1 ± 0.025 is what they should have.
    assert np.abs(correlation).max() < 4.8
    assert correlation.std() == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize("size", [0, 65])
def test_a_secret_has_a_length(size):
    with pytest.raises(ValueError, match=f"1 to 64 bytes, this one has {size}"):
        stream_key(bytes(size), "noise")


def test_indices_are_not_negative():
    with pytest.raises(ValueError, match=r"never negative: noise \(1, -2\)"):
        generator(SECRET, "noise", 1, -2)
