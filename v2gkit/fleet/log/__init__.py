"""The log of a fleet: facts in the order in which they came, for readers that take their time. In process, or on NATS JetStream."""
