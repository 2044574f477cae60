"""What an access token may be made for. Each is asked for by some address of /api; there is no other list."""

from app.core.i18n import lazy

# Beside capabilities: what is the person's own. Everybody may give it to a program.
ME = "me"

SCOPES = {
    ME: lazy("Read who you are: name, address and role"),
    "courses.view": lazy("Read all courses, drafts too"),
    "orders.view": lazy("Read orders: who bought what, for how much"),
    "people.view": lazy("Read people: names, addresses and roles"),
}
