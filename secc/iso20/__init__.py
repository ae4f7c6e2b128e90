"""What the station answers in ISO 15118-20: one pure function for each request, and what they share."""
