"""The floor every domain stands on: database, events and queue, mail, audit, cache, limits, tokens, money, time.

Owns the tables `schema_migrations`, `mails`, `audit_log`, `settings`, `webhook_events` and the queue's own.
"""
