"""Rules and calculations: written by the owner, compiled to a plan, evaluated over answers."""
