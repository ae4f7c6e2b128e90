"""Tables of ISO 15118-20 that station and car both read: message order, times, numbers, limits, services, refusals."""
