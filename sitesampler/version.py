"""The version of this package, where every layer can read it: files, runs and clusters say which one made them."""

__version__ = "0.1.0"
