"""Small files of light curves in the forms that SNANA and PLAsTiCC publish, and what they hold."""

from __future__ import annotations

import gzip

import numpy as np
from astropy.io import fits
from numpy.lib.recfunctions import append_fields

SEPARATOR = -777.0
ROW = [
    ("MJD", "f8"),
    ("BAND", "S2"),
    ("PHOTFLAG", "i4"),
    ("FLUXCAL", "f4"),
    ("FLUXCALERR", "f4"),
    ("ZEROPT", "f4"),
]


def observations(size, start=60000.0, bands=b"ugrizY"):
    """A light curve whose first observation is detected."""
    table = np.zeros(size, dtype=ROW)
    table["MJD"] = start + 3.0 * np.arange(size)
    table["BAND"] = [bytes([bands[i % len(bands)]]) for i in range(size)]
    table["FLUXCAL"] = 40.0 - np.arange(size)
    table["FLUXCALERR"] = 2.0
    table["PHOTFLAG"] = np.where(np.arange(size) == 0, 4096, 0)
    return table


def pair(curves, **columns):
    """(HEAD, PHOT) tables of some light curves, a row of MJD -777 after each."""
    end = np.zeros(1, dtype=ROW)
    end["MJD"] = SEPARATOR
    phot = np.concatenate([part for curve in curves for part in (curve, end)])
    size = np.array([len(curve) for curve in curves])
    first = np.cumsum(size + 1) - size
    n = len(curves)
    head = {
        "SNID": np.array([b"%d" % (100 + i) for i in range(n)], dtype="S16"),
        "NOBS": size.astype("i4"), "PTROBS_MIN": first.astype("i4"),
        "PTROBS_MAX": (first + size - 1).astype("i4"),
        "MWEBV": np.full(n, 0.1, "f4"), "HOSTGAL_PHOTOZ": np.full(n, 0.5, "f4"),
        "HOSTGAL_PHOTOZ_ERR": np.full(n, 0.1, "f4"), "HOSTGAL_SPECZ": np.full(n, -9.0, "f4"),
        "HOSTGAL_SPECZ_ERR": np.full(n, -9.0, "f4"), "PEAKMJD": np.full(n, 60010.0, "f4"),
        "SIM_TYPE_INDEX": np.full(n, 10, "i2"), "SIM_TYPE_NAME": np.full(n, b"SNIa", "S8"),
        "SIM_REDSHIFT_CMB": np.full(n, 0.45, "f4"), "SIM_PEAKMJD": np.full(n, 60012.0, "f4"),
    }  # fmt: skip
    head = {name: values for name, values in {**head, **columns}.items() if values is not None}
    table = np.empty(n, dtype=[(name, np.asarray(v).dtype) for name, v in head.items()])
    for name, values in head.items():
        table[name] = values
    return table, phot


def write_pair(folder, head, phot, base="TEST", zipped=True, **keywords):
    """The path of the HEAD file."""
    folder.mkdir(exist_ok=True, parents=True)
    paths = [folder / f"{base}_{kind}.FITS{'.gz' * zipped}" for kind in ("HEAD", "PHOT")]
    for path, table, name in zip(paths, (head, phot), ("Header", "Photometry"), strict=True):
        primary = fits.PrimaryHDU()
        primary.header.update({"SURVEY": "LSST", **{f"HIERARCH {k}": v for k, v in keywords.items()}})
        fits.HDUList([primary, fits.BinTableHDU(table, name=name)]).writeto(path, overwrite=True)
    return paths[0]


def renamed(table, old, new):
    """The table with a column called otherwise."""
    copy = table.copy()
    copy.dtype.names = tuple(new if name == old else name for name in table.dtype.names)
    return copy


def with_column(table, name, values):
    return append_fields(table, name, values, usemask=False)


CURVES = "object_id,mjd,passband,flux,flux_err,detected_bool"
METADATA = (
    "object_id,ra,decl,ddf_bool,hostgal_specz,hostgal_photoz,hostgal_photoz_err,distmod,mwebv,target,"
    "true_target,true_submodel,true_z,true_distmod,true_lensdmu,true_vpec,true_rv,true_av,true_peakmjd"
)


def plasticc_row(id, target, *, spec=0.0, photo=0.3, error=0.05, z=0.31):
    host = f"{spec},{photo},{error},41.0,0.017"
    return f"{id},349.0,-61.9,1,{host},{target},{target},1,{z},41.0,0,0,3.1,0.1,60012.5"


def write_csv(path, header, rows):
    text = "\n".join([header, *rows, ""]).encode()
    path.write_bytes(gzip.compress(text) if path.suffix == ".gz" else text)
    return path
