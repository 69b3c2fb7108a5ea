"""The folder language."""
