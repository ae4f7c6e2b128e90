"""A CSMS for laboratory and demonstration: stations, certificates, steering."""
