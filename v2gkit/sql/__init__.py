"""Rows in SQLite or PostgreSQL, for whatever keeps some: a schema says what there is, a keeper writes it in group commits."""
