"""All SQL of commerce, one statement a function, by table."""
