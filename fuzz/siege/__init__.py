"""A station under siege: every attack that a stranger, or a car that turns, may try at one outlet, beside a car that charges at the next.

__main__   plays them one after another and prints the table
attacks    what is tried, a function each
guests     the car that charges meanwhile, and the good cars that come afterwards
states     the largest messages of each state, valid and broken at the last octet
fullest    the largest messages that the schema admits
frames     messages of the largest size that a frame may have, valid and cut
"""
