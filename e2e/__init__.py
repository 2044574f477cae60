"""Journeys of people through the whole product, in a real browser against really running processes.

One file a journey. `school.py` starts everything, `visitor.py` is a watched browser, `audit.py` looks at each page
passed, `people.py` makes people and reads their mail, `steps.py` holds what several journeys do.
"""
