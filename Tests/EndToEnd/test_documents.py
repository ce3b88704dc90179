"""Names in the documents exist in the repository, and links in the documents lead somewhere."""

import fnmatch
import re
import subprocess
from pathlib import Path

import pytest

from stack import ROOT

TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, stdout=subprocess.PIPE, text=True,
                         check=True).stdout.splitlines()
DOCUMENTS = [name for name in TRACKED if re.fullmatch(r"(README|ARCHITECTURE|CONTRIBUTING|docs/[^/]+)\.md", name)]
FOLDERS = {"/".join(name.split("/")[:depth]) for name in TRACKED for depth in range(1, name.count("/") + 1)}

# docs/planned.md names commands and settings that do not exist yet.
BUILT = [name for name in DOCUMENTS if name != "docs/planned.md"]

# Words in code that look like a Swift type.
OTHER_WORDS = {
    "HTTP headers": {"Allow", "Authorization", "Date", "Forwarded", "Host", "Origin", "Upgrade", "Via"},
    "of browsers": {"EventSource"},
    "labels of the guide": {"Active", "Dormant", "High", "Low", "Medium", "Stale"},
    "settings of systemd": {"LimitNOFILE", "MemoryMax"},
    "a name that is searched for": {"Ann"},
}
# Files that are not in the repository.
OTHER_FILES = {
    "made by a site": {"site.env"},
    "of other programs": {"libjs-chart.js", "nginx.conf", "pg_hba.conf", "podman.socket", "response.json"},
}
# ARCHITECTURE.md adds the endpoint `no-shows` as an example. `x` is any endpoint, and the audit has a table for each
# month. docs/scaling.md proposes a function for distributed databases.
EXAMPLES = re.compile(r".*(NoShows|no_shows).*|(plain_|flat_)?x|audit_\d{4}_\d\d|visible_organization")


def text_of(document):
    return (ROOT / document).read_text()


def without_blocks(text):
    return re.sub(r"^ *```.*?^ *```", "", text, flags=re.DOTALL | re.MULTILINE)


def blocks(text):
    return re.findall(r"^ *```.*?\n(.*?)^ *```", text, flags=re.DOTALL | re.MULTILINE)


def spans(document):
    """Returns the inline code of a document, with blanks for line breaks."""
    return [" ".join(span.split()) for span in re.findall(r"`([^`]+)`", without_blocks(text_of(document)))]


def test_documents_are_found():
    assert {"README.md", "docs/definitions.md", "docs/planned.md"} <= set(DOCUMENTS)


OBJECT = re.compile(r"(?<![\w./-])(re|public)\.([a-z_]\w*)(?:\.([a-z_]\w*))?(?![\w…*])")


@pytest.fixture(scope="module")
def catalog(database):
    """The relations and functions of the schema `re` and of `public`, each with its columns."""
    with database.cursor() as cursor:
        cursor.execute("""
            SELECT n.nspname || '.' || c.relname, array_agg(a.attname::text) FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_attribute a ON a.attrelid = c.oid
            WHERE n.nspname IN ('re', 'public') GROUP BY 1
            UNION ALL
            SELECT DISTINCT n.nspname || '.' || p.proname, '{}'::text[] FROM pg_proc p
            JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname IN ('re', 'public')""")
        return dict(cursor.fetchall())


@pytest.mark.parametrize("document", BUILT)
def test_database_objects_exist(document, catalog):
    missing = set()
    for code in spans(document) + blocks(text_of(document)):
        for schema, name, column in OBJECT.findall(code):
            if EXAMPLES.fullmatch(name):
                continue
            found = catalog.get(f"{schema}.{name}")
            if found is None or column and column not in found:
                missing.add(f"{schema}.{name}" + (f".{column}" if column else ""))
    assert not missing


SWIFT = [(ROOT / name).read_text() for name in TRACKED if name.endswith(".swift")]
DECLARATION = re.compile(r"\b(?:class|struct|enum|protocol|actor|typealias|extension)\s+(?:\w+\.)*(\w+)")
DECLARED = [set(DECLARATION.findall(source)) for source in SWIFT]
MODULES = {name.split("/")[1] for name in TRACKED if name.startswith(("Sources/", "Tests/")) and name.count("/") > 1}
ALERTS = (ROOT / "docs/monitoring/alerts.yml").read_text()


def is_swift(name):
    """Returns whether a type, or a member of a type, exists in the Swift code."""
    kind, _, member = name.partition(".")
    sources = [source for source, declared in zip(SWIFT, DECLARED) if kind in declared]
    form = r"\binit\(" if member == "init" else rf"\b(?:var|let|func|case)\s+(?:\w+, )*{member}\b"
    return any(re.search(form, source) for source in sources) if member else bool(sources)


@pytest.mark.parametrize("document", BUILT)
def test_swift_types_exist(document):
    form = re.compile(r"[A-Z][A-Za-z0-9]*[a-z][A-Za-z0-9]*(\.(?!swift$)[a-z]\w*)?")
    missing = {
        name
        for name in filter(form.fullmatch, set(spans(document)).difference(*OTHER_WORDS.values()))
        if not is_swift(name) and name not in MODULES and f"alert: {name}\n" not in ALERTS
    }
    assert not missing


ENDINGS = r"swift|sql|py|js|mjs|css|html|conf|map|yaml|yml|json|toml|md|bash|service|socket|patch"


ENDS_OF_PATHS = {path.split("/", depth)[-1] for path in {*TRACKED, *FOLDERS} for depth in range(path.count("/") + 1)}


def is_file(name):
    """Returns whether a path, or the end of one, is in the repository. `*` matches any characters."""
    name = name.rstrip("/")
    return name in ENDS_OF_PATHS or "*" in name and bool(fnmatch.filter(ENDS_OF_PATHS, name))


PATH = r"(?<![\w./$~{}=:@…*-])"
NAMED_FILE = re.compile(PATH + rf"[\w.*-]+(?:/[\w.*-]+)*\.(?:{ENDINGS})(?![\w./…-])")
FOLDER = "|".join(re.escape(path) for path in FOLDERS if "/" not in path and path != "docs")
IN_A_FOLDER = re.compile(PATH + rf"(?:{FOLDER})/[\w./*-]*")


@pytest.mark.parametrize("document", BUILT)
def test_files_and_scripts_exist(document):
    others = set().union(*OTHER_FILES.values())
    missing = {
        name
        for code in spans(document) + blocks(text_of(document))
        for name in NAMED_FILE.findall(code) + IN_A_FOLDER.findall(code)
        if name.split("/")[-1] not in others and not EXAMPLES.fullmatch(name) and not is_file(name)
    }
    assert not missing


TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


@pytest.mark.parametrize("document", BUILT)
def test_make_targets_exist(document):
    code = "\n".join(spans(document) + blocks(text_of(document)))
    named = set(re.findall(r"(?<![\w-])make ([a-z][a-z-]*)", code))
    assert named <= TARGETS


def slug(heading):
    """The anchor that GitHub gives to a heading."""
    text = re.sub(r"\[([^]]*)\]\([^)]*\)", r"\1", heading).replace("`", "").strip().lower()
    return re.sub(r"[^\w\- ]", "", text).replace(" ", "-")


def anchors(document):
    found = []
    for heading in re.findall(r"^#+ (.*)$", without_blocks(text_of(document)), flags=re.MULTILINE):
        name = slug(heading)
        same = sum(1 for other in found if re.fullmatch(re.escape(name) + r"(-\d+)?", other))
        found.append(f"{name}-{same}" if same else name)
    return set(found) | set(re.findall(r'<a (?:id|name)="([^"]+)"', text_of(document)))


def links(document):
    text = re.sub(r"`[^`]*`", "", without_blocks(text_of(document)))
    found = re.findall(r"\]\(([^)\s]+)[^)]*\)", text) + re.findall(r"^\[[^]]+\]: (\S+)", text, flags=re.MULTILINE)
    found += re.findall(r'(?:href|src)="([^"]+)"', text)
    return [link for link in found if not re.match(r"[a-z]+:", link)]


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document):
    broken = set()
    for link in links(document):
        path, _, anchor = link.partition("#")
        target = (ROOT / document).parent / path if path else ROOT / document
        if not target.exists() or anchor and anchor not in anchors(target.resolve().relative_to(Path(ROOT).resolve())):
            broken.add(link)
    assert not broken


def test_headings_that_are_named_exist():
    """A comment or a document names a section as `page.md, "Heading"`."""
    pages = {Path(name).name: name for name in DOCUMENTS}
    broken = set()
    for path in TRACKED:
        text = re.sub(r"\s*\n\s*(?:///?|#|--)?\s*", " ", (ROOT / path).read_text(errors="ignore"))
        for page, heading in re.findall(r'([\w-]+\.md)(?:`|\]\([^)]*\))?, "([^"]+)"', text):
            if page in pages and slug(heading) not in anchors(pages[page]):
                broken.add(f'{path}: {page}, "{heading}"')
    assert not broken
