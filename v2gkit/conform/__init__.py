"""Judges a foreign station or car by the tables of the standard: cases as data, a peer that misbehaves on purpose, and verdicts."""
