"""What comments cite is in the repository: a numbered heading of a family's README, no text that lies elsewhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
CITED = re.compile(r"(?:tasks/(\w+)/)?README(?:\.md)? (\d+)")


ROOMS = ("benchmarks", "metrics", "models", "orchestrator", "tasks", "tests")


def texts(*endings: str) -> dict[str, str]:
    """What the files of all rooms say, by their path in the repository."""
    files = [file for room in ROOMS for file in (ROOT / room).rglob("*") if file.suffix in endings]
    return {file.relative_to(ROOT).as_posix(): file.read_text("utf-8") for file in files}


def family_of(file: str) -> str | None:
    """The family whose README `README 3` is in a file: that of its folder."""
    match = re.match(r"(?:tests/)?tasks/(\w+)/", file)
    return match[1] if match else None


def test_every_cited_heading_of_a_familys_readme_is_there():
    headings = {
        file.split("/")[1]: set(re.findall(r"^#+ (\d+)", text, re.M))
        for file, text in texts(".md").items()
        if re.fullmatch(r"tasks/\w+/README.md", file)
    }
    assert set(headings) == {"attention", "deepscale", "squad", "transfer", "transient_chaos"}
    cited = [
        (file, match[0], match[1] or family_of(file), match[2])
        for file, text in texts(".py", ".md").items()
        for match in CITED.finditer(text)
        if file != "tests/test_citations.py"
    ]
    assert len(cited) > 100
    assert not [(file, text) for file, text, family, number in cited if number not in headings.get(family or "", ())]


def test_no_text_that_is_not_here_is_cited():
    elsewhere = re.compile(r"\b(?:transient_chaos|transfer_analysis|squad_probes|dslm|attention_dynamics) \d")
    assert [file for file, text in texts(".py", ".md").items() if elsewhere.search(text)] == []
