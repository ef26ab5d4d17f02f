"""The command line: thin doors to the rooms below; they are loaded when a command needs them."""

import os

# Arrays here are small: threads of the linear algebra library only spin and wait, which made
# forging four times slower. Set before numpy is loaded; processes started later inherit it.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

from overread.cli.app import app, main

__all__ = ["app", "main"]
