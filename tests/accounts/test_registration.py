import asyncio
import re
from datetime import timedelta

import pytest

from app import Lectern
from app.accounts import hashing, users
from app.core import clock, db, limits
from app.web.traps import opened_stamp
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.cast import PASSWORD, Cast


async def test_registering_makes_an_account_and_mails_a_link(browser: Browser, mailbox: Mailbox) -> None:
    answer = await browser.register(email=" Ann@Example.org ")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/register/sent")
    ann = await users.find_by_email("ann@example.org")
    assert ann is not None
    assert (ann.name, ann.role, ann.email_verified_at, ann.has_password) == ("Ann Archer", "member", None, True)
    mail = await mailbox.last("Ann@Example.org")
    assert mail["Subject"] == "Confirm your address at Meridian"
    assert "/verify/" in text_of(mail)
    assert not await browser.is_signed_in()


async def test_following_the_link_confirms_the_address_and_welcomes_once(browser: Browser, mailbox: Mailbox) -> None:
    await browser.register()
    link = await mailbox.link("ann@example.org")
    page = await browser.get(link)
    assert page.status_code == 200
    assert "ann@example.org" in await body(page)
    assert page.headers["Cache-Control"] == "private, no-store"
    assert (await browser.post(link)).headers["Location"] == "/login"
    ann = await users.find_by_email("ann@example.org")
    assert ann is not None
    assert ann.email_verified_at is not None
    assert "address is confirmed" in await browser.text("/login")
    subjects = [mail["Subject"] for mail in await mailbox.all("ann@example.org")]
    assert subjects == ["Confirm your address at Meridian", "Welcome to Meridian"]


async def test_looking_at_a_link_never_uses_it(browser: Browser, mailbox: Mailbox) -> None:
    await browser.register()
    link = await mailbox.link("ann@example.org")
    for _ in range(3):  # as mail scanners do
        assert (await browser.get(link)).status_code == 200
    assert (await browser.post(link)).headers["Location"] == "/login"


async def test_a_link_works_once_and_says_so(browser: Browser, mailbox: Mailbox) -> None:
    await browser.register()
    link = await mailbox.link("ann@example.org")
    await browser.post(link)
    again = await browser.post(link)
    assert again.headers["Location"] == link
    page = await browser.get(link)
    assert page.status_code == 410
    assert "This link was used" in await body(page)


async def test_two_browsers_with_one_link_confirm_once(
    browser: Browser, other_browser: Browser, mailbox: Mailbox
) -> None:
    await browser.register()
    link = await mailbox.link("ann@example.org")
    answers = await asyncio.gather(browser.post(link), other_browser.post(link))
    assert sorted(answer.headers["Location"] for answer in answers) == ["/login", link]
    assert len(await mailbox.all("ann@example.org")) == 2


async def test_an_old_link_offers_a_new_one(browser: Browser, mailbox: Mailbox) -> None:
    await browser.register()
    link = await mailbox.link("ann@example.org")
    with clock.shifted(timedelta(days=3, minutes=1)):
        page = await browser.get(link)
        assert page.status_code == 410
        assert "too old" in await body(page)
        await browser.post(link)
        assert (await browser.post(f"{link}/renewal")).headers["Location"] == "/login"
        fresh = await mailbox.link("ann@example.org")
        assert fresh != link
        await browser.post(fresh)
    ann = await users.find_by_email("ann@example.org")
    assert ann is not None
    assert ann.email_verified_at is not None


@pytest.mark.parametrize("token", ["x", "%00", "a" * 5000, "%ED%A0%80", "..%2f..", "é"])
async def test_a_link_that_never_was_is_a_page_that_says_so(browser: Browser, token: str) -> None:
    for path in (f"/verify/{token}", f"/password/reset/{token}"):
        answer = await browser.get(path)
        assert answer.status_code == 404
        assert (await browser.post(path, new_password=PASSWORD)).status_code in (303, 404, 422)


async def test_an_address_with_an_account_gets_the_same_answer(browser: Browser, cast: Cast, mailbox: Mailbox) -> None:
    ann = await cast.ann()
    known = await browser.register(email="ANN@example.org", name="Somebody Else")
    unknown = await browser.register(email="new@example.org")
    assert (known.status_code, known.headers["Location"]) == (unknown.status_code, unknown.headers["Location"])
    assert await body(known) == await body(unknown)
    assert (await mailbox.last("ann@example.org"))["Subject"] == "You have an account at Meridian"
    found = await users.find(ann.id)
    assert found is not None
    assert (found.name, found.has_password) == ("Ann Archer", False)


async def test_two_at_once_make_one_account(browser: Browser, other_browser: Browser, mailbox: Mailbox) -> None:
    answers = await asyncio.gather(browser.register(), other_browser.register(email="Ann@Example.ORG"))
    assert [answer.status_code for answer in answers] == [303, 303]
    assert await count("users") == 1
    subjects = sorted([mail["Subject"] for mail in await mailbox.all("nn@")])
    assert subjects == ["Confirm your address at Meridian", "You have an account at Meridian"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "Tell us what to call you"),
        ({"name": "x" * 101}, "100"),
        ({"name": "Ann\x00"}, "cannot be stored"),
        ({"name": "Win now at https://spam.example"}, "one line of words"),
        ({"name": "Ann\r\nWin at www.spam.example"}, "one line of words"),
        ({"email": "nowhere"}, "does not look like an email address"),
        ({"email": "a@b.c" + "d" * 300}, "254"),
        ({"email": ""}, "Type your email address"),
        ({"password": "short"}, "at least 8"),
        ({"password": "password1"}, "tried first"),
        ({"password": "meridian2"}, "your name"),
        ({"password": "x" * 129}, "at most 128"),
        ({"password": "tide\x00under seven"}, "cannot be stored"),
    ],
)
async def test_what_cannot_be_is_refused_beside_its_field(
    browser: Browser, changes: dict[str, str], words: str
) -> None:
    answer = await browser.register(**changes)
    assert answer.status_code == 422
    assert words in await body(answer)
    assert await count("users") == 0


async def test_a_weak_password_is_told_together_with_what_else_is_wrong(browser: Browser) -> None:
    page = await body(await browser.register(name="", password="short"))
    assert "Tell us what to call you" in page
    assert "at least 8" in page.split('id="password-error"')[1]


async def test_lone_surrogates_are_refused(browser: Browser) -> None:
    answer = await browser.client.post(
        "/register",
        data=b"name=%ED%A0%80&email=a%40example.org&password=tide+under+seven+clocks",
        headers={"Content-Type": "application/x-www-form-urlencoded"},
    )
    assert answer.status_code == 422
    assert await count("users") == 0


async def test_a_megabyte_is_refused_before_it_is_hashed(browser: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(password: str) -> str:
        raise AssertionError("hashed")

    monkeypatch.setattr(hashing, "hashed", never)
    assert (await browser.register(password="x" * 1_000_000)).status_code == 422
    assert (await browser.register(password="x" * 1_100_000)).status_code == 413


async def test_what_was_typed_is_kept_but_never_the_password(browser: Browser) -> None:
    page = await body(await browser.register(name="Ann <b>", email="nowhere", next="/courses/x"))
    assert 'value="Ann &lt;b&gt;"' in page
    assert 'value="nowhere"' in page
    assert 'value="/courses/x"' in page
    assert PASSWORD not in page


async def test_a_program_in_the_trap_makes_nothing(browser: Browser, mailbox: Mailbox) -> None:
    answer = await browser.register(website="https://spam.example")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/register/sent")
    assert await count("users") == 0
    assert await mailbox.all() == []


async def test_a_form_sent_at_once_is_asked_for_again(browser: Browser) -> None:
    answer = await browser.register(opened=opened_stamp())
    page = await body(answer)
    assert answer.status_code == 422
    assert "very fast" in page
    stamp = page.split('name="opened" type="hidden" value="')[1].split('"')[0]
    with clock.shifted(timedelta(seconds=3)):
        assert (await browser.register(opened=stamp)).status_code == 303


@pytest.mark.parametrize("stamp", ["", "made up", "1700000000"])
async def test_a_stamp_that_is_not_ours_is_asked_for_again(browser: Browser, stamp: str) -> None:
    assert (await browser.register(opened=stamp)).status_code == 422


async def test_registering_too_often_is_refused(browser: Browser) -> None:
    codes = []
    for n in range(11):
        codes.append((await browser.register(email=f"ann{n}@example.org", password="short")).status_code)
    assert codes == [422] * 10 + [429]


async def test_one_address_is_not_flooded_with_mail(browser: Browser, mailbox: Mailbox) -> None:
    codes = [(await browser.register()).status_code for _ in range(6)]
    assert codes == [303] * 5 + [429]
    assert len(await mailbox.all("ann@example.org")) == 5


async def test_an_unconfirmed_person_signs_in_and_is_reminded(
    browser: Browser, mailbox: Mailbox, unhurried: None
) -> None:
    await browser.register()
    assert (await browser.sign_in("ann@example.org")).status_code == 303
    page = await browser.text("/account")
    assert "Please confirm your address" in page
    assert (await browser.post("/account/verification")).status_code == 303
    await browser.post(await mailbox.link("ann@example.org"))
    assert "Please confirm your address" not in await browser.text("/account")
    await browser.post("/account/verification")
    assert "confirmed already" in await browser.text("/account")


async def test_a_new_verification_is_mailed_a_few_times_an_hour(cast: Cast, mailbox: Mailbox, unhurried: None) -> None:
    new = await cast.person("New", "new@example.org", verified=False)
    browser = Browser(new.browser)
    codes = [(await browser.post("/account/verification")).status_code for _ in range(4)]
    assert codes == [303, 303, 303, 429]
    assert len(await mailbox.all("new@example.org")) == 3


async def test_where_one_was_going_is_not_forgotten(browser: Browser) -> None:
    assert (await browser.register(next="/cart")).headers["Location"] == "/register/sent?next=/cart"
    assert "/login?next=/cart" in await browser.text("/register/sent?next=/cart")
    assert "evil" not in await browser.text("/register/sent?next=//evil.example")


async def test_ensure_makes_an_account_once(app: Lectern, mailbox: Mailbox) -> None:
    async with db.transaction():
        made, is_new = await users.ensure("ines.kovac@example.org")
    assert (made.name, made.has_password, is_new) == ("Ines Kovac", False, True)
    async with db.transaction():
        again, is_new = await users.ensure("Ines.Kovac@Example.org", "Somebody")
    assert (again.id, again.name, is_new) == (made.id, "Ines Kovac", False)
    mails = await mailbox.all("ines.kovac@example.org")
    assert [mail["Subject"] for mail in mails] == ["Welcome to Meridian"]
    assert "/password/reset/" in text_of(mails[0])


async def test_ensure_twice_at_once_makes_one_account(app: Lectern, mailbox: Mailbox) -> None:
    async def buy() -> bool:
        async with db.hold(), db.transaction():
            return (await users.ensure("ann@example.org", "Ann Archer"))[1]

    assert sorted(await asyncio.gather(*(buy() for _ in range(8)))) == [False] * 7 + [True]
    assert await count("users") == 1
    assert len(await mailbox.all("ann@example.org")) == 1


async def test_ensure_needs_the_callers_transaction(app: Lectern) -> None:
    with pytest.raises(RuntimeError, match="transaction"):
        await users.ensure("ann@example.org")


async def test_an_account_undone_by_the_caller_is_not_welcomed(app: Lectern, mailbox: Mailbox) -> None:
    class Undone(Exception):
        pass

    with pytest.raises(Undone):
        async with db.transaction():
            await users.ensure("ann@example.org")
            raise Undone
    assert await count("users") == 0
    assert await mailbox.all() == []


async def test_what_is_bought_does_not_go_to_whoever_registered_the_address_first(
    browser: Browser, other_browser: Browser, mailbox: Mailbox
) -> None:
    await browser.register(name="Mallory", email="ann@example.org")
    await browser.sign_in("ann@example.org")
    assert await browser.is_signed_in()
    async with db.transaction():
        await users.ensure("ann@example.org")
    assert not await browser.is_signed_in()
    await limits.forget_all()
    assert (await browser.sign_in("ann@example.org")).status_code == 422
    link = await mailbox.link("ann@example.org")
    assert (await other_browser.post(link, new_password="tide under seven clocks")).status_code == 303
    assert await other_browser.is_signed_in()


async def test_a_password_set_from_the_welcome_mail_confirms_the_address(browser: Browser, mailbox: Mailbox) -> None:
    async with db.transaction():
        await users.ensure("ann@example.org", "Ann")
    link = await mailbox.link("ann@example.org")
    with clock.shifted(timedelta(days=6)):
        assert "Choose a password" in await browser.text(link)
        assert (await browser.post(link, new_password="tide under seven clocks")).status_code == 303
        assert await browser.is_signed_in()
        ann = await users.find_by_email("ann@example.org")
        assert ann is not None
        assert ann.email_verified_at is not None
        subjects = [mail["Subject"] for mail in await mailbox.all("ann@example.org")]
        assert subjects.count("Welcome to Meridian") == 1


async def test_a_signed_in_person_is_sent_on_from_the_registration(cast: Cast) -> None:
    ann = await cast.ann()
    answer = await ann.browser.get("/register?next=/cart")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/cart")


async def test_whoever_registers_anew_is_told_how_two_accounts_become_one(browser: Browser, mailbox: Mailbox) -> None:
    """The same words whether the address had an account or not; and in the welcome, which who comes by Google reads, too."""
    pages = []
    for _ in range(2):
        answer = await browser.register(email="ann@example.org")
        pages.append(await browser.text(answer.headers["Location"]))
        await limits.forget_all()
    assert all("Write to us from this one and name the other" in page for page in pages)
    link = re.search(r"http://localhost(/verify/\S+)", text_of((await mailbox.all("ann@example.org"))[0]))
    assert link is not None
    await browser.post(link[1])
    [welcome] = [mail for mail in await mailbox.all("ann@example.org") if mail["Subject"] == "Welcome to Meridian"]
    assert "Write to us from this one and name the other" in text_of(welcome)
