"""What a station answers to a car that speaks DIN SPEC 70121."""
