"""Proving that a webhook comes from Longtake, in the backend that gets it.

    from longtake import webhooks

    event = webhooks.verify(body, headers, secret)      # raises NotVerified

`body` is what came, byte for byte: JSON that was read and written anew has another signature.
The standard library is enough: nothing of Longtake's client is loaded.

Source: Standard Webhooks 1.0, https://github.com/standard-webhooks/standard-webhooks
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

TOLERANCE_S = 300.0
"""So far a receiver's clock may be off, and so long a copy of a message could be sent again."""
LEAST_BYTES = 24
"""Of a secret in the standard form."""

_PREFIX = "whsec_"


class NotVerified(Exception):
    """A message that was not signed with one of the secrets, or too long ago. Answer 400 or 401."""


def verify(
    body: bytes,
    headers: Mapping[str, str],
    secrets: str | Sequence[str],
    *,
    tolerance_s: float = TOLERANCE_S,
) -> dict[str, Any]:
    """The event in `body`, if it was signed with one of `secrets` (`whsec_…`).

    Several secrets while one takes the place of another. The comparison takes as long for a
    signature that is nearly right as for any other. Raises NotVerified, and ValueError for a
    secret that is none.
    """
    told = {name.lower(): value for name, value in headers.items()}
    try:
        message_id, moment = told["webhook-id"], told["webhook-timestamp"]
        given = told["webhook-signature"].split(" ")
    except KeyError as error:
        raise NotVerified(f"there is no header {error.args[0]}") from error
    if not re.fullmatch(r"[0-9]{1,12}", moment):
        raise NotVerified("webhook-timestamp is no number of seconds")
    if abs(time.time() - int(moment)) > tolerance_s:
        raise NotVerified(
            f"it was sent more than {tolerance_s:g} s ago, or comes from the future: an old "
            "message that somebody sends again, or a clock that is wrong"
        )
    expected = sign(_several(secrets), message_id, int(moment), body).split(" ")
    if not _one_agrees(expected, given):
        raise NotVerified("no signature is of these secrets")
    return _event(body)


def verify_plain(
    body: bytes, headers: Mapping[str, str], secrets: str | Sequence[str]
) -> dict[str, Any]:
    """The same for the plain form: `X-Signature` over the body alone.

    Nothing tells a message that somebody sends again: pass over a `webhook-id` that was there
    before, or a `sequence` that does not rise. Raises NotVerified.
    """
    told = {name.lower(): value for name, value in headers.items()}
    if "x-signature" not in told:
        raise NotVerified("there is no header x-signature")
    expected = [sign_plain(secret, body) for secret in _several(secrets)]
    if not _one_agrees(expected, [told["x-signature"]]):
        raise NotVerified("the signature is of none of these secrets")
    return _event(body)


def sign(secrets: str | Sequence[str], message_id: str, moment: int, body: bytes) -> str:
    """The header `webhook-signature`: one signature for each secret.

    `moment` in seconds since 1970, as in `webhook-timestamp`. Raises ValueError for a secret that
    is none.
    """
    signed = f"{message_id}.{moment}.".encode() + body
    digests = (hmac.digest(_key(secret), signed, hashlib.sha256) for secret in _several(secrets))
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)


def sign_plain(secret: str, body: bytes) -> str:
    """The header `X-Signature`: HMAC-SHA256 in hex, the key being the secret's own characters."""
    if not secret:
        raise ValueError("an empty secret proves nothing")
    return hmac.digest(secret.encode(), body, hashlib.sha256).hex()


def _several(secrets: str | Sequence[str]) -> Sequence[str]:
    several = (secrets,) if isinstance(secrets, str) else secrets
    if not several:
        raise ValueError("there is no secret to verify with")
    return several


def _key(secret: str) -> bytes:
    try:
        key = base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        raise ValueError(f"a secret is {_PREFIX} and base64; this one is not") from error
    if len(key) < LEAST_BYTES:
        raise ValueError(f"a secret has {LEAST_BYTES} bytes at least; this one is too short")
    return key


def _one_agrees(expected: Iterable[str], given: Sequence[str]) -> bool:
    # Bytes: of text, compare_digest takes ASCII only, and a signature is what anybody wrote.
    found = [signature.encode(errors="backslashreplace") for signature in given]
    return any(hmac.compare_digest(one.encode(), other) for one in expected for other in found)


def _event(body: bytes) -> dict[str, Any]:
    try:
        event = json.loads(body)
    except ValueError as error:
        raise NotVerified("the body is not JSON") from error
    if not isinstance(event, dict):
        raise NotVerified("the body is no event")
    return event
