"""The mail server is away while people buy: what they bought is theirs, and each mail goes out once, later."""

import pytest

from app.core import db, mail, queue
from app.core.mail import Message
from tests.commerce.shop import Shop
from tests.faults import invariants
from tests.faults.invariants import Post
from tests.faults.sale import a_sale, books_of


class Moody:
    """A mailer that refuses the first tries."""

    def __init__(self, refusals: int) -> None:
        self.refusals = refusals
        self.post = Post()

    async def send(self, message: Message) -> str:
        if self.refusals > 0:
            self.refusals -= 1
            raise ConnectionRefusedError("the mail server is away")
        self.post.taken[message.message_id] += 1
        return message.message_id


@pytest.mark.parametrize("refusals", [0, 30])
async def test_mail_of_a_sale_goes_out_once_when_the_server_is_back(
    shop: Shop, monkeypatch: pytest.MonkeyPatch, refusals: int
) -> None:
    mailer = Moody(refusals)
    assert mail._wiring is not None
    monkeypatch.setattr(mail._wiring, "mailer", mailer)
    told = await a_sale(shop)
    assert await db.value("SELECT count(*) FROM entitlements") == 1
    if refusals:
        assert await db.value("SELECT count(*) FROM mails WHERE state = 'sent'") == 0
    await queue.drain(ignore_delays=True)
    assert await invariants.every(await books_of(shop), mailer.post, told) == []
    assert sum(mailer.post.taken.values()) == 4
