"""The demo school, Meridian: its words, its two films and a believable year of members and orders.

Nothing here touches the database. `school.load_school()` reads the files under `content/`;
`history.generate()` and `history.stream()` make members, orders and learning from a seed.
"""
