"""`python -m devstack COMMAND …`; ./dev calls it."""

import sys

from devstack import commands
from devstack.console import DevError

if __name__ == "__main__":
    try:
        code = commands.main(sys.argv[1:])
    except DevError as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        code = 1
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)
