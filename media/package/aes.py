"""AES-128 as HLS has it: whole segments, CBC with PKCS #7 (RFC 8216, 4.3.2.4)."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7

_PIECE = 1 << 20


def encrypt_file(path: Path, key: bytes, iv: bytes) -> None:
    """Encrypt a segment in place."""
    cipher = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    padder = PKCS7(algorithms.AES.block_size).padder()
    hidden = path.with_name(f"{path.name}.hidden")
    with path.open("rb") as clear, hidden.open("wb") as out:
        while piece := clear.read(_PIECE):
            out.write(cipher.update(padder.update(piece)))
        out.write(cipher.update(padder.finalize()) + cipher.finalize())
    hidden.replace(path)
