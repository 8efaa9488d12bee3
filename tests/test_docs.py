"""The pages under docs/ keep up with the program: what is generated is current, what is named exists."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from assistant.cli.main import build_parser, leaf_parsers
from assistant.cli.reference import pages
from assistant.cli.verbs import VERBS
from assistant.config.keys import KEYS, SECTIONS

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("assistant", "benchmarks", "convert", "tests")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])


def test_generated_pages_are_current() -> None:
    stale = [name for name, text in pages().items() if (ROOT / "docs" / name).read_text(encoding="utf-8") != text]
    assert not stale, f"run `make docs`: {', '.join(stale)}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_inside_the_repository_lead_somewhere(page: Path) -> None:
    prose = re.sub(r"^```.*?^```|`[^`\n]*`", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", prose)
    inside = [target for target in targets if "://" not in target and not target.startswith("mailto:")]
    assert [target for target in inside if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_to_a_section_lead_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^):\s]*)#([^)\s]+)\)", page.read_text(encoding="utf-8"))
    assert [
        (target, name) for target, name in links if name not in sections(page.parent / target if target else page)
    ] == []


def sections(page: Path) -> set[str]:
    """The names of a page's sections as links have them: small, without signs, hyphens for spaces."""
    prose = re.sub(r"^```.*?^```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.*)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_in_the_pages_exist(page: Path) -> None:
    named = set(re.findall(r"`([\w/]+\.py)`", page.read_text(encoding="utf-8")))
    modules = [f"/{path.relative_to(ROOT)}" for top in PACKAGES for path in (ROOT / top).rglob("*.py")]
    assert [name for name in named if not any(module.endswith(f"/{name}") for module in modules)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_in_the_pages_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    named = re.findall(r"(?:^|`|\$ )assistant ([a-z][a-z-]*)", text, flags=re.MULTILINE)
    assert [verb for verb in named if verb not in {*VERBS, "help"}] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_and_configuration_keys_in_the_pages_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"(?:`|^    |^)make ([a-z0-9-]+)", text, flags=re.MULTILINE)) <= targets
    keys = set(re.findall(rf"`((?:{'|'.join(SECTIONS)})\.[a-z_]+)`", text))
    assert keys - set(KEYS) - set(files_of_the_package()) == set()


def test_the_page_about_the_house_shows_every_room() -> None:
    page = (ROOT / "docs/architecture.md").read_text(encoding="utf-8")
    rooms = [
        f"{path.name}/" if path.is_dir() else path.name
        for path in (ROOT / "assistant").iterdir()
        if path.suffix in ("", ".py") and not path.name.startswith("__")
    ]
    assert [room for room in rooms if not re.search(rf"(^|\s){re.escape(room)}[\s:]", page)] == []


def files_of_the_package() -> list[str]:
    """`config.py` and the like, which read as keys."""
    return [f"{path.stem}.{path.suffix[1:]}" for path in (ROOT / "assistant").rglob("*.*")]


def test_every_option_is_explained() -> None:
    parser = build_parser(list(VERBS))
    unexplained = [
        f"{leaf.prog} {'/'.join(action.option_strings) or action.dest}"
        for leaf in leaf_parsers(parser)
        for action in leaf._actions
        if not action.help
    ]
    assert unexplained == []
