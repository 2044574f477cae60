"""The quick ways to the request and its globals lead to Quart's own."""

import pytest
import quart

from app.application import Lectern
from app.web import current


async def test_they_are_those_of_the_request_that_is_answered(app: Lectern) -> None:
    async with app.test_request_context("/courses?level=beginner", headers={"User-Agent": "x"}):
        assert current.this_request() is quart.request._get_current_object()  # type: ignore[attr-defined]
        assert current.request.args["level"] == "beginner"
        assert current.request.headers["User-Agent"] == "x"
        current.g.answer = 1
        assert quart.g.answer == 1
        assert "answer" in current.g
        assert "question" not in current.g
        assert current.g.get("question") is None
        assert current.g.setdefault("question", 2) == quart.g.question == 2
        assert current.g.pop("answer") == 1
        assert "answer" not in quart.g


async def test_outside_of_a_request_there_is_none() -> None:
    with pytest.raises(LookupError):
        current.this_request()
    with pytest.raises(LookupError):
        current.g.get("answer")


@pytest.mark.parametrize(
    ("scheme", "host"),
    [
        ("http", "School.example"),
        ("http", "school.example:80"),
        ("https", "school.example:443"),
        ("http", "ü.example:81"),
    ],
)
async def test_a_path_is_bound_as_quart_binds_it(app: Lectern, scheme: str, host: str) -> None:
    async with app.test_request_context("/courses?a=1", scheme=scheme, headers={"Host": host}):
        request = current.this_request()
        ours, theirs = app.create_url_adapter(request), quart.Quart.create_url_adapter(app, request)
        assert ours is not None
        assert vars(ours) == vars(theirs)
