"""How long an answer asks us to wait: `Retry-After` (RFC 9110 §10.2.3), or what a service says in its place."""

import re
from datetime import UTC
from email.utils import parsedate_to_datetime

from app.core import clock
from app.formbuilder.integrations.replies import Reply

# Seconds. Whoever says more is asked again after a day all the same.
LONGEST_WAIT = 24 * 3600
# Seconds, or seconds since 1970: Brevo; Ontraport; SendGrid, GetResponse, Pipedrive, Campaign Monitor; beehiiv.
_RESETS = ("x-sib-ratelimit-reset", "x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset")
# In the JSON: Omnisend; Discord.
_MEMBERS = ("retryAfter", "retry_after")
# A larger number is a moment, and from here on one in milliseconds.
_MOMENT, _MOMENT_MS = 1e9, 1e11


def wait_of(reply: Reply) -> int:
    """Seconds that an answer asks us to wait, 0 when it does not say."""
    seconds = _by_header(reply.headers.get("retry-after", "").strip())
    if seconds <= 0 and reply.status == 429:
        # Some services send the ends of their windows with every answer: only here do they ask for anything.
        seconds = max([*(_by_member(reply, each) for each in _MEMBERS), 0.0]) or _by_reset(reply)
    return min(max(int(-(-seconds // 1)), 0), LONGEST_WAIT)


def _by_header(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        try:
            when = parsedate_to_datetime(text)
        except (ValueError, TypeError):
            return 0.0
        when = when if when.tzinfo else when.replace(tzinfo=UTC)
        seconds = (when - clock.now()).total_seconds()
    return min(seconds, float(LONGEST_WAIT)) if seconds == seconds else 0.0


def _by_member(reply: Reply, name: str) -> float:
    value = reply.data.get(name) if isinstance(reply.data, dict) else None
    return float(min(value, LONGEST_WAIT)) if isinstance(value, int | float) and value == value else 0.0


def _by_reset(reply: Reply) -> float:
    for name in _RESETS:
        # GetResponse writes "600 seconds".
        number = re.match(r"\d+(\.\d+)?", reply.headers.get(name, "").strip())
        if number:
            seconds = float(number[0])
            if seconds >= _MOMENT:
                moment = seconds / 1000 if seconds >= _MOMENT_MS else seconds
                seconds = moment - clock.now().timestamp()
            return min(seconds, float(LONGEST_WAIT))
    return 0.0
