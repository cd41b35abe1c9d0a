"""Aster Sidecar: the local agent daemon that a desktop app ships inside itself."""

__version__ = "0.1.0"
