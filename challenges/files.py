"""Files that are there whole or not at all."""

from __future__ import annotations

from pathlib import Path

__all__ = ["write_whole"]


def write_whole(path: Path, content: bytes) -> None:
    """Put a whole file in its place at once; what fails leaves no draft behind.

    Raises:
        FileNotFoundError: if the folder does not exist.
        OSError: if the disk is full, among others; it names the file.
    """
    if not path.parent.is_dir():
        raise FileNotFoundError(f"{path} cannot be written: make the folder {path.parent} first")
    draft = path.with_name(path.name + ".partial")
    try:
        draft.write_bytes(content)
        draft.replace(path)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from error
    finally:
        draft.unlink(missing_ok=True)
