"""Which HEAD and PHOT files of SNANA belong together: in folders, in `.LIST` files, by name."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from .curve_files import CurveLimits, check_file
from .problems import Problem, SubmissionError

__all__ = ["find_pairs"]

_NAME = re.compile(r"(?P<base>.*[._-])(?P<kind>HEAD|PHOT)(?P<end>\.FITS?)(?P<gz>\.gz)?", re.IGNORECASE)
_LIST = CurveLimits(bytes=1 << 20)
_AS_WRITTEN = (
    "give both files of each pair, <name>_HEAD.FITS and <name>_PHOT.FITS (or .FITS.gz), in one folder"
)


def find_pairs(paths: Sequence[Path], problems: list[Problem]) -> list[tuple[Path, Path]]:
    """HEAD files, each with its PHOT file, in the order given, those of a folder by name.

    Of a file that is there packed and not packed, the latter is taken.

    Arguments:
        paths: HEAD files, `.LIST` files with a name of a HEAD file in each line, and folders.
        problems: what is wrong is added to these.
    """
    heads: dict[tuple[Path, str], Path] = {}
    for path in paths:
        for head in _heads(path, problems):
            match = _NAME.fullmatch(head.name)
            assert match is not None
            heads.setdefault((head.parent, match["base"]), head)
    pairs = []
    for (folder, base), head in heads.items():
        end = head.name[len(base) + 4 :].removesuffix(".gz")
        word = "phot" if head.name[len(base)].islower() else "PHOT"
        phot = next(
            (p for p in (folder / f"{base}{word}{end}{gz}" for gz in ("", ".gz")) if p.exists()), None
        )
        if phot is None:
            told = f"{head.name}: there is no {base}{word}{end} beside it, packed or not"
            problems.append(Problem(None, None, told, _AS_WRITTEN))
        else:
            pairs.append((head, phot))
    return pairs


def _heads(path: Path, problems: list[Problem]) -> list[Path]:
    def report(what: str, fix: str = _AS_WRITTEN) -> list[Path]:
        problems.append(Problem(None, None, f"{path.name or path}: {what}", fix))
        return []

    try:
        if path.is_dir():
            # Names without .gz come first, so that they are taken.
            found = sorted(p for p in path.rglob("*") if _NAME.fullmatch(p.name))
            heads = [p for p in found if _is(p, "HEAD")]
            known = {(p.parent, _base(p)) for p in heads}
            alone = [p.name for p in found if _is(p, "PHOT") and (p.parent, _base(p)) not in known]
            if alone:
                more = f" and {len(alone) - 3} more" if len(alone) > 3 else ""
                report(f"PHOT files without a HEAD file: {', '.join(alone[:3])}{more}")
            elif not heads:
                report("there is no file *_HEAD.FITS or *_HEAD.FITS.gz in this folder")
            return heads
        if path.suffix.lower() == ".list":
            check_file(path, _LIST)
            lines = path.read_text("utf-8").split()
        elif not path.exists():
            return report("is not there", "check the path")
        elif _is(path, "PHOT"):
            return report("is a PHOT file", "give its HEAD file, or the folder of both")
        elif not _is(path, "HEAD"):
            return report("is not named like a HEAD file of SNANA")
        else:
            return [path]
    except SubmissionError as error:
        problems += error.problems
        return []
    except (OSError, ValueError) as error:
        return report(f"cannot be read: {error}", "check the path and its permissions")
    # A list names its neighbours; what leads elsewhere is not followed.
    strange = [line for line in lines if Path(line).name != line or not _is(Path(line), "HEAD")]
    missing = [line for line in lines if line not in strange and not (path.parent / line).exists()]
    for wrong, what in ((strange, "no names of HEAD files beside it"), (missing, "files that are not there")):
        if wrong:
            report(
                f"{len(wrong)} lines are {what}, the first is {wrong[0][:80]!r}",
                "list the HEAD files, one a line",
            )
    if not lines:
        report("lists no file", "list the HEAD files, one a line")
    return [path.parent / line for line in lines if line not in strange + missing]


def _is(path: Path, kind: str) -> bool:
    match = _NAME.fullmatch(path.name)
    return match is not None and match["kind"].upper() == kind


def _base(path: Path) -> str:
    match = _NAME.fullmatch(path.name)
    return "" if match is None else match["base"]
