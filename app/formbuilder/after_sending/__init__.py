"""What follows from an entry in this house: its score, what is shown, and mails."""
