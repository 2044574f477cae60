"""Looking after the machine: jobs, mails, webhook deliveries, the audit log.

Owns no table; shows and steers what the floor (`app.core`) keeps.
"""
