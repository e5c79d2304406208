"""Calls of git."""

from __future__ import annotations

import subprocess

from dlcv.runtime.errors import UserError


def git(*words: str) -> str:
    """The output of `git WORDS` in the working directory.

    Raises:
        UserError: there is no git, it fails, or it takes longer than 20 s.
    """
    try:
        return subprocess.run(["git", *words], capture_output=True, text=True, check=True, timeout=20).stdout
    except subprocess.CalledProcessError as error:
        raise UserError(f"git: {' '.join(error.stderr.split())}") from None
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UserError(f"git cannot be called: {error}") from None
