"""Rules of law as checks: each a row with source, date, what is looked at, and what configuration, traces and books say of it."""
