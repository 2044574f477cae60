"""Whose certificates are believed where others are called."""

import ssl
from functools import cache

import httpx


@cache
def trust() -> ssl.SSLContext:
    """The usual authorities', or those in SSL_CERT_FILE. Read once: that takes longer than many a call (36 ms), in which
    the event loop does nothing else.
    """
    return httpx.create_ssl_context()
