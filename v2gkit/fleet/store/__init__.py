"""The store of a fleet: what is declared, what was decided and told, registers, and books that balance. SQLite or PostgreSQL."""
