"""Entries in the back office: looked at, edited, written out, read in, counted, forgotten."""
