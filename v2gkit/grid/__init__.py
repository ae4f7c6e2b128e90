"""Signals of the grid: for each protocol a pure translator to `v2g.energy.signal` and a thin shell; one book keeps what became of each."""
