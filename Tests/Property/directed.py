"""Cases that random steps never or rarely produce."""

# Each module registers its cases when it is imported.
import cases_of_attribution  # noqa: F401
import cases_of_days  # noqa: F401
import cases_of_patients  # noqa: F401
import cases_of_writing  # noqa: F401
from script import CASES, Script


def cases():
    for title, write in CASES:
        script = Script()
        write(script)
        yield title, script.steps
