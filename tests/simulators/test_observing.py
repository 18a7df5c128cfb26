"""Readers of survey databases and tables: what they find, what they draw, what they refuse."""

import gzip
import sqlite3

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.simulators.cadence import survey_visits
from skysynergy.simulators.observing import read_database, read_parquet, visits_from_columns
from skysynergy.simulators.visits import deepest, five_sigma_depth

RA, DEC = 53.0, -28.0
# Columns of a survey database that we read, and some of the others.
ROW = {
    "observationId": 1,
    "fieldRA": RA,
    "fieldDec": DEC,
    "observationStartMJD": 61000.2,
    "visitExposureTime": 30.0,
    "filter": "r",
    "fiveSigmaDepth": 24.2,
    "seeingFwhmEff": 0.95,
    "seeingFwhmGeom": 0.83,
    "airmass": 1.1,
    "skyBrightness": 21.0,
}


def _rng():
    return np.random.default_rng(0)


def _database(path, rows, table="observations"):
    with sqlite3.connect(path) as database:
        columns = list(rows[0])
        database.execute(f"CREATE TABLE {table} ({', '.join(columns)})")
        marks = ", ".join("?" * len(columns))
        database.executemany(f"INSERT INTO {table} VALUES ({marks})", [tuple(row.values()) for row in rows])
    database.close()
    return path


def _read(path, **where):
    return read_database(path, **({"ra_deg": RA, "dec_deg": DEC, "rng": _rng()} | where))


def test_a_database_gives_what_it_holds(tmp_path):
    rows = [
        ROW | {"observationStartMJD": 61003.0, "filter": "y", "fiveSigmaDepth": 22.1, "airmass": 1.3},
        ROW,
        ROW | {"fieldDec": DEC + 1.7, "observationStartMJD": 61001.0, "filter": "u", "fiveSigmaDepth": 23.5},
        ROW | {"fieldDec": DEC + 1.8},
        ROW | {"fieldRA": RA + 2.1, "observationStartMJD": 61002.0},  # 1.85 degrees away
        ROW | {"fieldRA": RA - 1.9, "observationStartMJD": 61004.0},  # 1.68 degrees away
    ]
    visits = _read(_database(tmp_path / "baseline.db", rows))
    assert visits.bands == ["r", "u", "y", "r"]
    np.testing.assert_array_equal(visits.mjd, [61000.2, 61001.0, 61003.0, 61004.0])
    np.testing.assert_array_equal(visits.m5, [24.2, 23.5, 22.1, 24.2])
    np.testing.assert_array_equal(visits.airmass, [1.1, 1.1, 1.3, 1.1])
    np.testing.assert_array_equal(visits.fwhm_eff_arcsec, [0.95] * 4)


def test_the_sky_has_no_edge_at_right_ascension_zero(tmp_path):
    path = _database(tmp_path / "baseline.db", [ROW | {"fieldRA": 359.5, "fieldDec": 0.0}])
    assert len(_read(path, ra_deg=0.5, dec_deg=0.0)) == 1
    assert len(_read(path, ra_deg=360.5, dec_deg=0.0)) == 1


def test_newer_databases_call_the_filter_band(tmp_path):
    renamed = {("band" if name == "filter" else name): value for name, value in ROW.items()}
    assert _read(_database(tmp_path / "new.db", [renamed])).bands == ["r"]
    # Both: the filter may then carry its physical name.
    both = renamed | {"filter": "r_57"}
    assert _read(_database(tmp_path / "both.db", [both])).bands == ["r"]


def test_a_database_is_never_written_to(tmp_path):
    path = _database(tmp_path / "a strange#name?.db", [ROW])
    path.chmod(0o444)
    before = path.read_bytes()
    assert len(_read(path)) == 1
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_geometric_seeing_is_understood_where_there_is_no_other(tmp_path):
    row = {name: value for name, value in ROW.items() if name != "seeingFwhmEff"}
    visits = _read(_database(tmp_path / "geometric.db", [row]))
    assert visits[0].fwhm_arcsec == pytest.approx(0.83)


def test_noise_is_that_of_the_depth(tmp_path):
    visits = _read(_database(tmp_path / "baseline.db", [ROW]))
    from skysynergy.simulators.surveys import BANDS

    depth = five_sigma_depth(BANDS["r"], 30.0, 0.95, float(visits.background_variance_e2[0]))
    assert depth == pytest.approx(24.2)


@pytest.mark.parametrize(("seconds", "stands_for"), [(15.0, 1), (29.2, 1), (38.0, 1), (60.0, 2), (300.0, 4)])
def test_longer_exposures_stand_for_several_visits(seconds, stands_for):
    columns = {"band": ["i"], "mjd": [61000.0], "m5": [23.5], "exposure_s": [seconds]}
    assert visits_from_columns(columns, rng=_rng())[0].condensed == stands_for


def test_a_survey_of_ours_comes_back_from_a_table(tmp_path):
    """What is written is read; what is left out is drawn from the same law."""
    drawn = survey_visits(np.random.default_rng(5))
    table = pa.table(
        {
            "pointing": np.full(len(drawn), 7),
            "band": drawn.bands,
            "mjd": drawn.mjd,
            "m5": drawn.m5,
        }
    )
    pq.write_table(table, tmp_path / "ours.parquet")
    read = read_parquet(tmp_path / "ours.parquet", pointing=7, rng=_rng())
    for name in ("code", "mjd", "m5"):
        np.testing.assert_array_equal(getattr(read, name), getattr(drawn, name))
    assert np.median(read.fwhm_eff_arcsec) == pytest.approx(np.median(drawn.fwhm_eff_arcsec), rel=0.1)
    assert np.all(read.m5 <= deepest(read.code, read.fwhm_eff_arcsec) + 1e-6)
    assert read.airmass.min() >= 1 and read.airmass.max() <= 1.5
    again = read_parquet(tmp_path / "ours.parquet", pointing=7, rng=_rng())
    np.testing.assert_array_equal(read.fwhm_eff_arcsec, again.fwhm_eff_arcsec)


def test_the_real_baseline_is_read(test_data, record_figure):
    path = test_data / "cadence" / "lsst_baseline_v3.0_visits.parquet"
    if not path.exists():
        pytest.skip(f"{path} is missing")
    wide, deep = (read_parquet(path, pointing=number, rng=_rng()) for number in (0, 150))
    assert 700 < len(wide) < 1000 and len(deep) == 42103
    assert {name: len(deep.in_band(name)) for name in "uy"} == {"u": 2226, "y": 8740}
    assert 0.8 < np.median(wide.fwhm_eff_arcsec) < 1.1
    # Seeing that explains the depth is there for all of them.
    assert np.all(deep.background_variance_e2 > 77)
    record_figure("seeing drawn for a real wide pointing, median (arcsec)", np.median(wide.fwhm_eff_arcsec))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"filter": "w"},
            "row 2 of observations in bad.db: filter is 'w', which is no band of LSST: write one of u g r",
        ),
        ({"filter": None}, "row 2 .*filter is None"),
        ({"fiveSigmaDepth": None}, "row 2 .*fiveSigmaDepth is nan, and has to be a five-sigma depth"),
        ({"fiveSigmaDepth": -999.0}, "fiveSigmaDepth is -999.*1 of 2 rows are not.*leave them out"),
        ({"fiveSigmaDepth": 27.5}, "row 2 .*fiveSigmaDepth is 27.5 in r.*single visits, not of a stack"),
        ({"fiveSigmaDepth": "deep"}, "row 2 .*fiveSigmaDepth is 'deep', not a number"),
        ({"observationStartMJD": 2461000.5}, "observationStartMJD is 2.461e\\+06.*modified Julian date"),
        ({"seeingFwhmEff": 0.0}, "seeingFwhmEff is 0, and has to be seeing"),
        ({"airmass": 0.9}, "airmass is 0.9, and has to be 1 or more"),
        ({"visitExposureTime": 0.0}, "visitExposureTime is 0"),
        ({"fieldDec": "south"}, "row 2 .*fieldDec is 'south', not a number"),
        ({"fieldRA": float("inf")}, "row 2 .*fieldRA is inf"),
    ],
)
def test_a_bad_row_is_named(tmp_path, change, message):
    with pytest.raises(ValueError, match=message):
        _read(_database(tmp_path / "bad.db", [ROW, ROW | change]))


@pytest.mark.parametrize(
    "missing", ["fieldRA", "fieldDec", "observationStartMJD", "filter", "fiveSigmaDepth"]
)
def test_a_missing_column_is_named(tmp_path, missing):
    row = {name: value for name, value in ROW.items() if name != missing}
    with pytest.raises(ValueError, match=f"observations in bad.db has no column .*{missing}.* it has "):
        _read(_database(tmp_path / "bad.db", [row]))


def test_files_that_are_no_survey_databases(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file .*none.db"):
        _read(tmp_path / "none.db")
    with pytest.raises(FileNotFoundError, match="give the path of a survey's table"):
        _read(tmp_path)
    (tmp_path / "text.db").write_text("not a database, and longer than the header of one" * 10)
    with pytest.raises(ValueError, match="cannot be read as an SQLite database .*not compressed"):
        _read(tmp_path / "text.db")
    good = _database(tmp_path / "good.db", [ROW] * 500).read_bytes()
    (tmp_path / "packed.db").write_bytes(gzip.compress(good))
    with pytest.raises(ValueError, match="not compressed"):
        _read(tmp_path / "packed.db")
    (tmp_path / "half.db").write_bytes(good[: len(good) // 2])
    with pytest.raises(ValueError, match="is the download complete"):
        _read(tmp_path / "half.db")
    with pytest.raises(ValueError, match="no table observations: it has visits"):
        _read(_database(tmp_path / "other.db", [ROW], table="visits"))
    (tmp_path / "empty.db").touch()
    with pytest.raises(ValueError, match="no table observations: it has none"):
        _read(tmp_path / "empty.db")


def test_places_outside_the_survey_or_the_sky(tmp_path):
    path = _database(tmp_path / "baseline.db", [ROW])
    with pytest.raises(ValueError, match="no visit within 1.75 degrees of ra_deg=53.0, dec_deg=30"):
        _read(path, dec_deg=30.0)
    with pytest.raises(ValueError, match="dec_deg=-100.0 is not on the sky"):
        _read(path, dec_deg=-100.0)


def test_files_that_are_no_tables(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_parquet(tmp_path / "none.parquet", pointing=0, rng=_rng())
    (tmp_path / "text.parquet").write_text("not parquet")
    with pytest.raises(ValueError, match="cannot be read as a parquet table"):
        read_parquet(tmp_path / "text.parquet", pointing=0, rng=_rng())
    good = {"pointing": [3, 4], "band": ["u", "Y"], "mjd": [61000.0, 61001.0], "m5": [23.5, 22.0]}
    pq.write_table(pa.table(good), tmp_path / "good.parquet")
    assert len(read_parquet(tmp_path / "good.parquet", pointing=3, rng=_rng())) == 1
    with pytest.raises(ValueError, match="no pointing 5: its 2 go from 3 to 4"):
        read_parquet(tmp_path / "good.parquet", pointing=5, rng=_rng())
    # Row 1 of the table, though the first of its pointing.
    with pytest.raises(ValueError, match="row 1 of good.parquet: band is 'Y'"):
        read_parquet(tmp_path / "good.parquet", pointing=4, rng=_rng())
    for missing in good:
        rest = {name: column for name, column in good.items() if name != missing}
        pq.write_table(pa.table(rest), tmp_path / "bad.parquet")
        with pytest.raises(ValueError, match=f"bad.parquet has no column {missing}"):
            read_parquet(tmp_path / "bad.parquet", pointing=3, rng=_rng())


def test_columns_of_different_length():
    with pytest.raises(ValueError, match="differ in length"):
        visits_from_columns({"band": ["u"], "mjd": [61000.0, 61001.0], "m5": [23.5]}, rng=_rng())


@given(
    st.lists(
        st.tuples(
            st.sampled_from(["u", "g", "r", "i", "z", "y", "VIS", "", None, "r_57"]),
            st.one_of(st.floats(), st.none(), st.floats(55000, 65000)),
            st.one_of(st.floats(), st.none(), st.floats(19, 25), st.just("faint")),
            st.one_of(st.floats(), st.floats(0.3, 3)),
        ),
        min_size=1,
        max_size=8,
    )
)
def test_any_table_gives_possible_visits_or_an_error_that_names_a_row(rows):
    columns = dict(
        zip(("band", "mjd", "m5", "seeingFwhmEff"), map(list, zip(*rows, strict=True)), strict=True)
    )
    try:
        visits = visits_from_columns(columns, rng=_rng())
    except ValueError as error:
        assert "row " in str(error) and any(name in str(error) for name in columns)
    else:
        assert len(visits) == len(rows)
        assert np.all(np.isfinite(visits.background_variance_e2)) and np.all(
            visits.background_variance_e2 > 0
        )
        assert np.all(np.diff(visits.mjd) >= 0)
