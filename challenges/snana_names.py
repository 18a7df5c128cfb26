"""What SNANA's files call bands and classes, in our words."""

from __future__ import annotations

import re
from collections.abc import Mapping

from ..simulators.surveys import BANDS

__all__ = ["ELASTICC_CODES", "ELASTICC_MODELS", "band_letter", "class_of"]

ELASTICC_MODELS: dict[str, str] = {
    "SNIa-SALT2": "Ia", "SNIa-SALT3": "Ia", "SNIa-91bg": "Ia-91bg", "SNIax": "Iax",
    "SNIb-Templates": "Ib", "SNIb+HostXT_V19": "Ib", "SNIc-Templates": "Ic", "SNIc+HostXT_V19": "Ic",
    "SNIcBL+HostXT_V19": "Ic-BL",
    "SNII-NMF": "II", "SNII-Templates": "II", "SNII+HostXT_V19": "II",
    "SNIIn-MOSFIT": "IIn", "SNIIn+HostXT_V19": "IIn", "SNIIb+HostXT_V19": "IIb",
    "SLSN-I": "SLSN-I", "SLSN-I+host": "SLSN-I", "SLSN-I_no_host": "SLSN-I",
    "TDE": "TDE", "CART": "CaRT", "KN_K17": "KN", "KN_B19": "KN", "AGN": "AGN",
    "ILOT": "ILOT", "PISN": "PISN", "RRL": "RRL", "Mdwarf": "Mdwarf", "Mdwarf-flare": "Mdwarf-flare",
    "EB": "EB", "dwarf-nova": "dwarf-nova", "uLens-Single_PyLIMA": "uLens-Single",
    "uLens-Single-GenLens": "uLens-Single", "uLens-Binary": "uLens-Binary", "Cepheid": "Cepheid",
    "d-Sct": "d-Sct",
    "PISN-MOSFIT": "PISN", "PISN-STELLA_HECORE": "PISN", "PISN-STELLA_HYDROGENIC": "PISN", "CLAGN": "CLAGN",
}  # fmt: skip
"""Classes by the models that stand in the names of ELAsTiCC's folders and files. Models: LSSTDESC/elasticc,
`survey_config/elasticc_origmap.txt` and `SIMGEN_MASTER_LSST_WFD.INPUT`; those of ELAsTiCC2 (SALT3, PISN-...,
CLAGN), of which the repository has no list, as public classifiers of its training set name them."""

ELASTICC_CODES: dict[int, str] = {
    10: "Ia", 11: "Ia-91bg", 12: "Iax",
    20: "Ib", 21: "Ib", 25: "Ic", 26: "Ic", 27: "Ic-BL",
    30: "II", 31: "II", 32: "II", 35: "IIn", 36: "IIn", 37: "IIb",
    40: "SLSN-I", 42: "TDE", 45: "ILOT", 46: "CaRT", 50: "KN", 51: "KN", 59: "PISN", 60: "AGN",
    80: "RRL", 81: "Mdwarf", 82: "Mdwarf-flare", 83: "EB", 84: "dwarf-nova",
    87: "uLens-Single", 88: "uLens-Single", 89: "uLens-Binary", 90: "Cepheid", 91: "d-Sct",
}  # fmt: skip
"""Classes by SIM_TYPE_INDEX (GENTYPE) in ELAsTiCC: LSSTDESC/elasticc, `survey_config/elasticc_origmap.txt`.
Other simulations give the same numbers to other classes: PLAsTiCC's had 60 for SLSN-I, 64 for TDE."""

# SIM_TYPE_NAME has eight letters that whoever simulates is free to choose; these are the field's words,
# without SN before them, spaces and signs.
_WORDS = {
    "ia": "Ia", "ianorm": "Ia", "ia91bg": "Ia-91bg", "91bg": "Ia-91bg", "iax": "Iax",
    "ii": "II", "iip": "II", "iil": "II", "iil1": "II", "iil2": "II", "iin": "IIn", "iib": "IIb",
    "ib": "Ib", "ic": "Ic", "icbl": "Ic-BL", "ibc": "Ibc", "slsni": "SLSN-I", "slsn": "SLSN-I", "tde": "TDE",
    "kn": "KN", "agn": "AGN", "cart": "CaRT",
}  # fmt: skip


def band_letter(name: str) -> int | None:
    """The code of the band of LSST that a filter's name tells of; None if it tells of none.

    A letter that stands alone between signs goes before the last letter, which in SNANA is what tells
    filters of a survey apart. Both Y and y are y, as SNANA's tables of LSST have Y.

    Examples:
        >>> [band_letter(name) for name in ("u", "LSST-g", "g-DES", "LSSTY", "Bessell-V")]
        [0, 1, 1, 5, None]
    """
    pieces = [piece for piece in re.split(r"[^A-Za-z0-9]+", name) if len(piece) == 1]
    letter = pieces[0] if len(pieces) == 1 else name[-1:]
    letter = "y" if letter == "Y" else letter
    return BANDS[letter].code if letter and letter in "ugrizy" else None


def class_of(
    code: int, word: str, where: str, classes: Mapping[int | str, str], *, simulated: bool = True
) -> str:
    """The class of transients with that code and SIM_TYPE_NAME, empty if nothing tells.

    Arguments:
        code: SIM_GENTYPE, SIM_TYPE_INDEX or SNTYPE.
        word: SIM_TYPE_NAME; empty if there is none.
        where: names of the file and its folder, and VERSION of its header.
        classes: what the user says, by code or word.
        simulated: whether the code is of a simulation; SNTYPE means what each survey likes.

    Examples:
        >>> class_of(42, "", "ELASTICC_TRAIN_TDE_NONIaMODEL0-0001_HEAD.FITS.gz", {})
        'TDE'
        >>> class_of(42, "IIP", "DES_HEAD.FITS", {}), class_of(42, "", "DES_HEAD.FITS", {})
        ('II', 'type 42')
    """
    if code in classes or word in classes:
        return classes[code] if code in classes else classes[word]
    elasticc = "elasticc" in where.lower()
    if elasticc and simulated and code in ELASTICC_CODES:
        return ELASTICC_CODES[code]
    plain = re.sub(r"^sn(?=i)|[^a-z0-9]", "", word.lower())
    if plain in _WORDS:
        return _WORDS[plain]
    if elasticc and (model := _model_in(where)) is not None:
        return ELASTICC_MODELS[model]
    return (word or f"type {code}") if simulated else ""


def _model_in(where: str) -> str | None:
    """The longest model that stands in a name between its ends, low lines, hyphens and spaces."""
    found = [
        m for m in ELASTICC_MODELS if re.search(rf"(?<![A-Za-z0-9]){re.escape(m)}(?![A-Za-z0-9])", where)
    ]
    return max(found, key=len, default=None)
