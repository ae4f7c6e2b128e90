"""What the messages of a session say of power, charge, offers and choices, in plain numbers: one reading for each generation."""
