"""Many rows at once, from a file that somebody brings: read, tried without effect, carried out, written down.

Owns `imports`, `import_outcomes` and `import_mappings`. What a row means is the business of its kind (`people`); reading,
batches, progress, what came of each row and how long it is kept are the same for all.
"""
