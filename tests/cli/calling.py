"""The command line, called in this process."""

from typer.testing import CliRunner

from overread.cli import app


def call(*words) -> tuple[int, str, str]:
    """Return the exit code, stdout and stderr of `overread WORDS`."""
    result = CliRunner().invoke(app, [str(word) for word in words])
    return result.exit_code, result.stdout, result.stderr
