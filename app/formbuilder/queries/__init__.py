"""All SQL about forms, a module for each noun."""
