"""The ledger of who may use what, from when, until when, and why.

Owns `entitlements`. Every "may she open this?" in the product is one question to `entitlements`, which can explain
its answer.
"""
