"""A CSMS: stations, history, certificates, steering."""
