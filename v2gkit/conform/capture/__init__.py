"""Judgement of what was recorded: which rules of the standard a session broke, by the same tables that a live case is judged by."""
