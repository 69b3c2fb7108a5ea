"""The folder runs."""
