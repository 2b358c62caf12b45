"""Files only their owner may read, replaced whole or not at all."""

import os
from pathlib import Path


def write_private(path: Path, text: str) -> None:
    """Write with mode 0600: to a draft, flushed to disk, then renamed over what was there."""
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(
        os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8"
    ) as out:
        out.write(text)
        out.flush()
        os.fsync(out.fileno())
    draft.rename(path)
