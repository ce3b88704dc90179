"""Checks responses: the counters against the plain views in one snapshot, and HTTP against the counters."""

from questions import figures

TRIES = 20


class Wrong(Exception):
    """A response that differs from the plain views."""


def first_difference(expected, got):
    if len(expected) != len(got):
        return f"{len(expected)} figures expected, {len(got)} given"
    return next((f"figure {i}: {e!r} expected, {g!r} given" for i, (e, g) in enumerate(zip(expected, got)) if e != g),
                None)


def flat_and_plain(database, question, seconds):
    """Both results in one snapshot. The plain one is null if it timed out. Also returns its milliseconds."""
    organization = question.arguments[0]
    database.bind(organization)
    if not question.has_flat:
        rows, milliseconds = database.call(question.function, question.types, question.arguments)
        return rows, rows, milliseconds
    for _ in range(TRIES):
        flat = plain = milliseconds = None
        with database.at_most(seconds):
            with database.one_snapshot():
                if database.value("SELECT re.is_current(%s)", (organization,)):
                    flat, _ = database.call(f"flat_{question.function}", question.types, question.arguments)
                    plain, milliseconds = database.call(f"plain_{question.function}", question.types,
                                                        question.arguments)
        if flat is not None:
            return flat, plain, milliseconds
        # A due time has passed, or a write has committed, that no advance has processed yet.
        database.rows("SELECT re.advance(%s, 1000)", (organization,))
    raise Wrong(f"{organization} does not become up to date")


def check_flat(database, question, seconds):
    """The plain query's milliseconds, or null if it timed out."""
    flat, plain, milliseconds = flat_and_plain(database, question, seconds)
    if plain is not None and flat != plain:
        raise Wrong(f"{question.arguments[0]}, {question.name}: the counters differ from the plain views: "
                    f"{first_difference([v for r in plain for v in r], [v for r in flat for v in r])}")
    return milliseconds


def check_answer(database, connection, question):
    """The HTTP response equals the result of the endpoint's function just before or just after, because time passes."""
    database.bind(question.arguments[0])

    def expected():
        return question.found(database.call(question.function, question.types, question.arguments)[0])

    for _ in range(TRIES):
        before = expected()
        answer = connection.get(question.path)
        if answer.status != 200:
            raise Wrong(f"{question.arguments[0]}, {question.name}: status {answer.status}: {answer.body[:300]!r}")
        got = figures(answer.json())
        if got == before or got == expected():
            return
    raise Wrong(f"{question.arguments[0]}, {question.name}: HTTP differs from the database: "
                f"{first_difference(expected(), got)}")
