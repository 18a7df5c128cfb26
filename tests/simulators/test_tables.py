"""Tables: every format gives the same columns, and everything wrong is told at once."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn, Table
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.simulators.tables import Column, read_table, take_columns

COLUMNS = {"z": np.array([0.5, 1.0, 2.0]), "id": np.array([1, 2, 3])}
Z = Column("z", "redshift", 0.0, 6.0)


def _write(path):
    if path.suffix == ".parquet":
        pq.write_table(pa.table(COLUMNS), path)
    else:
        kind = {".fits": "fits", ".csv": "ascii.csv", ".ecsv": "ascii.ecsv"}[path.suffix]
        Table(COLUMNS).write(path, format=kind)
    return path


@pytest.mark.parametrize("suffix", [".parquet", ".fits", ".csv", ".ecsv"])
def test_every_format(tmp_path, suffix):
    path = _write(tmp_path / f"galaxies{suffix}")
    for source in (path, str(path)):
        table = read_table(source)
        assert list(table) == ["z", "id"]
        for name, values in COLUMNS.items():
            np.testing.assert_array_equal(table[name], values)
            assert table[name].dtype.isnative
    assert list(read_table(path, ["id", "other"])) == ["id"]


@pytest.mark.parametrize("kind", [dict, Table, pa.table, pd.DataFrame])
def test_tables_in_memory(kind):
    table = read_table(kind(COLUMNS))
    np.testing.assert_array_equal(table["z"], COLUMNS["z"])


def test_structured_array_and_columns_of_lists():
    array = np.array([(0.1, 2), (0.2, 3)], dtype=[("z", float), ("n", int)])
    np.testing.assert_array_equal(read_table(array)["n"], [2, 3])
    lists = pa.table({"light": [[1.0, 2.0], [3.0, 4.0]]})
    assert read_table(lists)["light"].shape == (2, 2)


def test_masked_values_count_as_missing():
    table = Table({"z": MaskedColumn([0.1, 0.2], mask=[False, True])})
    with pytest.raises(ValueError, match="not nan in row 1"):
        take_columns(read_table(table), [Z], title="a table")


def test_all_that_is_wrong_is_told_at_once():
    table = {
        "z": np.array([0.5, -1.0, np.nan, 9.0, 8.0]),
        "size_arcsec": np.ones(5),
        "e": np.array(["a"] * 5),
    }
    columns = [Z, Column("size", "arcsec"), Column("e", "ellipticity"), Column("extra", "", needed=False)]
    with pytest.raises(ValueError, match="my table cannot be used") as caught:
        take_columns(table, columns, title="my table")
    told = str(caught.value)
    assert "at least 0 and at most 6, not -1 in row 1, nan in row 2, 9 in row 3 and 1 more" in told
    assert "column 'size' is missing: arcsec (rename 'size_arcsec'?)" in told
    assert "column 'e' holds no numbers" in told
    assert "extra" not in told


@given(st.lists(st.floats(allow_nan=True, allow_infinity=True), min_size=1, max_size=20))
def test_exactly_the_bad_rows_are_refused(values):
    column = Column("z", "redshift", 0.0, 6.0, above=True)
    good = [0.0 < value <= 6.0 for value in values]
    assert list(~column.bad(np.array(values))) == good
    if all(good):
        assert take_columns({"z": np.array(values)}, [column], title="t")["z"].tolist() == values
    else:
        with pytest.raises(ValueError, match=f"in row {good.index(False)}"):
            take_columns({"z": np.array(values)}, [column], title="t")


def test_files_that_cannot_be_read(tmp_path):
    with pytest.raises(ValueError, match="has to end in .parquet"):
        read_table(tmp_path / "galaxies.txt")
    with pytest.raises(FileNotFoundError, match="there is no table"):
        read_table(tmp_path / "galaxies.fits")
    broken = tmp_path / "galaxies.parquet"
    broken.write_bytes(b"nothing of the kind")
    with pytest.raises(ValueError, match="cannot be read as parquet"):
        read_table(broken)
    for nothing in (None, 3, [1, 2]):
        with pytest.raises(ValueError, match=f"a {type(nothing).__name__} is no table"):
            read_table(nothing)
    with pytest.raises(ValueError, match="arrays, one value a row, which 'z' is not"):
        read_table({"e": [1, 2], "z": 0.5})
    with pytest.raises(ValueError, match="of one length, not z 2, e 3"):
        read_table({"z": [1, 2], "e": [1, 2, 3]})
