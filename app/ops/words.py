"""How the audit log calls acts and things, and where those things are shown. What is not listed goes by its own name."""

from urllib.parse import quote

from app.core.i18n import lazy

ACTS = {
    "account.lock": lazy("Locked their account"),
    "access.close": lazy("Closed access"),
    "access.grant": lazy("Granted access"),
    "audit.export": lazy("Exported the audit log"),
    "audit.shred": lazy("Erased personal data from the audit log"),
    "course.archive": lazy("Archived a course"),
    "course.arrange": lazy("Rearranged a course"),
    "course.create": lazy("Made a course"),
    "course.edit": lazy("Edited a course"),
    "course.picture": lazy("Changed a course's picture"),
    "course.publish": lazy("Published a course"),
    "course.restore": lazy("Took a course out of the archive"),
    "course.unpublish": lazy("Unpublished a course"),
    "courses.export": lazy("Exported the courses"),
    "form.create": lazy("Made a form"),
    "form.entries_expired": lazy("Deleted old entries of a form"),
    "form.move": lazy("Opened or closed a form"),
    "form.publish": lazy("Published a form"),
    "form_entries.export": lazy("Exported the entries of a form"),
    "form_entries.import": lazy("Imported entries into a form"),
    "form_entry.edit": lazy("Changed an entry"),
    "form_entry.erase": lazy("Erased entries of an address"),
    "form_entry.note": lazy("Wrote a note on an entry"),
    "form_entry.resend": lazy("Sent an entry out again"),
    "form_entry.status": lazy("Set the status of an entry"),
    "form_entry.sweep": lazy("Deleted entries from the bin"),
    "form.trial": lazy("Tried two versions of a form"),
    "form.trial_end": lazy("Ended the trial of a form"),
    "form.replay": lazy("Sent entries of a form again"),
    "form_connection.change": lazy("Gave a service new credentials"),
    "form_connection.create": lazy("Connected a service"),
    "form_connection.delete": lazy("Removed a connected service"),
    "form_connection.rename": lazy("Renamed a connected service"),
    "form_connection.replay": lazy("Sent entries to a service again"),
    "form_connection.secret": lazy("Gave a webhook a new secret"),
    "form_delivery.replay": lazy("Sent an entry to a service again"),
    "import.bring": lazy("Brought a list to import"),
    "import.cancel": lazy("Stopped an import"),
    "import.end": lazy("Finished an import"),
    "import.start": lazy("Began an import"),
    "email.ask": lazy("Asked for another address"),
    "email.cancel": lazy("Kept the old address"),
    "email.change": lazy("Changed their address"),
    "identity.connect": lazy("Connected an account elsewhere"),
    "identity.disconnect": lazy("Disconnected an account elsewhere"),
    "erasure.ask": lazy("Asked for an erasure"),
    "erasure.cancel": lazy("Took an erasure back"),
    "erasure.done": lazy("Erased a person"),
    "erasures.export": lazy("Exported who asked to be erased"),
    "impersonations.export": lazy("Exported who looked as another person"),
    "impersonation.end": lazy("Went back to themselves"),
    "impersonation.start": lazy("Looked as another person"),
    "job.discard": lazy("Discarded a job"),
    "job.restore": lazy("Took a job back"),
    "job.retry": lazy("Retried a job"),
    "learners.export": lazy("Exported the learners"),
    "lesson.create": lazy("Made a lesson"),
    "lesson.edit": lazy("Edited a lesson"),
    "lesson.publish": lazy("Published a lesson"),
    "lesson.remove": lazy("Removed a lesson"),
    "lesson.unpublish": lazy("Unpublished a lesson"),
    "mail.retry": lazy("Sent a mail again"),
    "mails.export": lazy("Exported the mails"),
    "order.accept": lazy("Accepted a flagged order"),
    "order.refund": lazy("Refunded an order"),
    "order.reject": lazy("Rejected a flagged order"),
    "orders.export": lazy("Exported the orders"),
    "passkey.add": lazy("Added a passkey"),
    "passkey.refuse": lazy("Showed a passkey that looks like a copy"),
    "passkey.remove": lazy("Removed a passkey"),
    "passkey.rename": lazy("Renamed a passkey"),
    "password.change": lazy("Changed their password"),
    "password.reset": lazy("Reset their password"),
    "list.bulk": lazy("Did something to many rows of a list"),
    "list.bulk_undo": lazy("Took back what was done to many rows"),
    "list.bulk_continue": lazy("Went on with what stood still half-way"),
    "list.bulk_cancel": lazy("Left it at what was done to many rows"),
    "list.bulk_result": lazy("Fetched the file of what was done to many rows"),
    "people.add": lazy("Added a person"),
    "people.edit": lazy("Edited a person"),
    "people.email": lazy("Changed a person's address"),
    "people.export": lazy("Exported the people"),
    "people.merge": lazy("Merged two accounts"),
    "people.invite": lazy("Sent the invitation again"),
    "people.note": lazy("Wrote a note about a person"),
    "people.note_removal": lazy("Removed a note about a person"),
    "people.require_password": lazy("Asked a person for a new password"),
    "people.reset_mail": lazy("Sent a link for the password"),
    "people.role": lazy("Changed a person's role"),
    "people.second_factor_off": lazy("Turned off a person's second step"),
    "people.sign_out": lazy("Signed a person out everywhere"),
    "people.suspend": lazy("Suspended a person"),
    "people.tag": lazy("Tagged a person"),
    "people.unsuspend": lazy("Let a person in again"),
    "people.untag": lazy("Took a tag from a person"),
    "people.verification_mail": lazy("Asked a person to confirm the address"),
    "privacy.consent": lazy("Agreed to something, or took it back"),
    "privacy.export": lazy("Asked for everything about themselves"),
    "people.waive_password": lazy("Let a person keep the password"),
    "product.price": lazy("Set a price"),
    "product.start": lazy("Put on sale"),
    "product.stop": lazy("Took off sale"),
    "role.change": lazy("Changed a role"),
    "role.create": lazy("Made a role"),
    "role.delete": lazy("Removed a role"),
    "second_factor.codes_renewed": lazy("Made new recovery codes"),
    "second_factor.totp_off": lazy("Turned off the authenticator app"),
    "second_factor.totp_on": lazy("Set up an authenticator app"),
    "section.create": lazy("Made a section"),
    "section.remove": lazy("Removed a section"),
    "section.rename": lazy("Renamed a section"),
    "settings.change": lazy("Changed the settings"),
    "token.create": lazy("Made an access token"),
    "token.remove": lazy("Removed an access token"),
    "tag.create": lazy("Made a tag"),
    "tag.delete": lazy("Removed a tag"),
    "tag.merge": lazy("Merged two tags"),
    "tag.rename": lazy("Renamed a tag"),
    "upload.create": lazy("Uploaded a file"),
    "view.change": lazy("Changed a saved view"),
    "view.remove": lazy("Removed a saved view"),
    "view.save": lazy("Saved a view"),
    "webhook.replay": lazy("Replayed a delivery"),
}

KINDS = {
    "course": lazy("Course"),
    "import": lazy("Import"),
    "job": lazy("Job"),
    "lesson": lazy("Lesson"),
    "list": lazy("List"),
    "mail": lazy("Mail"),
    "order": lazy("Order"),
    "person": lazy("Person"),
    "product": lazy("Product"),
    "role": lazy("Role"),
    "section": lazy("Section"),
    "settings": lazy("Settings"),
    "tag": lazy("Tag"),
    "upload": lazy("File"),
    "user": lazy("Person"),
    "webhook": lazy("Delivery"),
}

# The same thing under two names: what was written stays as it was.
SAME = {"person": ("person", "user"), "user": ("person", "user")}

_PAGES = {
    "course": "/admin/courses/",
    "import": "/admin/people/imports/",
    "job": "/admin/jobs/",
    "order": "/admin/orders/",
    "person": "/admin/people/",
    "role": "/admin/roles/",
    "tag": "/admin/people/tags/",
    "user": "/admin/people/",
}


def act_label(action: str) -> str:
    """What was done, in words."""
    return str(ACTS.get(action, action))


def kind_label(kind: str) -> str:
    """What kind of thing it was done to."""
    return str(KINDS.get(kind, kind))


def kinds_of(kind: str) -> tuple[str, ...]:
    """The names under which things of this kind stand in the log."""
    return SAME.get(kind, (kind,))


def thing_url(kind: str, subject_id: str) -> str | None:
    """The page of the thing, where the log's id is enough to find it; it may be gone."""
    if kind == "settings":
        return "/admin/settings"
    return f"{_PAGES[kind]}{quote(subject_id, safe='')}" if kind in _PAGES else None
