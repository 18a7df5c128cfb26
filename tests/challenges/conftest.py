"""Fixtures of the challenges: a valid submission of the shear challenge, and the forms it is written in."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from astropy.table import Table as FitsTable
from skysynergy.challenges.shear_submission import SHEAR_SUBMISSION
from skysynergy.challenges.submissions import METADATA, validate, write_submission

IDS = np.array([2**62 + 3, 5, -7, 12, 90, 2**62 + 1, 33, 48], dtype=np.int64)
STATED = {
    "challenge": "shear",
    "track": "joint",
    "tier": "small",
    "split": "test",
    "dataset": "sha256:" + "a" * 64,
}
EXPECTED = {key: value for key, value in STATED.items() if key != "challenge"}


def predictions(ids: np.ndarray = IDS, seed: int = 0) -> dict[str, np.ndarray]:
    """A valid submission of the shear challenge."""
    rng = np.random.default_rng(seed)
    n = len(ids)
    g = rng.uniform(-0.1, 0.1, (2, n))
    variances, correlation = rng.uniform(1e-6, 1e-4, (2, n)), rng.uniform(-0.9, 0.9, n)
    covariance = correlation * np.sqrt(variances[0] * variances[1])
    values = {"g1": g[0], "g2": g[1], "cov11": variances[0], "cov22": variances[1], "cov12": covariance}
    return {"id": ids.copy(), **values}


def as_parquet(path, columns, metadata=STATED):
    values = {name: column for name, column in columns.items() if name != "id"}
    write_submission(path, columns["id"], values, metadata)


def as_fits(path, columns, metadata=STATED):
    table = FitsTable(columns)
    table.meta.update({METADATA[key]: value for key, value in metadata.items()})
    table.write(path, format="fits", overwrite=True)


def as_csv(path, columns, metadata=STATED):
    rows = zip(*(column.tolist() for column in columns.values()), strict=True)
    path.write_text("\n".join([",".join(columns), *(",".join(map(repr, row)) for row in rows)]) + "\n")


def check(submission, ids=IDS, expected=EXPECTED):
    """The problems of a submission of the shear challenge."""
    return validate(submission, SHEAR_SUBMISSION, ids, expected)


@pytest.fixture(scope="session")
def shear() -> SimpleNamespace:
    """Ids and metadata of a shear challenge; how to make, write and check a submission."""
    forms = {"parquet": as_parquet, "fits": as_fits, "csv": as_csv}
    return SimpleNamespace(
        ids=IDS, stated=STATED, expected=EXPECTED, forms=forms, predictions=predictions, check=check
    )
