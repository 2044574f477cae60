"""Where an address of the network is, as far as we are told without asking anybody.

A city from a database in MaxMind's format, when the school has one (GEOIP_DATABASE); else the country that the proxy in
front names (COUNTRY_HEADER, believed only of requests that came through it). With neither there is no place.
"""

from functools import lru_cache
from typing import Any

import maxminddb
import structlog
from babel import Locale, UnknownLocaleError
from quart import current_app, request

from app.core import i18n
from app.web.request import is_vouched

log = structlog.get_logger(__name__)


def country_of_request() -> str:
    """The country that the trusted proxy says this request comes from, as two letters; '' when it does not say."""
    header: str = current_app.config.get("COUNTRY_HEADER", "")
    if not header or not is_vouched():
        return ""
    said = request.headers.get(header, "").strip().upper()
    # Cloudflare says XX for "unknown" and T1 for Tor.
    return said if len(said) == 2 and said.isascii() and said.isalpha() and said != "XX" else ""


def place_of(address: str | None, country: str = "") -> str:
    """`Graz, Austria`, `Austria`, or nothing; in the language of this request or mail."""
    found = _looked_up(address or "")
    city = _name(found.get("city"))
    code = str((found.get("country") or {}).get("iso_code") or country)
    return ", ".join(part for part in (city, _country(code)) if part)


def _country(code: str) -> str:
    try:
        return str(Locale.parse(i18n.format_locale()).territories.get(code, "")) if code else ""
    except (UnknownLocaleError, ValueError):
        return ""


def _name(entry: Any) -> str:
    names = entry.get("names") if isinstance(entry, dict) else None
    return str(names.get(i18n.locale()) or names.get("en") or "") if isinstance(names, dict) else ""


def _looked_up(address: str) -> dict[str, Any]:
    reader = _reader(str(current_app.config.get("GEOIP_DATABASE", "")))
    if reader is None:
        return {}
    try:
        found = reader.get(address)
    except (ValueError, maxminddb.InvalidDatabaseError):
        return {}  # no address, or of the kind that the database does not know
    return found if isinstance(found, dict) else {}


@lru_cache(maxsize=2)
def _reader(path: str) -> Any:
    """The database, mapped into memory once; None when there is none or it cannot be read (said in the log, once)."""
    if not path:
        return None
    try:
        return maxminddb.open_database(path)
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        log.warning("GEOIP_DATABASE cannot be read, so devices have no place", error=type(error).__name__)
        return None
