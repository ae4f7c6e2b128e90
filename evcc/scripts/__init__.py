"""What cars do: each script is a generator over one session (see `evcc.script`)."""
