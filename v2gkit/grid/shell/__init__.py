"""The shells of the grid's protocols: sockets, time, and nothing that decides."""
