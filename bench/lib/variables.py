"""Variables of a run."""

import os


def whole_number(name, default, least, most):
    text = os.environ.get(name) or str(default)
    if not text.isascii() or not text.isdigit() or not least <= int(text) <= most:
        raise SystemExit(f"error: {name} must be a whole number from {least} to {most}")
    return int(text)
