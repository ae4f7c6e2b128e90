"""The live viewer: a process of its own that is fed with the traces of sessions and shows them to browsers."""
