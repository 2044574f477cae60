"""All SQL of courses, one statement a function, by noun."""
