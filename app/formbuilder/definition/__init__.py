"""What a form is: its definition, read, checked, edited, kept in versions."""
