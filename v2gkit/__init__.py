"""The programs that people run: command line, demo, CSMS, certificate services, and the tools that show what happened in a session."""
