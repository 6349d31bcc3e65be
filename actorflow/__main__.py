"""``python -m actorflow``: the same as the command ``actorflow``."""

from __future__ import annotations

import sys

from actorflow._cli.main import main

if __name__ == "__main__":
    sys.exit(main())
