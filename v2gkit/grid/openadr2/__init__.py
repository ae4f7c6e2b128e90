"""OpenADR 2.0b: a VEN in the pull model. Everything here is pure; the shell carries its messages."""
