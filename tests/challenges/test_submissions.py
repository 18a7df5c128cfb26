"""The validator: every injected fault is reported, and nothing valid is rejected."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skysynergy.challenges.shear_submission import SHEAR_SUBMISSION
from skysynergy.challenges.submissions import (
    Check,
    Column,
    SubmissionError,
    SubmissionSchema,
    Table,
    accept,
    validate,
)

FORMS = ["parquet", "fits", "csv"]


def test_accept_gives_the_columns_in_the_order_that_is_expected(shear, tmp_path):
    columns = shear.predictions()
    shear.forms["parquet"](tmp_path / "p", columns)
    shuffled = np.random.default_rng(1).permutation(len(shear.ids))
    found = accept(tmp_path / "p", SHEAR_SUBMISSION, shear.ids[shuffled], shear.expected)
    assert list(found) == ["g1", "g2", "cov11", "cov22", "cov12"]
    for name, values in found.items():
        np.testing.assert_array_equal(values, columns[name][shuffled])
    with pytest.raises(SubmissionError, match="no row"):
        accept(tmp_path / "p", SHEAR_SUBMISSION, np.append(shear.ids, 1), shear.expected)


def faulty(fault: str, columns: dict[str, np.ndarray], row: int, name: str) -> tuple[str, str]:
    """Put a fault in; returns the column and a word of the report that must come."""
    if fault == "missing id":
        for key in columns:
            columns[key] = np.delete(columns[key], row)
        return "id", "no row"
    if fault == "duplicate id":
        for key in columns:
            columns[key] = np.append(columns[key], columns[key][row])
        return "id", "seen before"
    if fault == "unknown id":
        columns["id"][row] = 999
        return "id", "unknown"
    if fault == "decimal ids":
        columns["id"] = columns["id"].astype(np.float64)
        return "id", "decimal"
    if fault == "missing column":
        del columns[name]
        return name, "missing"
    if fault == "renamed column":
        columns[name.upper()] = columns.pop(name)
        return name, "missing"
    if fault == "extra column":
        columns["seeing"] = np.zeros(len(columns["id"]))
        return "seeing", "not asked for"
    if fault == "truth values":
        columns[name] = columns[name] > 0
        return name, "true and false"
    value, word = {"nan": (np.nan, "NaN"), "inf": (-np.inf, "infinite"), "bounds": (-1e3, "out of bounds")}[
        fault
    ]
    columns[name][row] = value
    return name, word


FAULTS = ["missing id", "duplicate id", "unknown id", "decimal ids", "missing column", "renamed column",
          "extra column", "truth values", "nan", "inf", "bounds"]  # fmt: skip


@given(
    n=st.integers(1, 30),
    seed=st.integers(0, 2**32),
    fault=st.sampled_from(FAULTS),
    place=st.integers(0, 10**6),
    name=st.sampled_from(SHEAR_SUBMISSION.names),
)
def test_every_fault_is_reported_where_it_is_and_nothing_else(shear, n, seed, fault, place, name):
    ids = np.random.default_rng(seed).choice(2**40, n, replace=False) + 2**50
    columns, row = shear.predictions(ids, seed), place % n
    assert shear.check(Table(columns), ids) == []
    column, word = faulty(fault, columns, row, name)
    problems = shear.check(Table(columns), ids)
    allowed = {column} | ({"id"} if fault == "unknown id" else set())
    assert {problem.column for problem in problems} <= allowed
    assert any(problem.column == column and word in problem.what for problem in problems)
    if fault in ("unknown id", "nan", "inf", "bounds"):
        assert problems[0].row == row + 1


@given(faults=st.permutations(["missing id", "duplicate id", "extra column"]), bad=st.permutations(range(4)))
def test_all_faults_are_reported_at_once(shear, faults, bad):
    ids = np.arange(40)
    columns = shear.predictions(ids)
    names = [("nan", "g1"), ("inf", "g2"), ("bounds", "cov11"), ("renamed column", "cov22")]
    for which in bad:
        fault, name = names[which]
        faulty(fault, columns, 3 + which, name)
    for row, fault in enumerate(faults):
        faulty(fault, columns, 10 + row, "")
    table = Table(
        columns, metadata=shear.stated | {"track": "lsst", "dataset": "sha256:0", "challenge": "photoz"}
    )
    text = str(SubmissionError(shear.check(table, ids), "p.parquet"))
    words = ["no row", "seen before", "seeing", "NaN", "infinite", "out of bounds", "'COV22'", "'lsst'",
             "sha256:0", "'photoz'"]  # fmt: skip
    assert [word for word in words if word not in text] == []


@given(
    n=st.integers(0, 40),
    seed=st.integers(0, 2**32),
    form=st.sampled_from(FORMS),
    single=st.booleans(),
    extreme=st.booleans(),
)
def test_valid_submissions_are_never_rejected(shear, tmp_path_factory, n, seed, form, single, extreme):
    rng = np.random.default_rng(seed)
    ids = np.unique(rng.integers(-(2**63), 2**63 - 1, n))
    columns = shear.predictions(ids, seed)
    if extreme:
        columns |= {"cov11": np.full(len(ids), 1e-16), "cov22": np.full(len(ids), 1e2)}
        columns |= {"cov12": np.zeros(len(ids)), "g1": columns["g1"] * 9.9, "g2": columns["g1"] * 1e-300}
    if single:
        columns = {k: v.astype(np.float32) if k in ("g1", "g2") else v for k, v in columns.items()}
    order = rng.permutation(len(ids))
    path = tmp_path_factory.mktemp("valid") / "p"
    shear.forms[form](path, {name: column[order] for name, column in columns.items()})
    assert shear.check(path, ids) == []
    found = accept(path, SHEAR_SUBMISSION, ids, shear.expected)
    np.testing.assert_array_equal(found["cov11"], columns["cov11"])


def test_covariances_that_are_none_and_shears_of_one(shear, tmp_path):
    columns = shear.predictions()
    columns["cov12"][2] = np.sqrt(columns["cov11"][2] * columns["cov22"][2]) * 1.01
    columns["g1"][4] = columns["g2"][4] = 0.8
    problems = shear.check(Table(columns))
    assert [(p.row, p.column) for p in problems] == [(5, "g1, g2"), (3, "cov11, cov22, cov12")]
    columns["cov11"][2] = np.nan  # a row that is already wrong is not judged twice
    assert [(p.row, p.column) for p in shear.check(Table(columns))] == [(3, "cov11"), (5, "g1, g2")]


def test_ids_too_large_for_int64_are_unknown_and_not_wrapped(shear):
    columns = shear.predictions()
    columns["id"] = columns["id"].astype(np.uint64)
    columns["id"][2] = 2**64 - 7  # would wrap to -7, which is expected
    assert [p.what.split()[0] for p in shear.check(Table(columns))] == ["unknown", "1"]


def test_neighbouring_long_ids_are_told_apart(shear):
    columns = shear.predictions()
    columns["id"][0] -= 1
    assert [p.row for p in shear.check(Table(columns)) if "unknown" in p.what] == [1]


def test_many_problems_of_a_kind_are_one_report(shear):
    ids = np.arange(100_000)
    columns = shear.predictions(ids)
    columns["g1"][100:] = np.nan
    [problem] = shear.check(Table(columns), ids)
    assert (problem.row, problem.count) == (101, 99_900)
    assert "99,900 rows: 101 (id 100), 102 (id 101)" in problem.what and "99,895 more" in problem.what
    assert len(problem.what) < 200


def test_predictions_for_another_dataset_say_so(shear):
    problems = shear.check(Table(shear.predictions(shear.ids + 1000)))
    assert any("no id is known" in problem.fix for problem in problems)


def test_metadata_that_a_file_does_not_state_are_no_problem(shear):
    assert shear.check(Table(shear.predictions(), metadata={"tier": "small"})) == []


def test_whole_numbers_are_asked_for_and_bounded():
    schema = SubmissionSchema("classes", "id", (Column("label", "class", kind="int", low=0, high=3),))
    ids = np.arange(4)
    assert validate(Table({"id": ids, "label": ids.astype(np.int8)}), schema, ids) == []
    for wrong in (ids.astype(float), ids > 1, ids + 1, ids.astype("datetime64[s]"), ids.astype(str)):
        assert [p.column for p in validate(Table({"id": ids, "label": wrong}), schema, ids)] == ["label"]
    free = SubmissionSchema("classes", "id", (Column("label", "class", kind="int"),))
    large = np.array([0, 1, 2, 2**63], dtype=np.uint64)
    assert [p.row for p in validate(Table({"id": ids, "label": large}), free, ids)] == [4]


def test_checks_may_overflow():
    check = Check(("a", "b"), "a is not below b", "sort them", lambda row: row["a"] * 1e308 < row["b"])
    schema = SubmissionSchema("any", "id", (Column("a", "a"), Column("b", "b")), (check,))
    ids = np.arange(2)
    table = Table({"id": ids, "a": np.array([0.0, 1e9]), "b": np.ones(2)})
    assert [p.row for p in validate(table, schema, ids)] == [2]


def test_a_schema_says_what_is_wrong_with_itself():
    with pytest.raises(ValueError, match="kind"):
        Column("g1", "shear", kind="double")
    with pytest.raises(ValueError, match="equally long"):
        Table({"id": np.arange(2), "g1": np.zeros(3)})
    for column in (np.float64(0), np.zeros((2, 2))):
        with pytest.raises(ValueError, match=r"column g1 has shape \(.*one value per row"):
            Table({"id": np.arange(2), "g1": column})


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("dtype", ["float16", "float32", "int8", "complex128"])
def test_numbers_of_any_type_are_judged_without_a_warning(dtype, shear):
    columns = shear.predictions()
    columns["g1"] = np.zeros(len(shear.ids), dtype)
    found = [problem.what for problem in shear.check(Table(columns))]
    assert found == (["holds values of type complex128"] if dtype == "complex128" else [])


def test_errors_travel_between_processes(shear):
    error = SubmissionError(shear.check(Table(shear.predictions(shear.ids + 1))), "p.parquet")
    again = copy.copy(error)  # uses what pickle uses between workers
    assert str(again) == str(error) and again.problems == error.problems


def test_the_message_is_for_people(shear):
    columns = shear.predictions()
    columns["g1"][2] = np.nan
    columns["G2"] = columns.pop("g2")
    assert str(SubmissionError(shear.check(Table(columns)), "p.parquet")) == (
        "p.parquet has 2 problems; nothing of it is scored.\n"
        "  1. column g2: is missing\n"
        "     -> is 'G2' meant? rename it to 'g2'\n"
        "  2. column g1: NaN in row 3 (id -7)\n"
        "     -> give a finite number, above -1 and below 1, however uncertain it is"
    )


def test_open_ends_are_outside_and_closed_ends_inside(shear):
    columns = shear.predictions()
    columns |= {"g2": columns["g2"] * 0, "cov12": columns["cov12"] * 0}
    columns["g1"][[1, 2]], columns["cov11"][[3, 4]] = [-1, 1], [1e-16, 1e2]
    [problem] = shear.check(Table(columns))
    assert (problem.column, problem.count) == ("g1", 2)
