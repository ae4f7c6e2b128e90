"""Observing sessions: trace, capture and recorder, decoding of octets in any form, progress, story and report."""
