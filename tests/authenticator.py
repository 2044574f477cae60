"""A device that keeps passkeys, and the browser in front of it, in software (WebAuthn level 3, ES256).

Every lie that a test needs is an argument: another origin, another school, a counter that goes back, an owner who was
not checked.
"""

import base64
import hashlib
import json
import secrets
from dataclasses import dataclass, field
from typing import Any

import cbor2
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from quart.typing import TestClientProtocol

ORIGIN = "http://localhost"
PRESENT, VERIFIED, MAY_BE_COPIED, IS_COPIED, HAS_KEY = 0x01, 0x04, 0x08, 0x10, 0x40
Options = dict[str, Any]


@dataclass
class Passkey:
    """One key for one account of one school."""

    rp_id: str
    user_handle: bytes
    key: ec.EllipticCurvePrivateKey = field(default_factory=lambda: ec.generate_private_key(ec.SECP256R1()))
    id: bytes = field(default_factory=lambda: secrets.token_bytes(24))
    counter: int = 0


@dataclass
class Device:
    """Keeps passkeys and answers options. `counts`: its counter rises with each use, else it is always 0."""

    counts: bool = True
    checks_owner: bool = True
    copies: bool = False
    passkeys: list[Passkey] = field(default_factory=list)

    def make(self, options: Options, **lies: Any) -> str:
        """What `navigator.credentials.create` would answer, as the page sends it."""
        made = Passkey(options["rp"]["id"], raw(options["user"]["id"]))
        made.id = lies.get("id", made.id)
        self.passkeys.append(made)
        numbers = made.key.public_key().public_numbers()
        cose = {1: 2, 3: -7, -1: 1, -2: numbers.x.to_bytes(32, "big"), -3: numbers.y.to_bytes(32, "big")}
        key = bytes(16) + len(made.id).to_bytes(2, "big") + made.id + cbor2.dumps(cose)
        data = self._data(made, lies, extra=HAS_KEY) + key
        attestation = cbor2.dumps({"fmt": "none", "attStmt": {}, "authData": data})
        client = self._client("webauthn.create", options, lies)
        return _answer(made, clientDataJSON=client, attestationObject=attestation)

    def sign(self, options: Options, passkey: Passkey | None = None, **lies: Any) -> str:
        """What `navigator.credentials.get` would answer. `handle=None` leaves out whose it is."""
        shown = passkey or self.passkeys[-1]
        data, client = self._data(shown, lies), self._client("webauthn.get", options, lies)
        signature = shown.key.sign(data + hashlib.sha256(client).digest(), ec.ECDSA(hashes.SHA256()))
        handle = lies.get("handle", shown.user_handle)
        parts = {"userHandle": handle} if handle is not None else {}
        broken = lies.get("signature", signature)
        return _answer(shown, clientDataJSON=client, authenticatorData=data, signature=broken, **parts)

    def _data(self, passkey: Passkey, lies: dict[str, Any], *, extra: int = 0) -> bytes:
        if self.counts:
            passkey.counter += 1
        flags = PRESENT | extra | (VERIFIED if lies.get("verified", self.checks_owner) else 0)
        if lies.get("copies", self.copies):
            flags |= MAY_BE_COPIED | IS_COPIED
        if not lies.get("present", True):
            flags &= ~PRESENT
        rp_id, counter = lies.get("rp_id", passkey.rp_id), lies.get("counter", passkey.counter)
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + int(counter).to_bytes(4, "big")

    def _client(self, kind: str, options: Options, lies: dict[str, Any]) -> bytes:
        said = {
            "type": lies.get("type", kind),
            "challenge": lies.get("challenge", options["challenge"]),
            "origin": lies.get("origin", ORIGIN),
            "crossOrigin": lies.get("cross_origin", False),
        }
        return json.dumps(said).encode()


def _answer(passkey: Passkey, **parts: bytes) -> str:
    response = {name: text(part) for name, part in parts.items()} | {"transports": ["internal"]}
    return json.dumps({"id": text(passkey.id), "rawId": text(passkey.id), "type": "public-key", "response": response})


def text(part: bytes) -> str:
    """base64url without padding."""
    return base64.urlsafe_b64encode(part).decode().rstrip("=")


def raw(part: str) -> bytes:
    """The bytes of base64url without padding."""
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


async def options_of(browser: TestClientProtocol, path: str) -> Options:
    """Ask the school for a challenge."""
    answer = await browser.post(path)
    assert answer.status_code == 200, (path, answer.status_code)
    assert answer.headers["Cache-Control"] == "no-store"
    found: Options = await answer.get_json()
    return found


NEW = "/account/security/passkeys"


async def add_passkey(browser: TestClientProtocol, device: Device, name: str = "", **lies: Any) -> Any:
    """Add a passkey through the pages; the answer."""
    options = await options_of(browser, f"{NEW}/challenges")
    return await browser.post(NEW, form={"name": name, "credential": device.make(options, **lies)})
