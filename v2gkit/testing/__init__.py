"""For those who test what they built on v2gkit, or against it: a pair in virtual time, and a plugin of pytest with fixtures."""
