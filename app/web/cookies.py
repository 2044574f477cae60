"""Cookies that only this host sets, over TLS only and out of reach of scripts."""

from quart import Response, current_app

from app.web.current import request


def full_name(name: str) -> str:
    """`__Host-` binds the cookie to this host and to TLS; plain HTTP (development) cannot carry it."""
    return f"__Host-{name}" if current_app.config["SECURE_COOKIES"] else name


def read(name: str) -> str:
    """What the browser sent, or nothing."""
    return request.cookies.get(full_name(name), "")


def put(response: Response, name: str, value: str, *, max_age: int | None) -> None:
    """Set it for `max_age` seconds; None: until the browser closes."""
    secure = current_app.config["SECURE_COOKIES"]
    response.set_cookie(full_name(name), value, max_age=max_age, path="/", secure=secure, httponly=True, samesite="Lax")


def clear(response: Response, name: str) -> None:
    """Let the browser forget it."""
    put(response, name, "", max_age=0)
