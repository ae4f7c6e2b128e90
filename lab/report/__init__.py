"""One self-contained HTML page about one session, made from its trace alone."""
