"""The kinds of fields, a file each."""
