"""Scripts of cars in ISO 15118-20: each is a generator that runs over one session (see `evcc.script`)."""
