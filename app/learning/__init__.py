"""Learning: enrolments, the lesson player, progress.

Owns `enrolments`, `lesson_progress`, `learner_days`. Hears what access was granted and closed.
"""
