"""The folder worlds."""
