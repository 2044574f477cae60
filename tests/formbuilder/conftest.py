"""The page cache of the web tests, for forms that are kept."""

from tests.web.conftest import entries, kept

__all__ = ["entries", "kept"]
