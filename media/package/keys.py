"""What encryption needs beside the key: the key's id, and initialization vectors."""

from __future__ import annotations

import hashlib
import hmac
import uuid

from longtake.contracts.package import Encryption


def key_id(encryption: Encryption) -> bytes:
    """The key's id: as given, else made from the address at which players ask for the key."""
    if encryption.key_id is not None:
        return bytes.fromhex(encryption.key_id)
    return uuid.uuid5(uuid.NAMESPACE_URL, encryption.key_uri).bytes


def initialization_vector(key: bytes, about: bytes) -> bytes:
    """16 bytes that nobody can tell without the key, the same in every run.

    Derived (HMAC-SHA256) and not random, so that a package that is made again has the same bytes;
    `about` tells what is encrypted apart from what else the key encrypts.
    """
    return hmac.new(key, b"longtake iv " + about, hashlib.sha256).digest()[:16]
