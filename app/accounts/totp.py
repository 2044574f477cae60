"""Codes of an authenticator app: RFC 6238 with what all apps can do (SHA-1, six digits, half a minute)."""

import base64
import hmac
import secrets
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO

import segno
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.twofactor.totp import TOTP

from app.core import clock, tokens
from app.core.settings import school

SECONDS = 30
DIGITS = 6
# Clocks that run half a minute early or late.
DRIFT = 1
_SECRET_BYTES = 20
_KEPT = "totp"
_OFFERED = "totp-offer"
_OFFER_SECONDS = 30 * 60
_LABEL = 64


@dataclass(frozen=True, slots=True)
class Offer:
    """A key that an app may take over. `sealed` carries it through the form; nothing is stored before it is confirmed."""

    sealed: str
    key: str
    url: str
    picture: str


async def offer(user_id: int, email: str, sealed: str = "") -> Offer:
    """A new key as text, as an address and as a QR code in SVG; the one of `sealed` when that is still good."""
    secret = opened_offer(user_id, sealed) or secrets.token_bytes(_SECRET_BYTES)
    # A QR code holds about two kilobytes, and no more than this is read on a phone anyway.
    url = _totp(secret).get_provisioning_uri(email[:_LABEL], (await school()).name[:_LABEL])
    packed = [user_id, base64.b64encode(tokens.seal(secret, _OFFERED)).decode()]
    return Offer(tokens.sign(packed, _OFFERED), _in_fours(secret), url, _picture(url))


def opened_offer(user_id: int, sealed: str) -> bytes | None:
    """The key of an offer that this person was shown within the last half hour, else None."""
    found = tokens.unsign(sealed, _OFFERED, _OFFER_SECONDS) if len(sealed) < 500 else None
    if not isinstance(found, list) or found[0] != user_id:
        return None
    return tokens.unseal(base64.b64decode(found[1]), _OFFERED)


def kept(secret: bytes) -> bytes:
    """The key as it is stored: encrypted under SECRET_KEY."""
    return tokens.seal(secret, _KEPT)


def opened(sealed: bytes) -> bytes | None:
    """The stored key, or None when SECRET_KEY is another by now."""
    return tokens.unseal(sealed, _KEPT)


def matching_step(secret: bytes, code: str, now: datetime | None = None) -> int | None:
    """The half minute that this code belongs to, when it is the present one or a neighbour; else None."""
    typed = "".join(code.split())
    if len(typed) != DIGITS or not (typed.isascii() and typed.isdigit()):
        return None
    present = int((now or clock.now()).timestamp()) // SECONDS
    found = None
    for step in range(present - DRIFT, present + DRIFT + 1):
        if hmac.compare_digest(code_at(secret, step), typed):
            found = step
    return found


def code_at(secret: bytes, step: int) -> str:
    """The code of one half minute since 1970."""
    return _totp(secret).generate(step * SECONDS).decode()


def _totp(secret: bytes) -> TOTP:
    return TOTP(secret, DIGITS, SHA1(), SECONDS)  # noqa: S303 (RFC 6238's default; its weakness does not touch HMAC)


def _in_fours(secret: bytes) -> str:
    text = base64.b32encode(secret).decode()
    return " ".join(text[at : at + 4] for at in range(0, len(text), 4))


def _picture(url: str) -> str:
    out = BytesIO()
    # Dark on light whatever the scheme of the page: cameras need that. No inline style (our policy forbids it).
    segno.make(url, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgclass="qr__code", lineclass=None, omitsize=True, dark="#000", light="#fff"
    )
    return out.getvalue().decode()
