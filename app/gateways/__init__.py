"""The outside world, one module a capability: a Protocol in our words, the vendor, an embedded default that works."""
