"""`python -m dlcv` and the `dlcv` console script: an error of the user is printed as one line."""

from __future__ import annotations

import errno
import sys

from dlcv.runtime.errors import UserError
from dlcv.runtime.signals import interrupt_on_sigterm


def main() -> None:
    from dlcv.cli import run

    interrupt_on_sigterm()
    try:
        run()
    except KeyboardInterrupt:
        print("dlcv: stopped; run the same command again to go on", file=sys.stderr)
        raise SystemExit(130) from None
    except UserError as error:
        print(f"dlcv: error: {error}", file=sys.stderr)
        raise SystemExit(1) from None
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        where = f" while writing {error.filename}" if error.filename else ""
        print(f"dlcv: error: the disk is full{where}; free some space and run it again", file=sys.stderr)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
