"""What cars of ISO 15118-2 and of DIN SPEC 70121 have in common: messages of the same names, and schedules that come with parameters."""
