"""REST of a fleet: what a tenant may read and do is declared in one table, from which answers, description and tests are made."""
