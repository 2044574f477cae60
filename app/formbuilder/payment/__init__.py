"""What answers cost, and the order that an entry waits for."""
