"""How a car speaks DIN SPEC 70121: direct current, paid for outside of the session, over plain TCP."""
