"""What a station answers alike in the generations whose messages come in an envelope; each gives its `Words`."""
