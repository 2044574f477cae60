"""The back office's frame: navigation, Today, search, settings. Owns no table; every other page is its domain's own."""

from quart import Quart


def install(app: Quart) -> None:
    """Give every page of the back office its navigation."""
    from app.admin import navigation

    navigation.install(app)
