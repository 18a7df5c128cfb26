"""Files from strangers: read as what they are, refused with a reason, never a crash."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from astropy.table import MaskedColumn
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.challenges.submissions import Limits, SubmissionError, read_submission, write_submission

FORMS = ["parquet", "fits", "csv"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("extension", FORMS)
def test_what_is_written_is_read_whatever_the_file_is_called(shear, form, extension, tmp_path):
    path, columns = tmp_path / f"predictions.{extension}", shear.predictions()
    shear.forms[form](path, columns)
    table = read_submission(path)
    assert {name: column.dtype.kind for name, column in table.columns.items()} == {
        name: column.dtype.kind for name, column in columns.items()
    }
    for name, column in columns.items():
        np.testing.assert_array_equal(table.columns[name], column)
        assert table.columns[name].dtype.isnative
    assert table.metadata == ({} if form == "csv" else shear.stated)
    assert table.digest.startswith("sha256:")
    assert shear.check(path) == []


def test_writing_is_atomic_and_leaves_nothing_behind(shear, tmp_path, monkeypatch):
    path = tmp_path / "predictions.parquet"
    shear.forms["parquet"](path, shear.predictions())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="g1 has shape"):
        write_submission(path, shear.ids, {"g1": np.zeros(3)}, shear.stated)

    def fail(table, file, **options):
        file.write(b"PAR1")
        raise OSError("the disk is full")

    monkeypatch.setattr(pq, "write_table", fail)
    with pytest.raises(OSError, match="disk is full"):
        shear.forms["parquet"](path, shear.predictions())
    assert path.read_bytes() == before
    assert [file.name for file in tmp_path.iterdir()] == [path.name]
    with pytest.raises(ValueError, match="ids are an argument"):
        write_submission(path, shear.ids, {"id": shear.ids}, shear.stated)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "is empty"),
        (b"\x89HDF\r\n\x1a\n" + bytes(100), "HDF5"),
        (b"PK\x03\x04" + bytes(100), "zip"),
        (pickle.dumps({"g1": 1}), "pickle"),
        (b"<!doctype html><html>503</html>", "web page"),
        (b'{"g1": 1}', "JSON"),
        (bytes(range(256)), "neither"),
        (b"PAR1", "cut off"),
        (b"SIMPLE  =                    T", "cannot be read"),
        (b"id;g1\n1;2\n", "commas"),
        (b"\n\n", "no header"),
        (b"id,\xff\xfe\n1,2\n", "cannot be read"),
    ],
)
def test_files_that_are_no_submission_say_what_they_are(shear, content, reason, tmp_path):
    path = tmp_path / "predictions.parquet"
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match=reason):
        read_submission(path)
    [problem] = shear.check(path)
    assert reason in problem.what and problem.fix


@pytest.mark.parametrize("name", ["nowhere", ".", "\0"])
def test_paths_that_are_no_file(shear, name, tmp_path):
    assert len(shear.check(tmp_path / name)) == 1


@pytest.mark.parametrize("form", ["parquet", "fits"])
@pytest.mark.parametrize("part", [0.1, 0.5, 0.99])
def test_truncated_files_are_refused(shear, form, part, tmp_path):
    path = tmp_path / "predictions"
    ids = np.arange(1000)
    shear.forms[form](path, shear.predictions(ids))
    # FITS ends in padding, which may be missing without harm: cut into the table itself.
    end = path.stat().st_size - (2880 if form == "fits" else 0)
    path.write_bytes(path.read_bytes()[: int(end * part)])
    with pytest.raises(SubmissionError, match="cut off before"):
        read_submission(path)


def test_a_flipped_bit_in_parquet_is_noticed(shear, tmp_path):
    path = tmp_path / "predictions"
    shear.forms["parquet"](path, shear.predictions(np.arange(5000)))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match="damaged"):
        read_submission(path)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("limits", [Limits(bytes=100), Limits(rows=3), Limits(columns=2)])
def test_large_files_are_refused_before_they_are_read(shear, form, limits, tmp_path):
    shear.forms[form](tmp_path / "p", shear.predictions())
    with pytest.raises(SubmissionError, match="at most"):
        read_submission(tmp_path / "p", limits)


def test_a_small_file_that_unpacks_to_a_large_one_is_refused(shear, tmp_path):
    pq.write_table(pa.table({"g1": np.zeros(3_000_000)}), tmp_path / "p", use_dictionary=False)
    assert (tmp_path / "p").stat().st_size < 2_000_000
    with pytest.raises(SubmissionError, match="unpacks"):
        read_submission(tmp_path / "p", Limits(bytes=2_000_000))
    [problem] = shear.check(tmp_path / "p")
    assert "3,000,000 rows" in problem.what


def test_columns_of_no_plain_numbers_are_never_decoded(shear, tmp_path):
    n = len(shear.ids)
    columns = {name: pa.array(column) for name, column in shear.predictions().items()}
    columns |= {"g1": pa.array(["0.1"] * n), "g2": pa.array([[0.1]] * n), "cov11": pa.array([b"x"] * n)}
    pq.write_table(pa.table(columns), tmp_path / "p")
    table = read_submission(tmp_path / "p")
    assert set(table.foreign) == {"g1", "g2", "cov11"} and not set(table.foreign) & set(table.columns)
    assert {problem.column for problem in shear.check(tmp_path / "p")} == {"g1", "g2", "cov11"}


def test_fits_columns_of_lists_and_text_are_never_decoded(shear, tmp_path):
    columns = shear.predictions() | {
        "g1": np.zeros((len(shear.ids), 2)),
        "g2": np.array(["0.1"] * len(shear.ids)),
    }
    columns["cov11"] = np.array([np.zeros(k % 3) for k in range(len(shear.ids))], dtype=object)
    shear.forms["fits"](tmp_path / "p", columns)
    assert {problem.column for problem in shear.check(tmp_path / "p")} == {"g1", "g2", "cov11"}


def test_two_columns_of_one_name(shear, tmp_path):
    table = pa.Table.from_arrays(
        [pa.array(shear.ids), pa.array(shear.ids * 0.0), pa.array(shear.ids * 0.0)], ["id", "g1", "g1"]
    )
    pq.write_table(table, tmp_path / "p")
    (tmp_path / "c").write_text("id,g1,g1\n5,0,0\n")
    for name in ("p", "c"):
        assert any(p.column == "g1" and "two columns" in p.what for p in shear.check(tmp_path / name))


def test_csv_rows_that_cannot_be_read_are_named_by_their_place_in_the_file(shear, tmp_path):
    shear.forms["csv"](tmp_path / "p", shear.predictions())
    lines = (tmp_path / "p").read_text().splitlines()
    lines[2] += ",1"  # row 2 has a value too many
    lines[4] = lines[4].replace(lines[4].split(",")[1], "O.1", 1)  # row 4, g1
    lines[6] = lines[6].replace(lines[6].split(",")[2], "", 1)  # row 6, g2
    (tmp_path / "p").write_text("\ufeff" + "\r\n".join([lines[0], "", *lines[1:]]))
    found = {(p.row, p.column) for p in shear.check(tmp_path / "p")}
    assert found == {(2, None), (4, "g1"), (6, "g2"), (None, "id")}


def test_csv_with_a_header_alone(shear, tmp_path):
    for content in ("id,g1,g2,cov11,cov22,cov12", "id,g1,g2,cov11,cov22,cov12\n"):
        (tmp_path / "p").write_text(content)
        assert any("8 of 8 ids have no row" in problem.what for problem in shear.check(tmp_path / "p"))


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "head", [b"", b"PAR1", b"SIMPLE  =                    T", b"id,g1,g2,cov11,cov22,cov12\n"]
)
@given(body=st.binary(max_size=300), tail=st.sampled_from([b"", b"PAR1", b"\x08\0\0\0PAR1"]))
def test_random_bytes_give_problems_and_never_crash(shear, tmp_path_factory, head, body, tail):
    path = tmp_path_factory.mktemp("random") / "p"
    path.write_bytes(head + body + tail)
    assert shear.check(path)


@pytest.mark.parametrize("form", FORMS)
@given(seed=st.integers(0, 2**32))
def test_damaged_files_are_read_or_refused_and_never_crash(shear, tmp_path_factory, form, seed):
    path = tmp_path_factory.mktemp("damaged") / "p"
    shear.forms[form](path, shear.predictions())
    content, rng = bytearray(path.read_bytes()), np.random.default_rng(seed)
    for position in rng.integers(0, len(content), rng.integers(1, 6)):
        content[position] = rng.integers(0, 256)
    path.write_bytes(content)
    try:
        table = read_submission(path)
    except SubmissionError as error:
        assert error.problems
    else:
        assert all(len(column) == table.n_rows for column in table.columns.values())
        assert isinstance(shear.check(table), list)


def test_empty_cells_of_parquet(shear, tmp_path):
    columns = {name: pa.array(column) for name, column in shear.predictions().items()}
    columns["id"] = pa.array([None, *shear.ids[1:].tolist()], type=pa.int64())
    columns["g1"] = pa.array([0.0, None, *[0.0] * (len(shear.ids) - 2)])
    pq.write_table(pa.table(columns), tmp_path / "p")
    found = {(p.row, p.column, p.what.split()[0]) for p in shear.check(tmp_path / "p")}
    assert found == {(1, "id", "empty"), (2, "g1", "empty"), (None, "id", "1")}


def test_empty_cells_of_fits(shear, tmp_path):
    columns = shear.predictions()
    columns["id"] = MaskedColumn(columns["id"], mask=np.arange(len(shear.ids)) == 3, fill_value=-999)
    shear.forms["fits"](tmp_path / "p", columns)
    found = [(p.row, p.column, p.what.split()[0]) for p in shear.check(tmp_path / "p")]
    assert found == [(4, "id", "empty"), (None, "id", "1")]


def test_a_changed_byte_is_found_in_fits_with_checksums(tmp_path):
    from astropy.io import fits

    path = tmp_path / "p.fits"
    column = fits.Column("g1", "D", array=np.linspace(0.1, 0.2, 4))
    fits.BinTableHDU.from_columns([column]).writeto(path, checksum=True)
    assert read_submission(path).n_rows == 4
    content = bytearray(path.read_bytes())
    content[content.index(np.array(0.1, ">f8").tobytes()) + 3] ^= 1
    path.write_bytes(content)
    with pytest.raises(SubmissionError, match="verification failed"):
        read_submission(path)


def test_a_folder_is_named_as_it_was_typed():
    with pytest.raises(SubmissionError, match=r"^\. has 1 problem[\s\S]*is not a file"):
        read_submission(".")
