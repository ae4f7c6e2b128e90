"""What a station answers to a car that speaks ISO 15118-2."""
