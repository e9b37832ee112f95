"""Keys of encrypted packages: read from their files, and what else encryption needs made of them.

A key never stands in a message, a log or a command.
"""

from __future__ import annotations

import hashlib
import hmac
import uuid

from longtake.contracts.package import Encryption
from longtake.errors import InvalidJob

KEY_BYTES = 16


def read_key(data: bytes) -> bytes:
    """The key in a file's content: 16 bytes as they are, or 32 hexadecimal digits and white space.

    Raises InvalidJob, which tells how long the content is, and no more.
    """
    if len(data) == KEY_BYTES:
        return data
    digits = b"".join(data.split())
    if len(digits) == 2 * KEY_BYTES:
        try:
            return bytes.fromhex(digits.decode("ascii"))
        except ValueError:
            pass
    raise InvalidJob(
        f"the key's file has {len(data)} bytes; a key is {KEY_BYTES} bytes, or {2 * KEY_BYTES} "
        "hexadecimal digits (`openssl rand -hex 16` makes one)"
    )


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
