"""Forms: the owner builds them, visitors answer, entries go where they are needed. docs/forms.md tells how."""
