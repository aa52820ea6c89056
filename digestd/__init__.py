"""digestd turns a stream of research papers into personal e-mail."""

__version__ = "0.1.0"
