"""The demo school, Meridian: real courses and a believable year of members, orders and progress.

`school.load_school()` reads the words and films under `content/`; `history.generate()` and `history.stream()`
make members, orders and learning from a seed. None of them touches a database.

The one package that writes other domains' tables directly: it loads hundreds of thousands of rows with COPY.
"""
