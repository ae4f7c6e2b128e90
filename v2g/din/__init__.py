"""DIN SPEC 70121: sequence, timing, limits, services, refusals; what its engines read stands in `generation`."""
