"""The command line: thin doors to the rooms below; they are loaded when a command needs them."""

from overread.cli.app import app, main

__all__ = ["app", "main"]
