"""Secrets that travel or lie: random tokens (kept only as a hash), signed values (kept nowhere), sealed ones."""

import hashlib
import hmac
import secrets
from functools import lru_cache
from typing import Any

import orjson
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from itsdangerous import BadSignature, Signer, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import base64_encode, want_bytes

_secret_key = ""


def configure(secret_key: str) -> None:
    """Set the key that signs; called once by create_app()."""
    global _secret_key
    _secret_key = secret_key


def random_token() -> str:
    """A fresh secret of 256 bits, safe in a URL or cookie. Store `hashed(token)`, never the token."""
    return secrets.token_urlsafe(32)


def hashed(token: str) -> bytes:
    """SHA-256 of a random token. A slow hash is not needed: the token has 256 bits."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def keyed(text: str) -> bytes:
    """HMAC-SHA256 under our key: tells equal texts apart from others without giving away what is in them."""
    return hmac.new(_secret_key.encode(), text.encode("utf-8", "surrogatepass"), hashlib.sha256).digest()


class _Signer(TimestampSigner):
    """Derives its key once (10 µs), and knows one way of writing a signature: decoding base64 passes over what is none."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.derive_key = lru_cache(maxsize=4)(super().derive_key)  # type: ignore[method-assign]

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        return hmac.compare_digest(want_bytes(sig), self.get_signature(value))


class _Serializer(URLSafeTimedSerializer):
    """Writes values as they are: to compress them takes longer than all the rest, and seldom makes them shorter.

    One signer serves always; made anew each time, it took as long as to sign.
    """

    def __init__(self, secret_key: str, salt: str) -> None:
        super().__init__(secret_key, salt=salt, signer=_Signer)
        self._signer = super().make_signer()

    def make_signer(self, salt: str | bytes | None = None) -> Signer:
        return self._signer if salt is None or salt == self.salt else super().make_signer(salt)

    def dump_payload(self, obj: Any) -> bytes:
        return base64_encode(orjson.dumps(obj))


@lru_cache(maxsize=32)
def _serializer(secret_key: str, purpose: str) -> URLSafeTimedSerializer:
    return _Serializer(secret_key, purpose)


def sign(value: Any, purpose: str) -> str:
    """`value` (JSON) signed for one `purpose`; readable by its bearer, not changeable."""
    return _serializer(_secret_key, purpose).dumps(value)


def unsign(signed: str, purpose: str, max_age: int | None = None) -> Any | None:
    """The value that `sign` signed, or None when it was changed, is of another purpose or older than `max_age` s."""
    if not signed:
        return None  # most often there is no cookie at all
    try:
        return _serializer(_secret_key, purpose).loads(signed, max_age=max_age)
    except (BadSignature, UnicodeError):
        return None


def seal(secret: bytes, purpose: str) -> bytes:
    """`secret` encrypted for one `purpose` (AES-256-GCM under a key derived from ours), to be kept in the database."""
    nonce = secrets.token_bytes(12)
    return nonce + AESGCM(_sealing_key(_secret_key)).encrypt(nonce, secret, purpose.encode())


def unseal(sealed: bytes, purpose: str) -> bytes | None:
    """What `seal` sealed, or None when it was changed, is of another purpose or was sealed under another SECRET_KEY."""
    try:
        return AESGCM(_sealing_key(_secret_key)).decrypt(sealed[:12], sealed[12:], purpose.encode())
    except (InvalidTag, ValueError):
        return None


@lru_cache(maxsize=4)
def _sealing_key(secret_key: str) -> bytes:
    return HKDF(SHA256(), length=32, salt=None, info=b"lectern sealing").derive(secret_key.encode())
