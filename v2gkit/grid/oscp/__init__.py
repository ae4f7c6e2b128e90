"""OSCP 2.0: both ends, the flexibility provider (who has chargers) and the capacity provider (who has the grid). All of it is pure."""
