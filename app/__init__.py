"""Lectern: a school and membership business in one server-rendered application.

`create_app` and what goes with it live in `app.application`. They are loaded when first asked for: the command
line, the supervisor and the sandbox need the settings only, and would start a second later with everything.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from app.application import Lectern, create_app, load_domains, start, stop

__all__ = ["Lectern", "create_app", "load_domains", "start", "stop"]


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from app import application

    return getattr(application, name)
