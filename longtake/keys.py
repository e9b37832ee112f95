"""Keys of encrypted packages, read from their files. A key never stands in a message, a log or a
command.
"""

from __future__ import annotations

from longtake.errors import InvalidJob

KEY_BYTES = 16
MOST_BYTES = 4096
"""Of a key's file: its digits, and as much white space as somebody may have put around them."""


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
