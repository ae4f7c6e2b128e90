"""Measurements. Every module prints ratios against something measured in the same run; figures elsewhere come from here."""
