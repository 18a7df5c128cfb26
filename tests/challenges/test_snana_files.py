"""SNANA's files: read as published, and every fault told with file, row and remedy."""

from __future__ import annotations

import gzip
import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from skysynergy.challenges.curve_files import CurveLimits, normal_quantiles, read_quantiles
from skysynergy.challenges.light_curves import Z_LEVELS, light_curve_problems
from skysynergy.challenges.problems import SubmissionError
from skysynergy.challenges.snana_files import read_snana
from skysynergy.challenges.snana_names import class_of

from .example_curve_files import (
    CURVES,
    METADATA,
    observations,
    pair,
    plasticc_row,
    renamed,
    with_column,
    write_csv,
    write_pair,
)

UNIT = 10 ** (0.4 * (31.4 - 27.5))


def refused(path, **options):
    with pytest.raises(SubmissionError) as caught:
        read_snana(path, **options)
    return caught.value


@settings(max_examples=10, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), zipped=st.booleans(), seed=st.integers(0, 99)
)
def test_what_is_written_is_read(tmp_path_factory, sizes, zipped, seed):
    rng = np.random.default_rng(seed)
    written = [observations(size, 60000.0 + 7 * i) for i, size in enumerate(sizes)]
    shuffled = [rng.permutation(one) for one in written]
    curves, truth = read_snana(write_pair(tmp_path_factory.mktemp("s"), *pair(shuffled), zipped=zipped))
    every = np.concatenate(written)
    assert curves.row_size.tolist() == sizes and light_curve_problems(curves) == []
    assert np.array_equal(curves.mjd, every["MJD"])
    assert np.array_equal(curves.band, ["ugrizY".index(band.decode()) for band in every["BAND"]])
    np.testing.assert_allclose(curves.flux, every["FLUXCAL"] * UNIT, rtol=1e-6)
    np.testing.assert_allclose(curves.error, every["FLUXCALERR"] * UNIT, rtol=1e-6)
    assert np.array_equal(curves.detected, every["PHOTFLAG"] > 0)
    assert curves.id.tolist() == [100 + i for i in range(len(sizes))]
    assert set(truth.kind) == {"Ia"} and truth.z[0] == np.float32(0.45) and truth.peak_mjd[0] == 60012.0
    np.testing.assert_allclose(curves.galactic_excess, 0.1)
    np.testing.assert_allclose(curves.host_z[0], stats.norm(0.5, 0.1).ppf(Z_LEVELS), atol=2e-5)


def test_old_columns_names_and_filters(tmp_path):
    head, phot = pair([observations(3), observations(2)], SNID=np.array([b"03D1au", b"03D1ax"]))
    phot = renamed(phot.astype([*phot.dtype.descr[:1], ("BAND", "S8"), *phot.dtype.descr[2:]]), "BAND", "FLT")
    phot["FLT"][:3] = [b"DES-g", b"g-DES", b"a"]
    phot["PHOTFLAG"] = 0
    curves, truth = read_snana(write_pair(tmp_path, head, phot), bands={"a": "J"})
    assert curves.band[:3].tolist() == [1, 1, 8] and truth.name.tolist() == ["03D1au", "03D1ax"]
    assert curves.id.tolist() == [0, 1]
    assert curves.detected.all()  # no bit is set: all are above five times their error


def test_zero_point_saturation_and_the_bit_of_the_header(tmp_path):
    one = observations(4)
    one["FLUXCALERR"][1] = 1e8
    one["PHOTFLAG"] = [2, 2, 4096, 2]
    path = write_pair(tmp_path, *pair([one], ZP_FLUXCAL=np.full(1, 31.4, "f4")), PHOTFLAG_DETECT=2)
    curves, _ = read_snana(path)
    np.testing.assert_allclose(curves.flux, one["FLUXCAL"][[0, 2, 3]], rtol=1e-5)
    assert curves.detected.tolist() == [True, False, True]


def test_hosts_sentinels_spectra_and_quantiles(tmp_path):
    f = np.float32
    columns = {
        "HOSTGAL_PHOTOZ": f([0.05, -9, -99, 0.5]), "HOSTGAL_PHOTOZ_ERR": f([0.1, -9, -99, 0.1]),
        "HOSTGAL_SPECZ": f([-9, 0.3, -999, -9]), "HOSTGAL_SPECZ_ERR": f([-9, 0.001, -9, -9]),
        "MWEBV": f([0.1, np.nan, -9, 0.2]), "SIM_REDSHIFT_CMB": f([0.1, 0.3, -9, 0.5]),
    }  # fmt: skip
    curves, truth = read_snana(write_pair(tmp_path, *pair([observations(2)] * 4, **columns)))
    assert curves.host_spectrum.tolist() == [False, True, False, False]
    cut = stats.truncnorm(-0.5, np.inf, 0.05, 0.1)
    np.testing.assert_allclose(curves.host_z[0], cut.ppf(Z_LEVELS), rtol=1e-5)
    np.testing.assert_allclose(curves.host_z[1], stats.norm(0.3, 0.001).ppf(Z_LEVELS), rtol=1e-5)
    assert np.isnan(curves.host_z[2]).all() and np.isnan(truth.z[2])
    np.testing.assert_allclose(curves.galactic_excess, [0.1, 0, 0, 0.2])
    percent = {f"HOSTGAL_ZPHOT_Q{level:03d}": f([level / 100] * 3 + [-9]) for level in range(0, 101, 10)}
    curves, _ = read_snana(write_pair(tmp_path, *pair([observations(2)] * 4, **columns, **percent)))
    np.testing.assert_allclose(curves.host_z[0], Z_LEVELS, rtol=1e-5)
    np.testing.assert_allclose(curves.host_z[3], stats.norm(0.5, 0.1).ppf(Z_LEVELS), rtol=1e-4)


@given(st.floats(1e-3, 5), st.floats(1e-4, 5))
def test_quantiles_are_those_of_a_normal_cut_at_zero(mean, error):
    found = normal_quantiles([mean], [error])[0]
    cut = stats.truncnorm(-mean / error, np.inf, mean, error)
    np.testing.assert_allclose(cut.cdf(found.astype(float)), Z_LEVELS, atol=1e-3)
    assert (np.diff(found) >= 0).all() and found[0] >= 0


def test_quantiles_that_decrease_are_none():
    assert np.isnan(read_quantiles([0, 50, 100], np.array([[0.2, 0.1, 0.3], [0.1, 0.2, -9.0]]))).all()


def test_classes_in_our_words(tmp_path):
    codes = np.array([26, 35, 46, 87, 99], "i2")
    head, phot = pair([observations(2)] * 5, SIM_TYPE_INDEX=codes, SIM_TYPE_NAME=np.full(5, b"", "S8"))
    folder = tmp_path / "ELASTICC_TRAIN_KN_K17"
    _, truth = read_snana(write_pair(folder, head, phot, "ELASTICC_TRAIN_KN_K17_NONIaMODEL0-0001"))
    assert truth.kind.tolist() == ["Ic", "IIn", "CaRT", "uLens-Single", "KN"]
    assert truth.codes(["KN", "Ic"]).tolist() == [1, -1, -1, -1, 0]
    _, truth = read_snana(write_pair(tmp_path / "x", head, phot), classes={26: "Ibn"})
    assert truth.kind.tolist() == ["Ibn", "type 35", "type 46", "type 87", "type 99"]
    head = renamed(head, "SIM_TYPE_INDEX", "SNTYPE")
    _, truth = read_snana(write_pair(tmp_path / "y", head, phot), classes={26: "Ia"})
    assert truth.kind.tolist() == ["Ia", "", "", "", ""]


@pytest.mark.parametrize(
    ("model", "kind"),
    [("SNIIn+HostXT_V19", "IIn"), ("SNII+HostXT_V19", "II"), ("SNIcBL+HostXT_V19", "Ic-BL"),
     ("SLSN-I_no_host", "SLSN-I"),
     ("Mdwarf-flare", "Mdwarf-flare"), ("AGN", "AGN"), ("CLAGN", "CLAGN"), ("SNIax", "Iax")],
)  # fmt: skip
def test_models_of_elasticc(model, kind):
    assert (
        class_of(-9, "", f"ELASTICC2_TRAIN_02_{model} ELASTICC2_TRAIN_02_{model}-0001_HEAD.FITS.gz", {})
        == kind
    )


def test_folders_lists_and_packed_twins(tmp_path):
    first = write_pair(tmp_path / "a", *pair([observations(2)]), "A-0001")
    second = write_pair(tmp_path / "a", *pair([observations(3)], SNID=np.array([b"7"])), "A-0002")
    write_pair(tmp_path / "a", *pair([observations(3)], SNID=np.array([b"7"])), "A-0002", zipped=False)
    listing = tmp_path / "a" / "A.LIST"
    listing.write_text(f"{first.name}\n{second.name}\n")
    for given_path in (tmp_path, listing, [first, second], str(tmp_path / "a")):
        curves, _ = read_snana(given_path)
        assert curves.id.tolist() == [100, 7] and curves.row_size.tolist() == [2, 3]
    again = write_pair(tmp_path / "b", *pair([observations(3)], SNID=np.array([b"7"])), "B")
    error = refused([tmp_path / "a", again])
    assert "B_HEAD.FITS.gz: a transient that came before: row 1 (id 7)" in str(error)
    curves, truth = read_snana([tmp_path / "a", again], skip=True)
    assert curves.id.tolist() == [100, 7] and len(truth.skipped) == 1


def test_every_fault_of_rows_at_once_with_its_row(tmp_path):
    good, a, b, c, d, e = (observations(4, bands=b"g") for _ in range(6))
    a["FLUXCALERR"][1] = -1
    b["FLUXCAL"][2] = np.nan
    c["MJD"][2] = c["MJD"][1]
    d["BAND"][3] = b"V"
    e["PHOTFLAG"] = 0
    path = write_pair(tmp_path, *pair([good, a, b, c, d, e]))
    error = refused(tmp_path)
    assert {(p.row, p.column) for p in error.problems} == {
        (7, "FLUXCALERR"), (13, "FLUXCAL"), (18, "MJD"), (24, "BAND"), (6, "SNID"),
    }  # fmt: skip
    text = str(error)
    assert (
        "TEST_PHOT.FITS.gz: the band 'V' is not known: row 24 (id 104)" in text and "bands={'V': 'g'}" in text
    )
    assert "TEST_HEAD.FITS.gz: a transient without any detection: row 6 (id 105)" in text
    curves, truth = read_snana(path, skip=True)
    assert curves.id.tolist() == [100] and len(truth.skipped) == 5 and truth.name.tolist() == ["100"]
    assert read_snana(path, skip=True, bands={"V": "Y"})[0].id.tolist() == [100, 104]
    with pytest.raises(ValueError, match="no band is called 'k'"):
        read_snana(path, bands={"V": "k"})


@pytest.mark.parametrize(
    ("column", "row", "value", "told"),
    [("PTROBS_MAX", 2, 99, "pointers that are not among the 12 rows"),
     ("PTROBS_MIN", 0, 0, "not among the 12 rows"),
     ("PTROBS_MIN", 1, 3, "rows of another transient"), ("PTROBS_MAX", 0, 4, "across a row of MJD -777"),
     ("NOBS", 1, 7, "another number of rows than NOBS")],
)  # fmt: skip
def test_pointers(tmp_path, column, row, value, told):
    head, phot = pair([observations(3)] * 3)
    head[column][row] = value
    error = refused(write_pair(tmp_path, head, phot))
    assert any(told in p.what and p.row is not None for p in error.problems), str(error)


def test_columns_that_lack_or_are_no_numbers_in_both_files(tmp_path):
    head, phot = pair([observations(3)])
    head = renamed(head, "PTROBS_MIN", "PTR")
    phot = renamed(with_column(renamed(phot, "FLUXCAL", "F"), "FLUXCAL", np.array([b"x"] * 4)), "BAND", "B")
    error = refused(write_pair(tmp_path, head, phot))
    assert [p.column for p in error.problems] == ["PTROBS_MIN", "BAND", "FLUXCAL"]
    assert "BAND or FLT" in str(error)


@pytest.mark.parametrize("zipped", [True, False])
@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.6])
@pytest.mark.parametrize("kind", ["HEAD", "PHOT"])
def test_files_that_are_cut_off(tmp_path, zipped, share, kind):
    head, phot = pair([observations(40) for _ in range(30)])
    path = write_pair(tmp_path, head, phot, zipped=zipped)
    cut = Path(str(path).replace("HEAD", kind))
    content = cut.read_bytes()
    cut.write_bytes(content[: int(share * len(content))])
    error = refused(path)
    assert [p.what.split(":")[0] for p in error.problems] == [cut.name]


@given(st.binary(max_size=300), st.booleans())
@settings(max_examples=25, deadline=None)
def test_hostile_bytes_never_crash(tmp_path_factory, junk, zipped):
    path = write_pair(tmp_path_factory.mktemp("h"), *pair([observations(3)]), zipped=False)
    content = path.read_bytes()
    content = content[:2880] + junk + content[2880 + len(junk) :]
    path.write_bytes(gzip.compress(content) if zipped else content)
    try:
        read_snana(path, skip=True)
    except SubmissionError as error:
        assert error.problems


def test_what_is_no_such_file(tmp_path):
    head, phot = pair([observations(3)])
    path = write_pair(tmp_path / "p", head, phot, zipped=False)
    path.write_bytes(pickle.dumps({"a": 1}))
    assert "a pickle, whatever its name" in str(refused(path))
    path.unlink()
    assert "PHOT files without a HEAD file: TEST_PHOT.FITS" in str(refused(tmp_path / "p"))
    alone = write_pair(tmp_path / "q", head, phot)
    Path(str(alone).replace("HEAD", "PHOT")).unlink()
    assert "no TEST_PHOT.FITS beside it" in str(refused(alone))
    (tmp_path / "empty").mkdir()
    assert "no file *_HEAD.FITS" in str(refused(tmp_path / "empty"))
    assert "is not there" in str(refused(tmp_path / "none_HEAD.FITS"))
    listing = tmp_path / "x.LIST"
    listing.write_text("../q/TEST_HEAD.FITS.gz\nGONE_HEAD.FITS\n")
    text = str(refused(listing))
    assert "no names of HEAD files beside it" in text and "files that are not there" in text
    path = write_pair(tmp_path / "r", head, phot)
    assert "at most 2 are read" in str(refused(path, limits=CurveLimits(rows=2)))
    assert "bytes" in str(refused(path, limits=CurveLimits(bytes=2000)))
    empty = write_pair(tmp_path / "s", head[:0], phot[:0])
    assert "there is no light curve" in str(refused(empty))


def test_the_way_from_files_to_scores_of_the_documentation(
    little_transients, root, tmp_path, monkeypatch, capsys
):
    text = (root / "docs" / "light_curves.md").read_text().split("## Classify and score them")[1]
    code = [block.split("```")[0] for block in text.split("```python\n")[1:]]
    assert len(code) == 2
    monkeypatch.chdir(tmp_path)
    codes = np.repeat(np.array([10, 31, 20, 80, 99], "i2"), 8)
    head, phot = pair([observations(5)] * 40, SIM_TYPE_INDEX=codes, SIM_TYPE_NAME=np.full(40, b"", "S8"))
    write_pair(tmp_path / "ELASTICC_TRAIN" / "ELASTICC_TRAIN_KN_K17", head, phot)
    # Of a real survey: nothing tells the class.
    head, phot = pair([observations(5)], SNID=np.array([b"7"]), SIM_TYPE_NAME=None, SIM_TYPE_INDEX=None)
    write_pair(tmp_path / "ELASTICC_TRAIN" / "DES", with_column(head, "SNTYPE", np.array([5])), phot)
    targets = [*([90, 42, 62, 15] * 12), 64, 52]
    rows = [
        f"{id},{59750.4 + 3 * i},{i % 6},{40.5 - i - target % 7},2.5,{int(i == 0)}"
        for id, target in enumerate(targets)
        for i in range(5)
    ]
    write_csv(tmp_path / "plasticc_train_lightcurves.csv.gz", CURVES, rows)
    objects = [plasticc_row(id, target) for id, target in enumerate(targets)]
    write_csv(tmp_path / "plasticc_train_metadata.csv.gz", METADATA, objects)
    space = {"__name__": "__main__"}
    for block in code:
        exec(compile(block, "docs/light_curves.md", "exec"), space)
    assert "log_loss" in capsys.readouterr().out
    theirs = space["scorecard"]
    assert 0 <= theirs["accuracy"].value <= 1 and 0 <= theirs["ood_auroc"].value <= 1
    assert theirs["log_loss_plasticc"].reason == "no weights of classes were given"
    assert space["plasticc"]["log_loss_plasticc"].value > 0
    assert set(space["names"]) == {"Ia", "II", "Ibc", "TDE"}
