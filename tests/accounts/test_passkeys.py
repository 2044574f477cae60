"""Passkeys: added, shown and taken away; every answer of a device that is not what it should be is refused."""

import asyncio
import dataclasses
import re
from datetime import timedelta
from typing import Any

import pytest
from quart import Response

from app import Lectern
from app.accounts import challenges, passkeys, second_factors, totp
from app.accounts.models import PendingSignIn
from app.accounts.queries import passkeys as passkey_queries
from app.config import Config
from app.core import clock, db, settings
from tests.accounts.conftest import Browser, Mailbox, body, count, text_of
from tests.accounts.test_second_factors import enrol
from tests.authenticator import Device, Options, Passkey, add_passkey, options_of, text
from tests.cast import Cast, Person
from tests.meeting import Meeting

SECURITY = "/account/security"


@pytest.fixture
def device() -> Device:
    return Device()


async def owns(person: Person, device: Device, name: str = "My phone") -> Passkey:
    answer = await add_passkey(person.browser, device, name)
    assert answer.status_code in (200, 303), await body(answer)
    return device.passkeys[-1]


async def only(person: Person) -> str:
    """The public id of the person's only passkey."""
    found = await db.value("SELECT public_id FROM passkeys WHERE user_id = :id", id=person.id)
    return str(found)


async def signed(browser: Browser, device: Device, passkey: Passkey | None = None, **lies: Any) -> Response:
    """Sign in with a passkey and nothing else; the answer."""
    options = await options_of(browser.client, "/login/passkey/challenges")
    return await browser.post("/login/passkey", credential=device.sign(options, passkey, **lies))


async def half_way(browser: Browser, person: Person) -> Options:
    """The password was right; what the second step asks for."""
    answer = await browser.sign_in(person.email)
    assert answer.headers["Location"] == "/login/second-step"
    return await options_of(browser.client, "/login/second-step/passkey/challenges")


async def is_refused(answer: Response, words: str = "could not be checked") -> None:
    assert answer.status_code == 422, await body(answer)
    assert words in await body(answer)


# Adding


async def test_a_passkey_is_kept_with_what_is_needed_to_check_it(
    app: Lectern, ann: Person, device: Device, mailbox: Mailbox
) -> None:
    made = await owns(ann, device)
    row = await db.one(db.Row, "SELECT * FROM passkeys")
    assert row is not None
    assert (row.user_id, row.name, row.credential_id, row.sign_count) == (ann.id, "My phone", made.id, 1)
    assert (row.user_handle, row.transports, row.is_backed_up) == (made.user_handle, ["internal"], False)
    mail = await mailbox.last(ann.email)
    assert mail["Subject"] == "A passkey was added"
    assert "“My phone”" in text_of(mail)
    assert await db.value("SELECT summary FROM audit_log WHERE action = 'passkey.add'") == "My phone"
    assert "My phone" in await Browser(ann.browser).text(SECURITY)


async def test_the_options_name_nobody_but_the_person_and_exclude_what_is_there(
    app: Lectern, ann: Person, device: Device
) -> None:
    made = await owns(ann, device)
    options = await options_of(ann.browser, f"{SECURITY}/passkeys/challenges")
    assert options["rp"] == {"name": "Meridian", "id": "localhost"}
    assert options["user"] == {"id": text(made.user_handle), "name": ann.email, "displayName": ann.name}
    assert [one["id"] for one in options["excludeCredentials"]] == [text(made.id)]
    assert options["authenticatorSelection"]["userVerification"] == "required"
    assert options["authenticatorSelection"]["residentKey"] == "required"
    for known in (ann.public_id, ann.email, str(ann.id)):
        assert known.encode() not in made.user_handle


async def test_the_first_one_brings_recovery_codes_and_each_change_ends_other_sessions(
    app: Lectern, ann: Person, device: Device, other_browser: Browser
) -> None:
    await other_browser.sign_in(ann.email)
    before = Browser(ann.browser).cookie
    answer = await add_passkey(ann.browser, device)
    assert len(set(re.findall(r">([a-z0-9]{5}-[a-z0-9]{5})<", await body(answer)))) == 10
    assert answer.headers["Cache-Control"] == "no-store"
    assert not await other_browser.is_signed_in()
    assert await Browser(ann.browser).is_signed_in()
    assert Browser(ann.browser).cookie != before
    await db.run(
        "UPDATE recovery_codes SET used_at = now() WHERE code_hash IN (SELECT code_hash FROM recovery_codes LIMIT 1)"
    )
    await signed(other_browser, device)
    assert (await add_passkey(ann.browser, Device())).status_code == 303
    assert await db.value("SELECT count(*) FROM recovery_codes WHERE used_at IS NULL") == 9
    assert not await other_browser.is_signed_in()
    await signed(other_browser, device)
    assert await other_browser.is_signed_in()
    one = await db.value("SELECT max(public_id) FROM passkeys")
    await Browser(ann.browser).post(f"{SECURITY}/passkeys/{one}/removal")
    assert not await other_browser.is_signed_in()


async def test_after_an_app_the_codes_of_before_stay_and_the_other_way_round(
    app: Lectern, ann: Person, cast: Cast, device: Device
) -> None:
    await enrol(ann)
    before = await db.value("SELECT string_agg(code_hash, '' ORDER BY code_hash) FROM recovery_codes")
    assert (await add_passkey(ann.browser, device)).status_code == 303
    assert await db.value("SELECT string_agg(code_hash, '' ORDER BY code_hash) FROM recovery_codes") == before
    bob = await cast.bob()
    await owns(bob, Device())
    offered = await totp.offer(bob.id, bob.email)
    key = totp.opened_offer(bob.id, offered.sealed) or b""
    code = totp.code_at(key, int(clock.now().timestamp()) // 30)
    answer = await Browser(bob.browser).post(f"{SECURITY}/totp", offer=offered.sealed, code=code)
    assert answer.status_code == 303
    assert await count("recovery_codes") == 20


async def test_without_a_name_it_is_called_after_the_browser(app: Lectern, ann: Person, device: Device) -> None:
    options = await options_of(ann.browser, f"{SECURITY}/passkeys/challenges")
    agent = {"User-Agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36"}
    await Browser(ann.browser).post(f"{SECURITY}/passkeys", headers=agent, name=" ", credential=device.make(options))
    assert await db.value("SELECT name FROM passkeys") == "Chrome on Linux"


@pytest.mark.parametrize(
    ("lies", "words"),
    [
        ({"origin": "http://localhost.evil.example"}, "could not be checked"),
        ({"origin": "https://localhost"}, "could not be checked"),
        ({"origin": "http://localhost:8001"}, "could not be checked"),
        ({"rp_id": "evil.example"}, "could not be checked"),
        ({"type": "webauthn.get"}, "could not be checked"),
        ({"cross_origin": True}, "could not be checked"),
        ({"present": False}, "could not be checked"),
        ({"verified": False}, "did not check that it is you"),
        ({"challenge": text(b"a challenge that the school did not make, 56 bytes long.")}, "took too long"),
        ({"challenge": ""}, "took too long"),
    ],
    ids=str,
)
async def test_a_passkey_of_elsewhere_is_not_kept(
    app: Lectern, ann: Person, device: Device, lies: dict[str, Any], words: str
) -> None:
    await is_refused(await add_passkey(ann.browser, device, **lies), words)
    assert await count("passkeys") == 0
    assert (await add_passkey(ann.browser, device)).status_code == 200  # the negative control


async def test_an_answer_is_kept_once(app: Lectern, ann: Person, device: Device) -> None:
    options = await options_of(ann.browser, f"{SECURITY}/passkeys/challenges")
    answer = device.make(options)
    page = Browser(ann.browser)
    assert (await page.post(f"{SECURITY}/passkeys", credential=answer)).status_code == 200
    await is_refused(await page.post(f"{SECURITY}/passkeys", credential=answer), "took too long")
    assert await count("passkeys") == 1


async def test_a_challenge_of_somebody_else_adds_nothing(app: Lectern, ann: Person, cast: Cast, device: Device) -> None:
    bob = await cast.bob()
    options = await options_of(bob.browser, f"{SECURITY}/passkeys/challenges")
    cookie = next(one.value for one in bob.browser.cookie_jar if one.name == "passkey")  # type: ignore[union-attr]
    ann.browser.set_cookie("localhost", "passkey", cookie or "")
    await is_refused(
        await Browser(ann.browser).post(f"{SECURITY}/passkeys", credential=device.make(options)), "took too long"
    )


async def test_a_passkey_of_somebody_else_cannot_be_added_again(
    app: Lectern, ann: Person, cast: Cast, device: Device
) -> None:
    made = await owns(ann, device)
    bob = await cast.bob()
    assert (await add_passkey(bob.browser, Device(), id=made.id)).status_code == 409
    assert await db.value("SELECT user_id FROM passkeys") == ann.id


async def test_adding_asks_for_a_fresh_sign_in(app: Lectern, ann: Person, cast: Cast, device: Device) -> None:
    await owns(ann, device)
    await cast.sign_in(ann, fresh=False)
    page, one = Browser(ann.browser), await only(ann)
    assert "fresh=1" in (await page.get(f"{SECURITY}/passkeys/new")).headers["Location"]
    for path in ("/passkeys", "/passkeys/challenges", f"/passkeys/{one}/removal"):
        assert "fresh=1" in (await page.post(SECURITY + path)).headers["Location"]
    assert await count("passkeys") == 1


async def test_there_are_at_most_twenty(app: Lectern, ann: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passkeys, "MOST", 2)
    for _each in range(2):
        await owns(ann, Device())
    assert (await add_passkey(ann.browser, Device())).status_code == 409


async def test_two_first_ones_at_once_bring_one_set_of_codes(app: Lectern, ann: Person) -> None:
    path = f"{SECURITY}/passkeys/challenges"
    both = [Device().make(await options_of(ann.browser, path)) for _each in range(2)]
    page = Browser(ann.browser)
    await asyncio.gather(*(page.post(f"{SECURITY}/passkeys", credential=one) for one in both))
    # The first ends all other sessions: the second may come too late to be somebody's.
    assert await count("recovery_codes") == 10
    assert await count("passkeys") in (1, 2)


# Signing in


async def test_a_passkey_alone_signs_in_and_counts_as_both_factors(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    await owns(ann, device)
    options = await options_of(browser.client, "/login/passkey/challenges")
    form = {"credential": device.sign(options), "next": "/account/orders", "keep": "y"}
    answer = await browser.post("/login/passkey", **form)
    assert answer.headers["Location"] == "/login?next=/account/orders"
    assert await browser.is_signed_in()
    row = await db.one(db.Row, "SELECT method, second_factor_at, expires_at FROM sessions ORDER BY id DESC LIMIT 1")
    assert row is not None
    assert (row.method, row.second_factor_at is not None) == ("passkey", True)
    assert row.expires_at - clock.now() > timedelta(days=50)
    assert await db.value("SELECT sign_count FROM passkeys") == device.passkeys[0].counter
    assert await db.value("SELECT last_used_at FROM passkeys") is not None


async def test_a_role_that_needs_a_second_factor_is_let_in_by_a_passkey(
    app: Lectern, cast: Cast, device: Device, browser: Browser
) -> None:
    rob = await cast.rob()
    await owns(rob, device)
    await settings.save_school(second_factor_roles=["admin"])
    await signed(browser, device)
    assert (await browser.get("/admin/orders")).status_code == 200


async def test_the_options_tell_nothing_about_anybody(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    before = await options_of(browser.client, "/login/passkey/challenges")
    await owns(ann, device)
    after = await options_of(browser.client, "/login/passkey/challenges")
    assert before.pop("challenge") != after.pop("challenge")
    assert before == after
    assert after == {
        "timeout": 300000, "rpId": "localhost", "allowCredentials": [], "userVerification": "required"
    }  # fmt: skip
    assert await count("used_challenges") == 1  # asking leaves nothing behind; adding did


LIES: list[tuple[dict[str, Any], str]] = [
    ({"origin": "http://evil.example"}, "could not be checked"),
    ({"origin": "http://localhost:8001"}, "could not be checked"),
    ({"rp_id": "evil.example"}, "could not be checked"),
    ({"type": "webauthn.create"}, "could not be checked"),
    ({"cross_origin": True}, "could not be checked"),
    ({"present": False}, "could not be checked"),
    ({"signature": b"no signature at all"}, "could not be checked"),
    ({"challenge": text(bytes(56))}, "took too long"),
    ({"verified": False}, "did not check that it is you"),
    ({"handle": None}, "not one of this account"),
    ({"handle": b"somebody else"}, "not one of this account"),
    ({"copies": True}, "not one of this account"),
]


@pytest.mark.parametrize(("lies", "words"), LIES, ids=str)
async def test_an_answer_that_is_not_right_opens_nothing(
    app: Lectern, ann: Person, device: Device, browser: Browser, lies: dict[str, Any], words: str
) -> None:
    await owns(ann, device)
    await is_refused(await signed(browser, device, **lies), words)
    assert not await browser.is_signed_in()
    # The negative control: the same without the lie.
    assert (await signed(browser, device)).status_code == 303
    assert await browser.is_signed_in()


@pytest.mark.parametrize("credential", ["", "no JSON", "[]", "{}", "[" * 1500, '{"id": 1}', "null", '"a"', "\x00"])
async def test_what_is_no_answer_is_refused(app: Lectern, browser: Browser, credential: str) -> None:
    assert (await browser.post("/login/passkey", credential=credential)).status_code == 422


async def test_another_key_under_the_same_name_opens_nothing(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    made = await owns(ann, device)
    twin = Passkey(made.rp_id, made.user_handle, id=made.id, counter=50)
    await is_refused(await signed(browser, device, twin))
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'passkey.refuse'") == 0


async def test_a_recorded_answer_opens_nothing(
    app: Lectern, ann: Person, device: Device, browser: Browser, other_browser: Browser
) -> None:
    device.counts = False  # the counter does not help
    await owns(ann, device)
    options = await options_of(browser.client, "/login/passkey/challenges")
    answer = device.sign(options)
    assert (await browser.post("/login/passkey", credential=answer)).status_code == 303
    await is_refused(await browser.post("/login/passkey", credential=answer), "took too long")
    await is_refused(await other_browser.post("/login/passkey", credential=answer), "took too long")


async def test_a_challenge_belongs_to_its_browser(
    app: Lectern, ann: Person, device: Device, browser: Browser, other_browser: Browser
) -> None:
    await owns(ann, device)
    options = await options_of(browser.client, "/login/passkey/challenges")
    await options_of(other_browser.client, "/login/passkey/challenges")
    answer = device.sign(options)
    await is_refused(await other_browser.post("/login/passkey", credential=answer), "took too long")
    assert (await browser.post("/login/passkey", credential=answer)).status_code == 303  # the negative control


async def test_a_challenge_is_good_for_five_minutes(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    await owns(ann, device)
    for minutes, status in ((4, 303), (5, 422)):
        options = await options_of(browser.client, "/login/passkey/challenges")
        with clock.shifted(timedelta(minutes=minutes)):
            answer = await browser.post("/login/passkey", credential=device.sign(options))
            assert answer.status_code == status


async def test_challenges_are_good_side_by_side_in_two_tabs(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    await owns(ann, device)
    first, second = [await options_of(browser.client, "/login/passkey/challenges") for _tab in range(2)]
    for options in (first, second):
        assert (await browser.post("/login/passkey", credential=device.sign(options))).status_code == 303


async def test_an_answer_for_one_purpose_is_none_for_another(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    await owns(ann, device)
    options = await options_of(ann.browser, "/login/confirmation/passkey/challenges")
    answer = await Browser(ann.browser).post("/login/passkey", credential=device.sign(options))
    await is_refused(answer, "took too long")
    second = await half_way(browser, ann)
    await is_refused(await browser.post("/login/passkey", credential=device.sign(second)), "took too long")


@pytest.mark.parametrize("counts", [True, False])
async def test_of_the_same_answer_twice_at_once_one_gets_in(
    app: Lectern, ann: Person, device: Device, browser: Browser, counts: bool
) -> None:
    device.counts = counts
    await owns(ann, device)
    options = await options_of(browser.client, "/login/passkey/challenges")
    answer = device.sign(options)
    before = await count("sessions")
    answers = await asyncio.gather(*(browser.post("/login/passkey", credential=answer) for _each in range(4)))
    assert sorted(one.status_code for one in answers) == [303, 422, 422, 422]
    assert await count("sessions") == before + 1


async def test_without_the_guard_the_same_answer_would_get_in_twice(
    app: Lectern, ann: Person, device: Device, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the tests above."""
    device.counts = False
    await owns(ann, device)

    async def anything(_hash: bytes, _expires: object) -> bool:
        return True

    monkeypatch.setattr(challenges.queries, "use_challenge", anything)
    options = await options_of(browser.client, "/login/passkey/challenges")
    answer = device.sign(options)
    answers = await asyncio.gather(*(browser.post("/login/passkey", credential=answer) for _each in range(2)))
    assert [one.status_code for one in answers] == [303, 303]


# The counter


async def test_a_counter_that_goes_back_is_refused_mailed_and_audited(
    app: Lectern, ann: Person, device: Device, browser: Browser, mailbox: Mailbox
) -> None:
    made = await owns(ann, device)
    made.counter = 7
    assert (await signed(browser, device)).status_code == 303
    await browser.post("/logout")
    for counter in (8, 7, 1, 0):  # the same again is as bad
        await is_refused(await signed(browser, device, counter=counter), "looks like a copy")
        assert not await browser.is_signed_in()
    assert "A passkey was refused" in [mail["Subject"] for mail in await mailbox.all(ann.email)]
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'passkey.refuse'") == 4
    assert await db.value("SELECT subject_id FROM audit_log WHERE action = 'passkey.refuse' LIMIT 1") == ann.public_id
    assert await db.value("SELECT sign_count FROM passkeys") == 8
    made.counter = 8
    assert (await signed(browser, device)).status_code == 303  # the real one goes on


async def test_without_the_guard_a_copy_would_get_in(
    app: Lectern, ann: Person, device: Device, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The negative control of the test above."""
    await owns(ann, device)

    async def anything(*_args: object) -> bool:
        return True

    monkeypatch.setattr(passkey_queries, "note_use", anything)
    assert (await signed(browser, device, counter=0)).status_code == 303


async def test_who_cannot_sign_cannot_raise_the_alarm(
    app: Lectern, ann: Person, device: Device, browser: Browser, mailbox: Mailbox
) -> None:
    await owns(ann, device)
    before = len(await mailbox.all(ann.email))
    await is_refused(await signed(browser, device, counter=0, signature=b"no signature"))
    assert len(await mailbox.all(ann.email)) == before


async def test_a_device_that_does_not_count_signs_in_again_and_again(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    device.counts = False
    await owns(ann, device)
    for _time in range(3):
        assert (await signed(browser, device)).status_code == 303
    device.counts = True  # one that begins to count may
    assert (await signed(browser, device)).status_code == 303


async def test_of_one_counter_twice_at_once_one_gets_in(
    app: Lectern, ann: Person, device: Device, browser: Browser, other_browser: Browser
) -> None:
    await owns(ann, device)
    answers = []
    for each in (browser, other_browser):
        options = await options_of(each.client, "/login/passkey/challenges")
        answers.append((each, device.sign(options, counter=9)))
    done = await asyncio.gather(*(each.post("/login/passkey", credential=answer) for each, answer in answers))
    assert sorted(one.status_code for one in done) == [303, 422]


# Who may not


async def test_a_suspended_person_stays_outside(app: Lectern, ann: Person, device: Device, browser: Browser) -> None:
    await owns(ann, device)
    await db.run("UPDATE users SET state = 'suspended'")
    await is_refused(await signed(browser, device), "suspended")
    assert not await browser.is_signed_in()


async def test_that_somebody_is_suspended_is_told_to_themselves_only(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    await owns(ann, device)
    await db.run("UPDATE users SET state = 'suspended'")
    await is_refused(await signed(browser, device, signature=b"no signature"))


async def test_a_removed_passkey_opens_nothing(
    app: Lectern, ann: Person, device: Device, browser: Browser, mailbox: Mailbox
) -> None:
    await owns(ann, device)
    await Browser(ann.browser).post(f"{SECURITY}/passkeys/{await only(ann)}/removal")
    await is_refused(await signed(browser, device), "does not know this passkey")
    assert (await count("passkeys"), await count("recovery_codes")) == (0, 0)
    assert "A passkey was removed" in (await mailbox.last(ann.email))["Subject"]
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'passkey.remove'") == 1
    # And no second step is asked any more.
    await browser.sign_in(ann.email)
    assert await browser.is_signed_in()


async def test_somebody_elses_passkey_is_no_second_step_and_no_confirmation(
    app: Lectern, ann: Person, cast: Cast, device: Device, browser: Browser
) -> None:
    await owns(ann, device)
    others = Device()
    await owns(await cast.bob(), others)
    options = await half_way(browser, ann)
    answer = await browser.post("/login/second-step/passkey", credential=others.sign(options))
    await is_refused(answer, "not one of this account")
    confirm = await options_of(ann.browser, "/login/confirmation/passkey/challenges")
    answer = await Browser(ann.browser).post("/login/confirmation/passkey", credential=others.sign(confirm))
    await is_refused(answer, "not one of this account")


async def test_guessing_from_one_address_is_limited(app: Lectern, browser: Browser) -> None:
    statuses = [(await browser.post("/login/passkey", credential="{}")).status_code for _try in range(12)]
    assert statuses == [422] * 10 + [429] * 2


# As a second step, and to confirm


@pytest.mark.parametrize("verified", [True, False])
async def test_after_a_password_holding_the_device_is_enough(
    app: Lectern, ann: Person, device: Device, browser: Browser, verified: bool
) -> None:
    made = await owns(ann, device)
    options = await half_way(browser, ann)
    assert options["userVerification"] == "preferred"
    assert [one["id"] for one in options["allowCredentials"]] == [text(made.id)]
    page = await browser.text("/login/second-step")
    assert "Use a passkey" in page
    assert 'name="code"' not in page
    answer = await browser.post(
        "/login/second-step/passkey", credential=device.sign(options, verified=verified, handle=None)
    )
    assert answer.status_code == 303, await body(answer)
    assert await browser.is_signed_in()
    assert await count("pending_sign_ins") == 0


async def test_without_the_first_proof_there_is_no_second_step(app: Lectern, ann: Person, browser: Browser) -> None:
    await owns(ann, Device())
    for path in ("/login/second-step/passkey/challenges", "/login/second-step/passkey"):
        assert (await browser.post(path)).headers["Location"] == "/login"


async def test_a_recovery_code_stands_in_for_a_lost_passkey(
    app: Lectern, ann: Person, device: Device, browser: Browser
) -> None:
    answer = await add_passkey(ann.browser, device)
    [code, *_more] = re.findall(r">([a-z0-9]{5}-[a-z0-9]{5})<", await body(answer))
    await half_way(browser, ann)
    assert (await browser.post("/login/second-step?recovery=1", code=code)).status_code == 303
    assert await browser.is_signed_in()


async def test_of_two_second_steps_at_once_one_gets_in(
    app: Lectern, ann: Person, device: Device, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    device.counts = False
    await owns(ann, device)
    first = await half_way(browser, ann)
    second = await options_of(browser.client, "/login/second-step/passkey/challenges")
    signs = [device.sign(options) for options in (first, second)]
    # Both have seen that the sign-in waits: who comes when it is over is sent to begin anew.
    both, take = Meeting(2), passkeys.take_second_step

    async def take_together(waiting: PendingSignIn, credential: str) -> None:
        await both.wait()
        await take(waiting, credential)

    monkeypatch.setattr(passkeys, "take_second_step", take_together)
    before = await count("sessions")
    answers = await asyncio.gather(*(browser.post("/login/second-step/passkey", credential=one) for one in signs))
    assert sorted(one.status_code for one in answers) == [303, 422]
    assert await count("sessions") == before + 1


async def test_a_passkey_confirms_who_is_signed_in(app: Lectern, ann: Person, cast: Cast, device: Device) -> None:
    await owns(ann, device)
    await cast.sign_in(ann, fresh=False)
    page = Browser(ann.browser)
    assert "Confirm with a passkey" in await page.text("/login?fresh=1&next=/account/security/totp")
    before = page.cookie
    path = "/login/confirmation/passkey"
    options = await options_of(ann.browser, f"{path}/challenges")
    await is_refused(await page.post(path, credential=device.sign(options, verified=False)), "did not check")
    assert (await page.get(f"{SECURITY}/totp")).status_code == 303
    options = await options_of(ann.browser, f"{path}/challenges")
    answer = await page.post(path, credential=device.sign(options), next=f"{SECURITY}/totp")
    assert answer.headers["Location"] == f"/login?next={SECURITY}/totp"
    assert (await page.get(f"{SECURITY}/totp")).status_code == 200
    assert page.cookie != before


async def test_nobody_is_offered_to_confirm_with_what_they_do_not_have(app: Lectern, ann: Person) -> None:
    assert "Confirm with a passkey" not in await Browser(ann.browser).text("/login?fresh=1")


# Renaming and removing


async def test_a_passkey_gets_another_name(app: Lectern, ann: Person, device: Device) -> None:
    await owns(ann, device)
    path = f"{SECURITY}/passkeys/{await only(ann)}"
    page = Browser(ann.browser)
    assert "My phone" in await page.text(path)
    assert (await page.post(path, name="Old phone")).status_code == 303
    assert await db.value("SELECT name FROM passkeys") == "Old phone"
    for name in ("", "x" * 61, "see https://evil.example/"):
        assert (await page.post(path, name=name)).status_code == 422
    assert await db.value("SELECT count(*) FROM audit_log WHERE action = 'passkey.rename'") == 1


async def test_a_name_is_never_markup(app: Lectern, ann: Person, device: Device, mailbox: Mailbox) -> None:
    await owns(ann, device, "<b>Ann's</b>")
    assert "<b>Ann" not in await Browser(ann.browser).text(SECURITY)
    mail = await mailbox.last(ann.email)
    assert "“<b>Ann's</b>”" in text_of(mail)
    html = mail.get_body(("html",))
    assert html is not None
    assert "<b>Ann" not in html.get_content()


async def test_passkeys_of_others_are_not_found(app: Lectern, ann: Person, cast: Cast, device: Device) -> None:
    await owns(ann, device)
    path, page = f"{SECURITY}/passkeys/{await only(ann)}", Browser((await cast.bob()).browser)
    assert (await page.get(path)).status_code == 404
    assert (await page.post(path, name="Mine")).status_code == 404
    assert (await page.post(f"{path}/removal")).status_code == 404
    assert await db.value("SELECT name FROM passkeys") == "My phone"


async def test_the_only_way_in_stays(app: Lectern, cast: Cast, device: Device) -> None:
    bob = await cast.bob()  # without a password
    await owns(bob, device)
    page, path = Browser(bob.browser), f"{SECURITY}/passkeys/{await only(bob)}/removal"
    await page.post(path)
    assert "your only way in" in await page.text(SECURITY)
    assert (await count("passkeys"), await count("recovery_codes")) == (1, 10)
    await db.run(
        "INSERT INTO identities (user_id, provider, subject, email, created_at) VALUES (:id, 'google', '1', 'b', now())",
        id=bob.id,
    )
    await page.post(path)
    assert await count("passkeys") == 0


async def test_of_two_only_ways_in_removed_at_once_one_stays(app: Lectern, cast: Cast) -> None:
    bob = await cast.bob()
    for _each in range(2):
        await owns(bob, Device())
    ids = [row.public_id for row in await db.many(db.Row, "SELECT public_id FROM passkeys")]
    page = Browser(bob.browser)
    await asyncio.gather(*(page.post(f"{SECURITY}/passkeys/{one}/removal") for one in ids))
    assert (await count("passkeys"), await count("recovery_codes")) == (1, 10)


async def test_the_app_keeps_the_codes_when_the_last_passkey_goes(app: Lectern, ann: Person, device: Device) -> None:
    await enrol(ann)
    await owns(ann, device)
    page = Browser(ann.browser)
    await page.post(f"{SECURITY}/passkeys/{await only(ann)}/removal")
    assert (await count("passkeys"), await count("recovery_codes")) == (0, 10)
    await page.post(f"{SECURITY}/totp/removal")
    assert await count("recovery_codes") == 0


async def test_turning_everything_off_forgets_passkeys_too(app: Lectern, ann: Person, device: Device) -> None:
    await owns(ann, device)
    async with db.transaction():
        await second_factors.turn_off_all(ann.id, subject=ann.public_id, email=ann.email, name=ann.name, action="x.y")
    assert (await count("passkeys"), await count("recovery_codes")) == (0, 0)


async def test_it_was_not_me_takes_away_what_somebody_else_added(
    app: Lectern, ann: Person, device: Device, browser: Browser, mailbox: Mailbox
) -> None:
    await owns(ann, device)
    await db.run("UPDATE passkeys SET created_at = now() - interval '8 days'")
    thief = Device()
    await owns(ann, thief, "Not mine")
    link = re.search(r"http://localhost(/not-me/\S+)", text_of(await mailbox.last(ann.email)))
    assert link is not None
    assert (await browser.post(link[1])).headers["Location"].startswith("/password/reset/")
    await is_refused(await signed(browser, thief), "does not know this passkey")
    assert (await signed(browser, device)).status_code == 303
    assert await count("recovery_codes") == 10


# The rest


async def test_a_passkey_that_is_copied_elsewhere_is_shown_as_such(app: Lectern, ann: Person, browser: Browser) -> None:
    device = Device(copies=True, counts=False)
    await owns(ann, device)
    assert "Backed up" in await Browser(ann.browser).text(SECURITY)
    assert (await signed(browser, device)).status_code == 303
    await is_refused(await signed(browser, device, copies=False), "not one of this account")


async def test_used_challenges_are_cleared_when_they_are_over(app: Lectern, ann: Person, device: Device) -> None:
    await owns(ann, device)
    assert await passkey_queries.delete_dead_challenges(clock.now()) == 0
    assert await passkey_queries.delete_dead_challenges(clock.now() + challenges.LIFETIME) == 1


@pytest.mark.parametrize(
    ("app_url", "origin", "possible"),
    [
        ("https://school.example", "https://school.example", True),
        ("https://School.example:443/", "https://school.example", True),
        ("http://localhost:8000", "http://localhost:8000", True),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000", False),
        ("http://[::1]:8000", "http://::1:8000", False),
    ],
)
async def test_the_school_is_known_by_the_name_of_its_address(
    app: Lectern, config: Config, monkeypatch: pytest.MonkeyPatch, app_url: str, origin: str, possible: bool
) -> None:
    monkeypatch.setitem(app.config, "LECTERN", dataclasses.replace(config, app_url=app_url))
    async with app.app_context():
        assert passkeys.are_possible() is possible
        if possible:
            assert passkeys._origin() == origin
