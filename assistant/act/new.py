"""The skill that `assistant skill new` writes: a package of its own, small, working, and passing its own tests."""

from __future__ import annotations

import keyword
import re
from pathlib import Path

from assistant.act.plugins import OURS
from assistant.errors import StorageError, UsageError

_FILES = {
    "pyproject.toml": """\
[build-system]
requires = ["setuptools>=77"]
build-backend = "setuptools.build_meta"

[project]
name = "assistant-skill-{dashed}"
version = "0.1.0"
description = "A skill for the voice assistant"
requires-python = ">=3.10"
dependencies = ["assistant-voice"]

# This line is all that makes the assistant find it: name = "module:function that makes the skill".
[project.entry-points."assistant.skills"]
{name} = "assistant_skill_{name}:create"

[tool.setuptools]
packages = ["assistant_skill_{name}"]

[tool.pytest.ini_options]
pythonpath = ["."]
testpaths = ["tests"]
""",
    "assistant_skill_{name}/__init__.py": '''\
"""The skill "{name}": counts things, so that there is something to ask, to take back and to keep."""

from __future__ import annotations

import json
from pathlib import Path

from assistant.act.skill import Question, Request, Result, Services, asked, failed

MOST = 1000


class {title}:
    """Counts by name: "count two apples", "how many apples"."""

    name = "{name}"
    timeout_s = 2.0
    reversible = True  # whatever it does can be taken back

    def start(self, services: Services) -> None:
        """The folder `services.state` is the skill's own; what is in it is still there after a restart."""
        self._file: Path | None = services.state / "counts.json" if services.state else None
        self._counts: dict[str, int] = {{}}
        if self._file is not None and self._file.exists():
            self._counts = json.loads(self._file.read_text())

    def handle(self, request: Request) -> Result:
        """Called for each sentence whose intent actions.yaml gives to this skill."""
        thing = request.slots.get("thing")
        if thing is None:
            return asked("What shall I count?", Question("thing"))
        if request.intent == "HowMany":
            return Result({{"thing": thing, "count": self._counts.get(thing, 0)}})
        before = self._counts.get(thing, 0)
        count = before + int(request.slots.get("number", 1))
        if count > MOST:
            return failed(f"I can't count further than {{MOST}}.")
        self._keep(thing, count)
        return Result({{"thing": thing, "count": count}}, undo=lambda: self._back(thing, before))

    def _back(self, thing: str, before: int) -> Result:
        self._keep(thing, before)
        return Result(text=f"Back to {{before}} {{thing}}.")

    def _keep(self, thing: str, count: int) -> None:
        self._counts[thing] = count
        if self._file is not None:
            self._file.parent.mkdir(parents=True, exist_ok=True)
            self._file.write_text(json.dumps(self._counts))


def create() -> {title}:
    """The entry point: makes the skill."""
    return {title}()
''',
    "tests/test_{name}.py": '''\
"""What the skill does, without microphone, model or assistant."""

from __future__ import annotations

from pathlib import Path

from assistant.testing import HeldClock, check_skill, make_request
from assistant.act.skill import Services
from assistant_skill_{name} import create


def test_it_keeps_the_protocol(tmp_path: Path) -> None:
    requests = [make_request("Count", {{"thing": "figs", "number": 2}}), make_request("HowMany", {{"thing": "figs"}})]
    counted, asked = check_skill(create(), *requests, state=tmp_path)
    assert (counted.values["count"], asked.values["count"]) == (2, 2)


def test_what_was_counted_is_still_there_after_a_restart(tmp_path: Path) -> None:
    for expected in (3, 6):
        skill = create()
        skill.start(Services(HeldClock(), tmp_path))
        assert skill.handle(make_request("Count", {{"thing": "pears", "number": 3}})).values["count"] == expected


def test_without_a_thing_it_asks() -> None:
    (result,) = check_skill(create(), make_request("Count"))
    assert result.question is not None
    assert result.question.slot == "thing"


def test_too_much_is_refused_with_the_reason() -> None:
    (result,) = check_skill(create(), make_request("Count", {{"thing": "apples", "number": 2000}}))
    assert not result.ok
    assert "further" in result.text
''',
    "context/context.yaml": """\
name: {name}
language: en
""",
    "context/sentences/{name}.yaml": """\
language: en

intents:
  Count:
    data:
      - sentences: ["count {{number}} {{thing}}"]
  HowMany:
    data:
      - sentences: ["how many {{thing}}"]

lists:
  number:
    range: {{from: 1, to: 20}}
  thing:
    values: [apples, pears, plums]
""",
    "context/responses/{name}.yaml": """\
language: en

responses:
  intents:
    Count:
      default: "{{count}} {{thing}}."
    HowMany:
      default: "{{count}} {{thing}}."
""",
    "context/actions.yaml": """\
Count: {{skill: {name}}}
HowMany: {{skill: {name}}}
""",
    "context/tests.yaml": """\
- text: count two apples
  intent: Count
  slots: {{number: 2, thing: apples}}
- text: how many pears
  intent: HowMany
  slots: {{thing: pears}}
- text: count on me
  intent: null
""",
    "README.md": """\
# {title}

    pip install --editable .           # the assistant finds it now: `assistant plugins`
    python -m pytest                   # its tests
    assistant context test context     # the sentences that lead to it
    assistant say --context context "count two apples"

`context/` is a context of its own to try it with; copy what you need of it into yours.
""",
}


def write_new_skill(name: str, folder: Path) -> list[Path]:
    """Write the package into `folder`, which is new or empty; returns its files.

    Raises UsageError for a name that will not do, StorageError if the folder has something in it or cannot be written.
    """
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name) or keyword.iskeyword(name):
        raise UsageError(
            f"'{name}' cannot be a skill's name",
            where="skill new",
            remedy="use small letters, digits and _: coffee_maker",
        )
    if name in dict(OURS):
        raise UsageError(f"there is a skill '{name}' already", where="skill new", remedy="choose another name")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError("there is something already", where=str(folder), remedy="name a folder that is new or empty")
    words = {"name": name, "dashed": name.replace("_", "-"), "title": name.title().replace("_", "")}
    paths = []
    try:
        for relative, text in _FILES.items():
            path = folder / relative.format(**words)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(**words), encoding="utf-8")
            paths.append(path)
    except OSError as error:
        raise StorageError(
            error.strerror or str(error), where=str(folder), remedy="name a folder that you may write"
        ) from error
    return paths
