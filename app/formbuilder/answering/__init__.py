"""A visitor's way through a form, from the first look to the entry."""
