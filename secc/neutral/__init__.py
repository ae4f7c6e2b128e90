"""What a session of any generation knows, what it does about the facts it is told, and what it watches: safety is here, once for all."""
