"""What is taught: courses, sections, lessons.

Owns `topics`, `courses`, `sections`, `lessons`. Publishes what changed; knows nothing of prices or learners.
"""
