"""Secrets: sealed with a commitment now, revealed at the close, checked by anyone.

A sealed split grows from a secret of 256 random bits. Before the challenge opens, a
*commitment* is published: the SHA-256 of one line of text that holds the secret, the version
of the code, the hash of the lock file and the specification of the split. It is

- **hiding**: the secret is 256 bits from the operating system, so nobody can find it by trying,
  whatever else of the text they know;
- **binding**: another secret, code version, lock file or specification with the same SHA-256
  would be a collision, and none has ever been found; the text is canonical JSON, so two
  different contents never share one text.

After the close the text itself is published (`reveal`); ``printf %s "$text" | sha256sum`` or
`check_commitment` verifies it, and the secret regenerates the truth.

Open splits (train, validation) grow from secrets that anyone derives with `open_secret`. These
begin with sixteen published bytes, and everything here that handles sealed secrets refuses
those bytes: an open secret cannot seal anything, not even by mistake.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import math
import os
import re
import secrets
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any

__all__ = [
    "OPEN_SPLITS",
    "SPLITS",
    "SealError",
    "check_commitment",
    "commitment",
    "is_open",
    "new_secret",
    "open_secret",
    "read_secret_file",
    "reveal",
    "write_secret_file",
]

SECRET_BYTES = 32
OPEN_SPLITS = ("train", "validation")
SPLITS = (*OPEN_SPLITS, "test")
# Changing any of these changes every open sky: never do.
OPEN_MARK = b"skysynergy open "
OPEN_PHRASE = b"The sky belongs to everyone: the open splits of skysynergy"
PURPOSE = "skysynergy commitment 1"


class SealError(ValueError):
    """A secret, a secret file or a commitment that is not what it should be."""


def new_secret() -> bytes:
    """32 bytes from the operating system, never those of an open split."""
    secret = secrets.token_bytes(SECRET_BYTES)
    return secret if not is_open(secret) else new_secret()


def open_secret(dataset: str, version: str, tier: str, split: str) -> bytes:
    """The published secret of an open split: 32 bytes that anyone can derive.

    The first 16 are `OPEN_MARK`; the others are the BLAKE2b (RFC 7693), keyed with
    `OPEN_PHRASE`, of the names as a JSON list.

    Raises:
        SealError: for a split that is sealed: it has a secret of its own.

    Examples:
        >>> open_secret("sky", "1.0", "tiny", "train").hex()[32:]
        '2fc347b9fe5a1a7a335a25a22ae4c333'
    """
    if split not in OPEN_SPLITS:
        raise SealError(
            f"split {split!r} has no open secret, only {' and '.join(OPEN_SPLITS)} have; "
            "make one with new_secret() and keep it with write_secret_file()"
        )
    names = json.dumps([dataset, version, tier, split]).encode()
    rest = hashlib.blake2b(names, key=OPEN_PHRASE, digest_size=SECRET_BYTES - len(OPEN_MARK))
    return OPEN_MARK + rest.digest()


def is_open(secret: bytes) -> bool:
    """Whether a secret is one of the published ones."""
    return secret.startswith(OPEN_MARK)


def commitment(secret: bytes, *, code_version: str, lock: bytes | str, spec: Mapping[str, Any]) -> str:
    """The digest to publish now, for a secret to be revealed later.

    Arguments:
        secret: 32 bytes from `new_secret`.
        code_version: version of the code that makes the split, such as a release or a commit.
        lock: contents of the lock file (bytes), or its ``"sha256:<64 hex digits>"``.
        spec: everything else that determines the split, as JSON would hold it.

    Returns:
        ``"sha256:<64 hex digits>"``.

    Raises:
        SealError: if the secret is no sealed secret, or the lock is no hash.
        TypeError: if the specification holds something that JSON does not.
    """
    text = _text(secret, code_version, lock, spec)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def check_commitment(
    published: str, secret: bytes, *, code_version: str, lock: bytes | str, spec: Mapping[str, Any]
) -> bool:
    """Whether a published commitment was made from just this secret, code, lock and specification."""
    made = commitment(secret, code_version=code_version, lock=lock, spec=spec)
    return hmac.compare_digest(made.encode(), published.strip().encode())


def reveal(
    published: str, secret: bytes, *, code_version: str, lock: bytes | str, spec: Mapping[str, Any]
) -> str:
    """The text to publish at the close: its SHA-256 is the commitment, and it holds the secret.

    Raises:
        SealError: if they do not match the published commitment; nothing is revealed then.
    """
    if not check_commitment(published, secret, code_version=code_version, lock=lock, spec=spec):
        raise SealError(
            f"this is not what {published} was made from: the secret, the code version ({code_version}), "
            "the lock file or the specification differs"
        )
    return _text(secret, code_version, lock, spec)


def write_secret_file(path: str | Path, secret: bytes) -> None:
    """Keep a sealed secret in a new file that only its owner can read.

    Raises:
        SealError: if it is no sealed secret, or the file exists: a secret is never overwritten.
    """
    _require_sealed(secret)
    path = Path(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(path, flags, 0o600)
    except FileExistsError as error:
        raise SealError(f"{path} exists, and a secret is never overwritten: name another file") from error
    with os.fdopen(descriptor, "w", encoding="ascii") as file:
        file.write(secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_secret_file(path: str | Path) -> bytes:
    """The 32 bytes that `write_secret_file` kept.

    Raises:
        SealError: if the file is missing, others may read it, or it holds no sealed secret.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            status = os.fstat(file.fileno())
            content = file.read(1024)
    except FileNotFoundError as error:
        raise SealError(f"there is no secret in {path}: make one with write_secret_file()") from error
    except OSError as error:
        raise SealError(f"the secret in {path} cannot be read: {error.strerror}") from error
    if os.name == "posix" and stat.S_IMODE(status.st_mode) & 0o077:
        mode = stat.S_IMODE(status.st_mode)
        raise SealError(f"others may open {path} (mode {mode:04o}): close it with  chmod 600 {path}")
    text = content.strip()
    if not re.fullmatch(rb"[0-9a-fA-F]*", text):
        raise SealError(f"{path} holds something else than {2 * SECRET_BYTES} hexadecimal digits")
    if len(text) != 2 * SECRET_BYTES:
        raise SealError(f"{path} holds {len(text)} hexadecimal digits, a secret has {2 * SECRET_BYTES}")
    secret = bytes.fromhex(text.decode())
    _require_sealed(secret)
    return secret


def _require_sealed(secret: bytes) -> None:
    if len(secret) != SECRET_BYTES:
        raise SealError(f"a sealed secret has {SECRET_BYTES} bytes, this one has {len(secret)}")
    if is_open(secret):
        raise SealError("this is the published secret of an open split, it seals nothing: use new_secret()")
    # Fewer than 16 different bytes among 32 random ones happen once in 10^16: this is a typed one.
    if len(set(secret)) < SECRET_BYTES // 2:
        raise SealError("this secret does not look random: take one from new_secret()")


def _text(secret: bytes, code_version: str, lock: bytes | str, spec: Mapping[str, Any]) -> str:
    """The canonical JSON that is hashed: keys sorted, ASCII, no spaces."""
    _require_sealed(secret)
    if isinstance(lock, bytes):
        lock = "sha256:" + hashlib.sha256(lock).hexdigest()
    if not re.fullmatch(r"sha256:[0-9a-f]{64}", lock):
        raise SealError(f"the lock is the file's bytes or sha256:<64 hex digits>, not {lock!r}")
    content = {
        "purpose": PURPOSE,
        "secret": secret.hex(),
        "code_version": code_version,
        "lock": lock,
        "spec": _plain(spec, "spec"),
    }
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def _plain(value: Any, where: str) -> Any:
    """What JSON holds and gives back unchanged; anything else would make the text ambiguous."""
    if (
        value is None
        or isinstance(value, (bool, int, str))
        or (type(value) is float and math.isfinite(value))
    ):
        return value
    if isinstance(value, (list, tuple)):
        return [_plain(item, f"{where}[{i}]") for i, item in enumerate(value)]
    if isinstance(value, Mapping):
        for key in value:
            if not isinstance(key, str):
                raise TypeError(f"{where} has the key {key!r}: keys of a specification are text")
        return {key: _plain(item, f"{where}.{key}") for key, item in value.items()}
    raise TypeError(f"{where} is {value!r}: a specification holds text, finite numbers, lists and mappings")
