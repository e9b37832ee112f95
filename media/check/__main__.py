"""`python -m media.check PACKAGE` prints one JSON document: what was found, or the error."""

from __future__ import annotations

import sys
from pathlib import Path

from media.check.checking import check
from media.children.document import print_document

if __name__ == "__main__":
    sys.exit(print_document(check(Path(sys.argv[1]))))
