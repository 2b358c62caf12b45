"""The crowd of a surge."""
