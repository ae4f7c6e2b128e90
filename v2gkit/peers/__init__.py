"""Foreign implementations to test against: how to install, equip, start and supervise them.

The modules named after a program of a peer run under the peer's own interpreter.
"""
