"""ISO 15118-2: sequence, timing, limits, services, refusals; what its engines read stands in `generation`."""
