"""The history of a CSMS, in SQLite or PostgreSQL: what is kept (tables), from what (rows), how (keeper), and how it is read (reading)."""
