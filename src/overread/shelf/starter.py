"""A process that works for another one dies with it, whatever killed that one."""

import multiprocessing
import os
import threading

__all__ = ["die_with_the_starter"]


def die_with_the_starter() -> None:
    """End this process as soon as the one that started it has ended."""
    threading.Thread(target=_die, daemon=True).start()


def _die() -> None:
    starter = multiprocessing.parent_process()
    if starter is not None:
        starter.join()
        os._exit(1)
