"""From octets to calls: frames, schemas, the connection, the queue and what outlives a restart. Nothing here knows what a message means."""
