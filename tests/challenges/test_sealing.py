"""Seals: what they hide, what they bind, and what they refuse."""

from __future__ import annotations

import hashlib
import json
import math
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.challenges import sealing
from skysynergy.challenges.sealing import SealError

SECRET = bytes(range(100, 132))
LOCK = b"numpy==2.4.6\n"
SPEC = {"dataset": "sky", "tier": "small", "split": "test", "scenes": 10000, "width_arcsec": 19.2}
CONTENT = {"code_version": "0.1.0", "lock": LOCK, "spec": SPEC}

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


def test_commitment_is_the_sha256_of_the_revealed_text():
    published = sealing.commitment(SECRET, **CONTENT)
    text = sealing.reveal(published, SECRET, **CONTENT)
    assert published == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
    assert json.loads(text)["secret"] == SECRET.hex()
    assert json.loads(text)["spec"] == SPEC


def test_commitment_never_changes():
    # A frozen value: if it moves, every published commitment becomes impossible to check.
    assert (
        sealing.commitment(SECRET, **CONTENT)
        == "sha256:dc0945c2fad32af424acef0a7e4339cb940adac514be78069b946693b351046f"
    )


def test_commitment_does_not_depend_on_the_order_of_keys_or_the_form_of_the_lock():
    backwards = dict(reversed(SPEC.items()))
    lock = "sha256:" + hashlib.sha256(LOCK).hexdigest()
    expected = sealing.commitment(SECRET, **CONTENT)
    assert sealing.commitment(SECRET, code_version="0.1.0", lock=lock, spec=backwards) == expected


@pytest.mark.parametrize(
    "change",
    [
        {"secret": bytes(range(101, 133))},
        {"code_version": "0.1.1"},
        {"lock": LOCK + b"\n"},
        {"spec": SPEC | {"scenes": 10001}},
        {"spec": SPEC | {"scenes": "10000"}},
        {"spec": SPEC | {"scenes": 10000.0}},
        {"spec": SPEC | {"more": None}},
    ],
)
def test_any_change_breaks_the_seal(change):
    published = sealing.commitment(SECRET, **CONTENT)
    changed = {"secret": SECRET, **CONTENT, **change}
    assert sealing.check_commitment(published, SECRET, **CONTENT)
    assert not sealing.check_commitment(published, **changed)
    with pytest.raises(SealError, match="not what"):
        sealing.reveal(published, **changed)


@given(one=st.dictionaries(st.text(), plain, max_size=3), two=st.dictionaries(st.text(), plain, max_size=3))
def test_two_specifications_share_a_commitment_only_if_they_are_the_same(one, two):
    same = json.dumps(one, sort_keys=True) == json.dumps(two, sort_keys=True)
    digests = [sealing.commitment(SECRET, code_version="1", lock=LOCK, spec=spec) for spec in (one, two)]
    assert (digests[0] == digests[1]) == same


@pytest.mark.parametrize("bad", [math.nan, math.inf, {1: "a"}, b"bytes", {1, 2}, object()])
def test_ambiguous_specifications_are_refused(bad):
    with pytest.raises(TypeError, match="spec"):
        sealing.commitment(SECRET, code_version="1", lock=LOCK, spec={"value": bad})


@pytest.mark.parametrize("lock", ["", "abc", "sha256:12", "SHA256:" + "0" * 64])
def test_a_lock_is_bytes_or_a_hash(lock):
    with pytest.raises(SealError, match="lock"):
        sealing.commitment(SECRET, code_version="1", lock=lock, spec={})


def test_new_secrets_are_long_different_and_sealed():
    made = {sealing.new_secret() for _ in range(100)}
    assert len(made) == 100
    assert all(len(secret) == 32 and not sealing.is_open(secret) for secret in made)


def test_new_secret_comes_from_the_operating_system_and_is_drawn_again_if_open(monkeypatch):
    opened = sealing.open_secret("sky", "1.0", "tiny", "train")
    draws = [opened, SECRET]
    monkeypatch.setattr(sealing.secrets, "token_bytes", lambda n: draws.pop(0)[:n])
    assert sealing.new_secret() == SECRET


def test_open_secrets_are_public_and_never_change():
    assert (
        sealing.open_secret("sky", "1.0", "tiny", "train").hex()
        == "736b7973796e65726779206f70656e202fc347b9fe5a1a7a335a25a22ae4c333"
    )


@given(names=st.lists(st.tuples(st.text(), st.text(), st.text()), min_size=2, max_size=4, unique=True))
def test_open_secrets_differ_and_are_marked(names):
    made = [sealing.open_secret(*name, split) for name in names for split in sealing.OPEN_SPLITS]
    assert len(set(made)) == len(made)
    assert all(len(secret) == 32 and sealing.is_open(secret) for secret in made)


def test_a_sealed_split_has_no_open_secret():
    with pytest.raises(SealError, match="new_secret"):
        sealing.open_secret("sky", "1.0", "tiny", "test")


@pytest.mark.parametrize(
    ("secret", "reason"),
    [
        (sealing.open_secret("sky", "1.0", "tiny", "train"), "open split"),
        (SECRET[:31], "31"),
        (b"", "0"),
        (bytes(32), "random"),
    ],
)
def test_nothing_is_sealed_with_a_secret_that_is_none(secret, reason, tmp_path):
    with pytest.raises(SealError, match=reason):
        sealing.commitment(secret, **CONTENT)
    with pytest.raises(SealError, match=reason):
        sealing.write_secret_file(tmp_path / "secret", secret)
    assert not (tmp_path / "secret").exists()


def test_secret_file_round_trip_is_private(tmp_path):
    path = tmp_path / "secret"
    sealing.write_secret_file(path, SECRET)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sealing.read_secret_file(path) == SECRET


def test_a_secret_is_never_overwritten(tmp_path):
    path = tmp_path / "secret"
    sealing.write_secret_file(path, SECRET)
    with pytest.raises(SealError, match="never overwritten"):
        sealing.write_secret_file(path, sealing.new_secret())
    assert sealing.read_secret_file(path) == SECRET


def test_a_link_is_not_followed_to_write_a_secret(tmp_path):
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(SealError, match="never overwritten"):
        sealing.write_secret_file(tmp_path / "link", SECRET)
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize(
    ("content", "mode", "reason"),
    [
        (None, 0o600, "there is no secret"),
        (SECRET.hex(), 0o640, "chmod 600"),
        (SECRET.hex(), 0o604, "chmod 600"),
        (SECRET.hex()[:-2], 0o600, "62 hexadecimal"),
        (SECRET.hex() * 2, 0o600, "128 hexadecimal"),
        ("", 0o600, "0 hexadecimal"),
        ("zz" * 32, 0o600, "something else"),
        (sealing.open_secret("sky", "1.0", "tiny", "train").hex(), 0o600, "open split"),
    ],
)
def test_secret_files_that_are_none_say_why(content, mode, reason, tmp_path):
    path = tmp_path / "secret"
    if content is not None:
        path.write_text(content)
        path.chmod(mode)
    with pytest.raises(SealError, match=reason) as caught:
        sealing.read_secret_file(path)
    assert SECRET.hex()[:16] not in str(caught.value)


def test_a_folder_is_no_secret(tmp_path):
    with pytest.raises(SealError, match="cannot be read"):
        sealing.read_secret_file(tmp_path)
