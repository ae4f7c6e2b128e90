"""The report: one self-contained HTML page about the sessions of a trace, made from that trace alone."""
