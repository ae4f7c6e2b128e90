"""How a car speaks ISO 15118-2."""
