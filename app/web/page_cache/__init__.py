"""Public pages, kept whole and answered before the framework is entered (docs/page-cache.md).

A handler says that its page is the same for everyone, and which parameters choose another one:

    @routes.get("/courses")
    @public()
    @cached(query=("level", "page"), unkept=("q",))
    async def list_courses() -> Response: ...
"""

from app.web.page_cache.marks import cached
from app.web.page_cache.server import PageCache

__all__ = ["PageCache", "cached"]
