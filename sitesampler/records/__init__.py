"""The folder records."""
