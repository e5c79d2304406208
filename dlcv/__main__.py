"""`python -m dlcv` and the `dlcv` console script: an error of the user is printed as one line.

Exit codes: 1 for an error, 2 for a command line that is not understood, 130 after SIGINT or SIGTERM.
"""

from __future__ import annotations

import errno
import os
import sys

from dlcv.runtime.errors import FULL, UserError
from dlcv.runtime.signals import interrupt_on_sigterm

# What the system says of a path that cannot be written. Another OSError is a bug and keeps its traceback.
NO_PLACE = (errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG, errno.EROFS, errno.EACCES, errno.EPERM, errno.ELOOP)


def main() -> None:
    interrupt_on_sigterm()
    try:
        from dlcv.cli import run  # takes a moment, in which a signal may come

        run()
    except UserError as error:
        stop(f"error: {error}", 1)
    except KeyboardInterrupt:
        stop("stopped; run the same command again to go on", 130)
    except OSError as error:
        where = f" {error.filename}" if error.filename else ""
        if error.errno in FULL:
            stop(
                f"error: the disk is full{f' while writing{where}' if where else ''}; free some space and run it again",
                1,
            )
        if error.errno not in NO_PLACE:
            raise
        stop(f"error: cannot use{where} ({os.strerror(error.errno)}); name another place or mend its permissions", 1)


def stop(message: str, code: int) -> None:
    """Print one line and end the process."""
    print(f"dlcv: {message}", file=sys.stderr)
    raise SystemExit(code)


if __name__ == "__main__":
    main()
