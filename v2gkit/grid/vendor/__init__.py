"""A maker's REST API by declaration: what to ask, where a value stands in the answer, in which unit, how often, and how to set a limit."""
