"""Strict settings from TOML: an unknown key or a wrong value is refused, with its name and the cure."""
