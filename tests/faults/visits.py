"""What the steady streams of requests ask for, and as whom."""

from __future__ import annotations

import httpx

from tests.faults.stack import PASSWORD, Stack


def a_client(stack: Stack, *, address: str = "10.9.0.1") -> httpx.AsyncClient:
    headers = {"X-Forwarded-For": address, "Sec-Fetch-Site": "same-origin"}
    limits = httpx.Limits(max_connections=200, max_keepalive_connections=32)
    return httpx.AsyncClient(base_url=stack.url, timeout=20, trust_env=False, headers=headers, limits=limits)


class signed_in:
    """A member's browser."""

    def __init__(self, stack: Stack, number: int) -> None:
        self.stack = stack
        self.email = stack.members[number].email
        self.client = a_client(stack, address=f"10.9.1.{number + 1}")

    async def __aenter__(self) -> httpx.AsyncClient:
        form = {"email": self.email, "password": PASSWORD, "next": "", "keep": "y"}
        answer = await self.client.post("/login", data=form)
        assert answer.status_code == 303, answer.status_code
        return self.client

    async def __aexit__(self, *_: object) -> None:
        await self.client.aclose()


def pages(client: httpx.AsyncClient, number: int) -> httpx.Request:
    """The catalogue, a course, the shelf, a lesson (which also notes the visit), in turn."""
    paths = ("/courses", "/courses/course-1", "/learn", f"/learn/course-0/lesson-{number % 8 + 1}")
    return client.build_request("GET", paths[number % 4])


def deeds(client: httpx.AsyncClient, number: int) -> httpx.Request:
    """Pages, a position, a cart, and now and then a sign-in, each from an address of its own."""
    headers = an_address(number)
    if number % 40 == 0:
        return entry(client, number)
    if number % 10 == 5:
        position = {"position": str(number % 300)}
        return client.build_request("POST", "/learn/course-0/lesson-1/position", data=position, headers=headers)
    if number % 10 == 7:
        return client.build_request("GET", "/cart", headers=headers)
    return pages(client, number)


def an_address(number: int) -> dict[str, str]:
    return {"X-Forwarded-For": f"10.8.{number // 250 % 250}.{number % 250 + 1}"}


def entry(client: httpx.AsyncClient, number: int) -> httpx.Request:
    """A member signs in anew."""
    form = {"email": f"member-{number % 6}@example.org", "password": PASSWORD, "next": "", "keep": "y"}
    return client.build_request("POST", "/login", data=form, headers={**an_address(number), "Cookie": ""})
