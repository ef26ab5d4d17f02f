"""Overread."""
