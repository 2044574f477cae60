"""Mozilla Observatory's grade of one answer, by its published rules
(https://developer.mozilla.org/en-US/observatory/docs/tests_and_scoring): 100 points, minus penalties, plus bonuses when
90 are left. Only what can be told from an answer itself: not the preload list, not the redirect from http.
"""

from __future__ import annotations

from dataclasses import dataclass
from http.cookies import SimpleCookie

import httpx

PRIVATE_REFERRERS = {"no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"}
HALF_A_YEAR = 15_768_000
A_PLUS = 100


@dataclass(frozen=True, slots=True)
class Grade:
    """Points, and what each rule gave or took."""

    points: int
    rules: dict[str, int]


def grade(answer: httpx.Response) -> Grade:
    """The points of an answer that came over TLS."""
    headers = answer.headers
    policy = _policy(headers)
    rules = {
        "content-security-policy": _policy_points(policy),
        "cookies": _cookie_points(headers.get_list("Set-Cookie")),
        "cors": -50 if headers.get("Access-Control-Allow-Origin") else 0,
        "cross-origin-resource-policy": {"same-origin": 10, "same-site": 10, "cross-origin": 0, None: 0}.get(
            headers.get("Cross-Origin-Resource-Policy"), -5
        ),
        "referrer-policy": _referrer_points(headers.get("Referrer-Policy")),
        "strict-transport-security": _transport_points(headers.get("Strict-Transport-Security")),
        "x-content-type-options": 0 if headers.get("X-Content-Type-Options") == "nosniff" else -5,
        "x-frame-options": _frame_points(policy, headers.get("X-Frame-Options")),
    }
    points = 100 + sum(value for value in rules.values() if value < 0)
    if points >= 90:
        points += sum(value for value in rules.values() if value > 0)
    return Grade(max(0, points), rules)


def _policy(headers: httpx.Headers) -> dict[str, set[str]]:
    text = headers.get("Content-Security-Policy", "")
    parts = [part.split() for part in text.split(";") if part.strip()]
    return {part[0].lower(): {word.lower() for word in part[1:]} for part in parts}


def _policy_points(policy: dict[str, set[str]]) -> int:
    if not policy:
        return -25
    default = policy.get("default-src", {"*"})
    scripts, styles = policy.get("script-src", default), policy.get("style-src", default)
    active = scripts | policy.get("object-src", default)
    if active & {"'unsafe-inline'", "data:", "*", "http:", "https:"}:
        return -20
    loaded = (words for name, words in policy.items() if name.endswith("-src"))
    if any(word.startswith("http:") for words in loaded for word in words):
        return -20
    if "'unsafe-eval'" in active:
        return -10
    if "'unsafe-inline'" in styles:
        return 0
    return 10 if default == {"'none'"} else 5


def _cookie_points(lines: list[str]) -> int:
    marks = [{part.strip().lower().partition("=")[0] for part in line.split(";")[1:]} for line in lines]
    if not marks:
        return 0
    if not all("secure" in one for one in marks):
        return -40
    if not all("httponly" in one for one in marks):
        return -30
    return 5 if all("samesite" in one for one in marks) else 0


def _referrer_points(policy: str | None) -> int:
    if policy is None:
        return 0
    return 5 if policy in PRIVATE_REFERRERS else -5


def _transport_points(text: str | None) -> int:
    age = next((part.strip()[8:] for part in (text or "").split(";") if part.strip().startswith("max-age=")), "")
    if not age.isdecimal():
        return -20
    return 0 if int(age) >= HALF_A_YEAR else -10


def _frame_points(policy: dict[str, set[str]], header: str | None) -> int:
    if policy.get("frame-ancestors", {"*"}) <= {"'none'", "'self'"}:
        return 5
    return 5 if header in ("DENY", "SAMEORIGIN") else -20


def cookie_of(line: str) -> str:
    """The name of the cookie that a Set-Cookie line sets."""
    return next(iter(SimpleCookie(line)), line.partition("=")[0])
