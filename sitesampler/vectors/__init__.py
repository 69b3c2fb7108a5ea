"""The folder vectors."""
