"""PLAsTiCC's tables: read as published, and every fault told with file, row and remedy."""

from __future__ import annotations

import copy
import gzip
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from skysynergy.challenges import csv_columns
from skysynergy.challenges.curve_files import CurveLimits
from skysynergy.challenges.light_curves import Z_LEVELS, light_curve_problems
from skysynergy.challenges.plasticc_files import read_plasticc
from skysynergy.challenges.problems import SubmissionError
from skysynergy.challenges.snana_files import read_snana

from .example_curve_files import CURVES, METADATA, plasticc_row, write_csv

UNIT = 10 ** (0.4 * (31.4 - 27.5))


def rows_of(id, size=4):
    return [f"{id},{59750.4 + 3 * i},{i % 6},{40.5 - i},2.5,{int(i == 0)}" for i in range(size)]


def files(folder, rows, objects, end=".csv"):
    return write_csv(folder / f"curves{end}", CURVES, rows), write_csv(
        folder / f"meta{end}", METADATA, objects
    )


def refused(*args, **options):
    with pytest.raises(SubmissionError) as caught:
        read_plasticc(*args, **options)
    return caught.value


@settings(max_examples=10, deadline=None)
@given(
    sizes=st.lists(st.integers(1, 9), min_size=1, max_size=6), zipped=st.booleans(), seed=st.integers(0, 99)
)
def test_what_is_written_is_read(tmp_path_factory, sizes, zipped, seed):
    rows = [row for i, size in enumerate(sizes) for row in rows_of(600 + i, size)]
    shuffled = np.random.default_rng(seed).permutation(rows)
    objects = [plasticc_row(600 + i, 90) for i in range(len(sizes))][::-1]
    folder = tmp_path_factory.mktemp("p")
    curves, truth = read_plasticc(*files(folder, shuffled, objects, ".csv.gz" if zipped else ".csv"))
    written = np.array([row.split(",") for row in rows], dtype=float)
    assert curves.row_size.tolist() == sizes and light_curve_problems(curves) == []
    assert curves.id.tolist() == [600 + i for i in range(len(sizes))]
    assert np.array_equal(curves.mjd, written[:, 1]) and np.array_equal(curves.band, written[:, 2])
    np.testing.assert_allclose(curves.flux, written[:, 3] * UNIT, rtol=1e-6)
    np.testing.assert_allclose(curves.error, written[:, 4] * UNIT, rtol=1e-6)
    assert np.array_equal(curves.detected, written[:, 5] > 0)
    assert set(truth.kind) == {"Ia"} and truth.z[0] == np.float32(0.31) and truth.peak_mjd[0] == 60012.5


def test_hosts_and_classes(tmp_path):
    objects = [
        plasticc_row(1, 62, photo=0.05, error=0.1), plasticc_row(2, 92, photo=0.0, error=0.0, z=0.0),
        plasticc_row(3, 993, spec=0.3), plasticc_row(4, 77, spec=-9.0, photo=-9.0),
    ]  # fmt: skip
    curves, truth = read_plasticc(
        *files(tmp_path, [row for id in (1, 2, 3, 4) for row in rows_of(id)], objects)
    )
    assert truth.kind.tolist() == ["Ibc", "RRL", "CaRT", "target 77"]
    cut = stats.truncnorm(-0.5, np.inf, 0.05, 0.1)
    np.testing.assert_allclose(curves.host_z[0], cut.ppf(Z_LEVELS), rtol=1e-5)
    assert np.isnan(curves.host_z[[1, 3]]).all() and curves.host_spectrum.tolist() == [
        False,
        False,
        True,
        False,
    ]
    np.testing.assert_allclose(curves.host_z[2], 0.3)
    np.testing.assert_allclose(curves.galactic_excess, 0.017, rtol=1e-6)


def test_tables_of_kaggle_and_none_of_objects(tmp_path):
    path = write_csv(tmp_path / "t.csv", CURVES.replace("_bool", ""), rows_of(1))
    header = "object_id,hostgal_specz,hostgal_photoz,hostgal_photoz_err,mwebv,target"
    meta = write_csv(tmp_path / "m.csv", header, ["1,0.0,0.3,0.1,0.02,42"])
    curves, truth = read_plasticc(path, meta)
    assert truth.kind.tolist() == ["II"] and np.isnan(truth.z).all() and np.isnan(truth.peak_mjd).all()
    path = write_csv(tmp_path / "t.csv", CURVES.replace(",detected_bool", ""), [r[:-2] for r in rows_of(1)])
    curves, truth = read_plasticc(path)
    assert truth.kind.tolist() == [""] and curves.detected.all() and np.isnan(curves.host_z).all()


def test_some_objects_and_some_files(tmp_path):
    one = write_csv(tmp_path / "1.csv", CURVES, rows_of(1) + rows_of(2))
    two = write_csv(tmp_path / "2.csv", CURVES, rows_of(3))
    meta = write_csv(tmp_path / "m.csv", METADATA, [plasticc_row(id, 90) for id in (3, 2, 1)])
    assert read_plasticc([one, two], meta)[0].id.tolist() == [1, 2, 3]
    assert "m.csv: objects without a light curve: row 1 (id 3)" in str(refused(one, meta))
    assert read_plasticc(one, meta, partial=True)[0].id.tolist() == [1, 2]
    assert read_plasticc([one, two], meta, objects=[2, 3])[0].id.tolist() == [2, 3]
    assert "2.csv: a transient that came before: row 1 (id 3)" in str(refused([two, two], meta, partial=True))
    assert "more than 5 rows" in str(refused(one, limits=CurveLimits(rows=5)))
    assert read_plasticc(one, objects=[2], limits=CurveLimits(rows=5))[0].id.tolist() == [2]


def test_both_ways_of_lacking(tmp_path):
    error = refused(
        *files(
            tmp_path, rows_of(1) + rows_of(5), [plasticc_row(1, 90), plasticc_row(2, 90), plasticc_row(1, 90)]
        )
    )
    assert [(p.row, p.column) for p in error.problems] == [
        (3, "object_id"),
        (5, "object_id"),
        (2, "object_id"),
    ]
    assert "an object that came before" in error.problems[0].what
    assert "curves.csv: objects that meta.csv does not have, from row 5 (id 5)" in error.problems[1].what


def test_every_fault_of_rows_at_once_with_its_row(tmp_path):
    rows = [row for id in range(1, 7) for row in rows_of(id)]
    rows[5] = "2,59753.4,1,39.5,-2.5,0"
    rows[10] = "3,59756.4,2,nan,2.5,0"
    rows[13] = "4,59750.4,0,39.5,2.5,0"
    rows[19] = "5,59759.4,6,37.5,2.5,0"
    rows[20] = rows[20][:-1] + "0"
    path = write_csv(tmp_path / "c.csv", CURVES, rows)
    error = refused(path)
    assert {(p.row, p.column) for p in error.problems} == {
        (6, "flux_err"), (11, "flux"), (14, "mjd"), (20, "passband"), (6, "object_id"),
    }  # fmt: skip
    assert "the passband 6 is not known: row 20 (id 5)" in str(error) and "0 for u, 1 for g" in str(error)
    curves, truth = read_plasticc(path, skip=True)
    assert curves.id.tolist() == [1] and len(truth.skipped) == 5


def test_cells_that_are_no_numbers_in_all_columns_at_once(tmp_path, monkeypatch):
    monkeypatch.setattr(csv_columns, "_BLOCK", 256)
    rows = [row for id in range(1, 31) for row in rows_of(id)]
    rows[7] = rows[7].replace("2,", "x,", 1)
    rows[50] = "13,59756.4,,38.5,2.5,maybe"
    rows[60] = "16,59750.4,0"
    rows[90] = "23,59756.4,2,3e,2.5,0"
    error = refused(write_csv(tmp_path / "c.csv", CURVES, rows))
    assert {(p.row, p.column) for p in error.problems} == {
        (61, None), (8, "object_id"), (51, "passband"), (51, "detected_bool"), (91, "flux"),
    }  # fmt: skip
    assert "such as '3e'" in str(error) and "3 values where the header has 6: row 61" in str(error)


def test_columns_that_lack_and_names_that_repeat(tmp_path):
    path = write_csv(tmp_path / "c.csv", "object_id,mjd,mjd,flux", ["1,2,3,4"])
    meta = write_csv(tmp_path / "m.csv", "object_id,target", ["1,90"])
    error = refused(path, meta)
    assert {p.column for p in error.problems} == {
        "mjd", "passband", "flux_err", "hostgal_specz", "hostgal_photoz", "hostgal_photoz_err", "mwebv",
    }  # fmt: skip


@pytest.mark.parametrize("end", [".csv", ".csv.gz"])
@pytest.mark.parametrize("share", [0.0, 0.2, 0.5, 0.985])
def test_files_that_are_cut_off(tmp_path, end, share):
    path = write_csv(tmp_path / f"c{end}", CURVES, [row for id in range(99) for row in rows_of(id)])
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    assert all(problem.what.startswith(path.name) for problem in refused(path).problems)


def test_a_number_cut_off_at_the_end(tmp_path):
    path = write_csv(tmp_path / "c.csv", CURVES.replace(",detected_bool", ""), [r[:-2] for r in rows_of(1)])
    path.write_bytes(path.read_bytes()[:-2])
    assert "the last line has no end" in str(refused(path))


@settings(max_examples=40, deadline=None)
@given(junk=st.binary(max_size=60), at=st.integers(0, 300), zipped=st.booleans())
def test_hostile_bytes_never_crash(tmp_path_factory, junk, at, zipped):
    content = "\n".join([CURVES, *rows_of(1), *rows_of(2), ""]).encode()
    content = content[:at] + junk + content[at:]
    path = tmp_path_factory.mktemp("h") / "c.csv"
    path.write_bytes(gzip.compress(content) if zipped else content)
    try:
        read_plasticc(path, skip=True)
    except SubmissionError as error:
        assert error.problems


def test_what_is_no_such_file(tmp_path):
    path = tmp_path / "c.csv"
    path.write_bytes(pickle.dumps([1]))
    assert "a pickle, whatever its name" in str(refused(path))
    path.write_bytes(b"SIMPLE  =                    T")
    assert "is not CSV" in str(refused(path))
    assert "is not a file" in str(refused(tmp_path))
    assert "cannot be opened" in str(refused(tmp_path / "none.csv"))
    write_csv(path, CURVES, [])
    assert "there is no light curve" in str(refused(path))
    path.write_bytes(CURVES.encode())
    assert "there is no light curve" in str(refused(path))


def test_bad_cells_do_not_hide_what_is_wrong_with_other_rows_and_files(tmp_path):
    rows = [row for id in range(1, 9) for row in rows_of(id)]
    rows[0] = "1,59750.4,0,x,2.5,1"  # the only detection of object 1
    rows[5] = "2,59753.4,1,39.5,-2.5,0"
    rows[10] = "3,59756.4,2,nan,2.5,0"
    rows[15] = "4,59759.4,9,37.5,2.5,0"
    rows[16] = rows[16][:-1] + "0"  # that of object 5, told as none
    rows[20:24] = [f"6,{59750 + i},0,y,2.5,1" for i in range(4)]
    rows[24] = "7,59750.4,0,40.5,2.5,1"
    more = [*rows_of(20), *rows_of(21)]
    more[3] = "20,59759.4,3,37.5,0,0"
    objects = [plasticc_row(id, 90) for id in (1, 2, 3, 4, 5, 6, 7, 20, 30)]
    objects[6] = objects[6].replace("0.017", "dust")
    paths = [
        write_csv(tmp_path / "a.csv", CURVES, rows), write_csv(tmp_path / "b.csv", CURVES, more),
    ]  # fmt: skip
    error = refused(paths, write_csv(tmp_path / "m.csv", METADATA, objects))
    assert sorted((p.what.split(":")[0], p.row, p.column) for p in error.problems) == sorted([
        ("a.csv", 1, "flux"), ("a.csv", 6, "flux_err"), ("a.csv", 11, "flux"), ("a.csv", 16, "passband"),
        ("a.csv", 5, "object_id"), ("a.csv", 29, "object_id"), ("b.csv", 4, "flux_err"),
        ("b.csv", 5, "object_id"), ("m.csv", 7, "mwebv"), ("m.csv", 9, "object_id"),
    ]), str(error)  # fmt: skip
    told = str(error)
    assert "a transient without any detection: row 5 (id 5)" in told
    assert "cells that are not a number, such as 'x': 5 rows: 1, 21, 22, 23, 24" in told


def test_rows_of_another_length_are_told_with_the_others_by_their_own_numbers(tmp_path):
    rows = [row for id in range(1, 5) for row in rows_of(id)]
    rows[2] = "1,59756.4"
    rows[9] = "3,59753.4,1,39.5,-2.5,0"
    rows[11] = "3,59759.4,3,37.5,2.5,0,0"
    rows[14] = "4,59756.4,7,38.5,2.5,0"
    error = refused(*files(tmp_path, rows, [plasticc_row(id, 90) for id in (1, 2, 3, 9)]))
    assert {(p.row, p.column) for p in error.problems} == {
        (3, None), (10, "flux_err"), (15, "passband"), (13, "object_id"),
    }, str(error)  # fmt: skip
    # Object 9 may be in the rows that could not be read: nothing is said of it.
    assert "id 9" not in str(error)


def test_cells_are_told_with_columns_that_lack(tmp_path):
    error = refused(write_csv(tmp_path / "c.csv", "object_id,mjd,passband,flux", ["1,x,0,2", "1,3,0,2"]))
    assert [(p.row, p.column) for p in error.problems] == [(None, "flux_err"), (1, "mjd")]


def test_objects_that_are_no_whole_numbers_or_not_there_are_told_with_the_rest(tmp_path):
    rows = [*rows_of(1), *rows_of(2)]
    path = write_csv(tmp_path / "c.csv", CURVES, rows)
    assert read_plasticc(path, objects=np.array([2.0]))[0].id.tolist() == [2]
    (problem,) = refused(path, objects=[2, 713.5, np.nan]).problems
    assert problem.what == "`objects` holds 2 that are no whole numbers: 713.5, nan"
    error = refused(path, objects=["1", "2"])
    assert "`objects` holds 2 that are no whole numbers: 1, 2" in str(error)
    (problem,) = refused(path, objects=[1, 5, *range(10, 20)]).problems
    assert problem.what == (
        "`objects` names 11 of which no table has an observation: 5, 10, 11, 12, 13 and 6 more"
    )
    assert read_plasticc(path, objects=[1, 5], partial=True)[0].id.tolist() == [1]
    rows[1] = "1,59753.4,1,39.5,-2.5,0"
    path = write_csv(tmp_path / "c.csv", CURVES, rows)
    assert len(refused(path, objects=[1, 5, 0.5]).problems) == 3


def test_errors_speak_of_files_and_their_units(tmp_path):
    rows = rows_of(1)
    rows[1] = "1,59753.4,1,39.5,-2.5,0"
    error = refused(write_csv(tmp_path / "c.csv", CURVES, rows))
    assert str(error).startswith("c.csv has 1 problem; nothing of it is read.")
    assert "give the standard deviation of the flux, or read with skip=True" in str(error)
    assert "nJy" not in str(error)
    assert str(copy.copy(error)) == str(error)  # as between processes: made again from its arguments


@pytest.mark.parametrize("wrong", [None, 3, [3], ["c.csv", None], 2.5])
def test_what_is_no_path_is_said_to_be_none(wrong, tmp_path):
    with pytest.raises(TypeError, match="read from a path, or a list of paths, not from"):
        read_plasticc(wrong)
    with pytest.raises(TypeError, match="read from a path, or a list of paths, not from"):
        read_snana(wrong)
    if wrong is not None:
        with pytest.raises(TypeError, match="metadata is the path of one table"):
            read_plasticc(write_csv(tmp_path / "c.csv", CURVES, rows_of(1)), wrong)


def test_what_is_of_no_known_class_has_no_code(tmp_path):
    path = write_csv(tmp_path / "c.csv", CURVES, [*rows_of(1), *rows_of(2), *rows_of(3)])
    objects = [plasticc_row(1, 90), plasticc_row(2, -9), plasticc_row(3, 92)]
    curves, truth = read_plasticc(path, write_csv(tmp_path / "m.csv", METADATA, objects))
    assert truth.known.tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"not known of 1 of 3 transients, the first is 2: leave them out"):
        truth.codes(["Ia"])
    assert truth.select(truth.known).codes(["Ia"]).tolist() == [0, -1]
    assert curves.select(truth.known).id.tolist() == [1, 3]
