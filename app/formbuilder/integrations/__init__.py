"""Where entries are handed to, a file for each provider."""
