"""OpenADR 3.1: a VEN that follows events, and a VTN for the laboratory. Everything here is pure; the shells carry requests."""
