"""Random numbers that depend on what is drawn, never on when or where it is drawn.

Every draw has a *kind* (``"galaxies"``, ``"visits"``, ``"noise"`` ...) and *indices*
(split, field, scene, exposure ...). Both are hashed with a secret into the 128-bit key
of a Philox generator, so a scene is the same whatever the batch, the order or the number
of workers, and nobody can predict a sealed sky without its secret. Philox by itself is no
cipher: the keyed hash is what hides the secret (Aumasson et al. 2013, BLAKE2, RFC 7693).
"""

from __future__ import annotations

import hashlib

import numpy as np

__all__ = ["generator", "stream_key"]


def stream_key(secret: bytes, kind: str, *indices: int) -> int:
    """The 128-bit Philox key of one stream.

    Arguments:
        secret: 1 to 64 bytes.
        kind: what is drawn; any text.
        indices: non-negative integers that say which one.

    Returns:
        An integer below 2**128.

    Raises:
        ValueError: if the secret has no bytes or more than 64, or an index is negative.
    """
    if not 1 <= len(secret) <= 64:
        raise ValueError(f"a secret has 1 to 64 bytes, this one has {len(secret)}")
    if any(index < 0 for index in indices):
        raise ValueError(f"indices of a random stream are never negative: {kind} {indices}")
    # Length-prefixed, so that no two (kind, indices) share one message.
    name = kind.encode()
    message = len(name).to_bytes(2, "little") + name
    message += b"".join(int(index).to_bytes(8, "little") for index in indices)
    return int.from_bytes(hashlib.blake2b(message, key=secret, digest_size=16).digest(), "little")


def generator(secret: bytes, kind: str, *indices: int) -> np.random.Generator:
    """The generator of one stream: independent of every other kind and index.

    Examples:
        >>> a = generator(b"open", "noise", 0, 3).normal(size=2)
        >>> b = generator(b"open", "noise", 0, 3).normal(size=2)
        >>> bool((a == b).all())
        True
    """
    return np.random.Generator(np.random.Philox(key=stream_key(secret, kind, *indices)))
