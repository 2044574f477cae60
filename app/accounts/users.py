"""People with an account: find, register, confirm the address, change the profile, make one for a buyer."""

from app.accounts import claims, consents, hashing, links, queries, strength
from app.accounts.events import AccountMade, RegisteredAgain, UserRegistered, UserVerified
from app.accounts.models import User
from app.core import clock, db, events, mail, tokens
from app.core.errors import Invalid, SignInNeeded, Stale
from app.core.i18n import _
from app.core.ids import public_id


async def find(user_id: int) -> User | None:
    """The person with this id."""
    return await queries.user_by_id(user_id)


async def find_by_public_id(id: str) -> User | None:
    """The person with this public id."""
    return await queries.user_by_public_id(id)


async def find_by_email(email: str) -> User | None:
    """The person with this address, upper and lower case alike."""
    return await queries.user_by_email(email.strip())


async def ensure(email: str, name: str = "") -> tuple[User, bool]:
    """The account for an address, made when it is missing (True): inside the caller's transaction.

    A made one has no password; a mail with the link to set one follows (event AccountMade). An account whose address
    was never confirmed may have been registered by somebody else: what opens it ends (`claims`), so that what is bought now
    belongs to whoever reads that address's mail. The address of an account that was merged
    stands for the one it was merged into.
    """
    if not db.in_transaction():
        raise RuntimeError("users.ensure was called outside a transaction")
    email = email.strip()
    found = None
    while found is None:
        made = await insert(email, name)
        if made is not None:
            await events.publish(AccountMade(made.id))
            return made, True
        found = await _standing_for(email)
    if found.email_verified_at is None and await claims.claim([found.id]):
        await events.publish(AccountMade(found.id))
    return found, False


async def hold(user_id: int) -> None:
    """Let nobody merge or erase this person until the transaction ends: asked for before anything of theirs is locked, as whoever
    merges or erases locks them first.
    """
    await queries.hold_user(user_id)


async def _standing_for(email: str) -> User | None:
    """The account that this address stands for, held: who merges it waits, and moves what comes to it until then.

    None when the address was given up a moment ago, or the account merged or erased.
    """
    found = await queries.user_by_email(email)
    if found is not None and found.state == "merged":
        found = await queries.kept_for(found.id) or found
    if found is None:
        return None
    held = await queries.hold_user(found.id)
    is_here = held is not None and (held.state, held.email) == (found.state, found.email)
    return held if is_here else None


async def insert(email: str, name: str = "") -> User | None:
    """A new account without a password, in the current transaction; None when the address has one."""
    return await queries.insert_user(
        public_id=public_id(),
        email=email,
        name=name.strip() or name_from(email),
        password_hash=None,
        time_zone=None,
        now=clock.now(),
    )


def name_from(email: str) -> str:
    """`ines.kovac@example.org` is called "Ines Kovac" until she says otherwise."""
    words = email.partition("@")[0].partition("+")[0].replace(".", " ").replace("_", " ").replace("-", " ").split()
    return " ".join(word[:1].upper() + word[1:] for word in words)[:100] or email[:100]


async def register(*, name: str, email: str, password: str, wants_offers: bool = False) -> None:
    """Make an account and mail the link that confirms its address. Raises Invalid for a weak password.

    Says nothing about whether the address had an account: then its owner gets a mail that tells so instead.
    """
    await strength.check(password, email=email, name=name)
    password_hash = await hashing.hashed(password)
    async with db.transaction():
        made = await queries.insert_user(
            public_id=public_id(),
            email=email.strip(),
            name=name,
            password_hash=password_hash,
            time_zone=None,
            now=clock.now(),
        )
        if made is None:
            known = await queries.user_by_email(email.strip())
            if known is not None:
                await events.publish(RegisteredAgain(known.id, public_id()))
            return
        await _mail_verification(made)
        if wants_offers:
            await consents.say(made.id, consents.MARKETING, yes=True, origin="registration")
        await events.publish(UserRegistered(made.id))


async def mail_verification(user_id: int) -> bool:
    """Mail a new link that confirms the address; False when it is confirmed already."""
    async with db.transaction():
        found = await queries.user_by_id(user_id)
        if found is None or found.email_verified_at is not None:
            return False
        await _mail_verification(found)
        return True


async def _mail_verification(person: User) -> None:
    link_id, token = await links.issue(person.id, person.email, "verify_email")
    await mail.send(
        person.email,
        "accounts/verify_email",
        {"name": person.name, "path": f"/verify/{token}"},
        fact=f"verify_email:{link_id}",
    )


async def verify(token: str) -> User | None:
    """Confirm the address that this link was mailed to. None when the link is used, too old or unknown.

    Welcomes the person, once.
    """
    async with db.transaction():
        link = await links.use(token, "verify_email")
        if link is None:
            return None
        await prove_address(link.user_id, link.email)
        return await queries.user_by_id(link.user_id)


async def prove_address(user_id: int, email: str) -> None:
    """Somebody followed a link that only this mailbox had: the address is theirs. In the current transaction."""
    if not await queries.mark_verified(user_id, email, clock.now()):
        return
    await links.use_up(user_id, "verify_email")
    await claims.keep_address(user_id)
    person = await queries.user_by_id(user_id)
    if person is None:
        return
    await events.publish(UserVerified(user_id))
    # An account that a purchase made was welcomed then.
    await mail.send(person.email, "accounts/welcome", {"name": person.name}, fact=f"welcome:{user_id}")


def mark_of(person: User) -> str:
    """What a person says about themselves, as a mark that a page keeps of what it showed."""
    return tokens.keyed(repr((person.name, person.headline, person.biography, person.time_zone))).hex()


async def update_profile(
    user_id: int, *, name: str, headline: str, biography: str | None, time_zone: str | None, seen: str = ""
) -> None:
    """Change what a person says about themselves; `biography` None leaves it as it is, `time_zone` None is the school's.
    `seen` is the mark of the page that it was typed on.

    Raises SignInNeeded when the account was suspended or closed since the request began, Stale for what has changed
    since that page was drawn, as by the office.
    """
    if not name:
        raise Invalid(_("Tell us what to call you."), field="name")
    async with db.transaction():
        (here,) = await queries.lock_users([user_id])
        biography = here.biography if biography is None else biography
        is_new = (name, headline, biography, time_zone) != (here.name, here.headline, here.biography, here.time_zone)
        if is_new and seen and seen != mark_of(here):
            raise Stale(_("Something of this has changed meanwhile. Open it again and look."))
        if not await queries.update_profile(
            user_id, name=name, headline=headline, biography=biography, time_zone=time_zone
        ):
            raise SignInNeeded(_("Please sign in first."))
