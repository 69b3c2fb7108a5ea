"""The folder studies."""
