"""What a browser calls itself, in a few words."""

from dataclasses import dataclass

from app.core.i18n import _

# The first that is found counts: Edge also says Chrome, Chrome also says Safari.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS", "Firefox"),
    ("CriOS", "Chrome"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone", True),
    ("iPad", "iPad", True),
    ("Android", "Android", True),
    ("Windows", "Windows", False),
    ("Macintosh", "Mac", False),
    ("CrOS", "ChromeOS", False),
    ("Linux", "Linux", False),
)


@dataclass(frozen=True, slots=True)
class Device:
    """How a session is called in the list of devices."""

    name: str
    is_mobile: bool


def device_of(user_agent: str) -> Device:
    """`Firefox on Mac`; what is unknown is called so."""
    browser = next((name for mark, name in _BROWSERS if mark in user_agent), None)
    system, is_mobile = next(((name, mobile) for mark, name, mobile in _SYSTEMS if mark in user_agent), (None, False))
    if browser and system:
        return Device(_("%(browser)s on %(system)s", browser=browser, system=system), is_mobile)
    return Device(browser or system or _("Unknown browser"), is_mobile)
