"""The folder compute."""
