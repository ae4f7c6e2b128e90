"""The `v2g` command: one module for each sub-command. The only place that parses arguments and prints."""
