"""How processes of a CSMS speak to each other: the verbs of a bus, one in memory for a single process, one over NATS for several."""
