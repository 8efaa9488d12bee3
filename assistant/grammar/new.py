"""The context that `assistant context new` writes: small, complete, and passing its own tests."""

from __future__ import annotations

from pathlib import Path

from assistant.errors import StorageError

_FILES = {
    "context.yaml": """\
name: {name}
language: en

# Other ways in which a recognizer may write a word (digits and hyphens need no mention):
# spellings: {{iced: [ice]}}
""",
    "sentences/kettle.yaml": """\
# What can be said.  (a|b) one of them, [a] may be left out, (a;b) in any order, {{list}} or {{list:slot}}, <rule>
language: en

intents:
  MakeTea:
    data:
      - sentences:
          - "<make> [a|some] {{tea}} tea [with {{extra}}]"
  BoilWater:
    data:
      - sentences:
          - "boil {{cups}} cup[s] of water"
          - "heat the water to {{temperature}}( degrees|°)"

expansion_rules:
  make: "(make|brew)"

lists:
  tea:
    values:
      - green
      - black
      - {{in: "(pepper|)mint", out: mint}}
  extra:
    values: [milk, lemon, honey]
  cups:
    range: {{from: 1, to: 8}}
  temperature:
    range: {{from: 60, to: 100, step: 5}}
""",
    "responses/kettle.yaml": """\
# What is answered.  {{slot}}, {{slot:noun}} with its plural, [only if its slots are known],
# (the first that is known|else)
language: en

responses:
  intents:
    MakeTea:
      default: "One {{tea}} tea[ with {{extra}}], coming up."
    BoilWater:
      default: "Heating ({{cups:cup}} of water|the water to {{temperature}} degrees)."
""",
    "actions.yaml": """\
# What is done: intent → skill. `risk: confirm` asks before acting.
MakeTea: {{skill: say}}
BoilWater: {{skill: say}}
""",
    "tests.yaml": """\
# What must be understood, and what must not: `assistant context test {name}`
- {{text: make some green tea with honey, intent: MakeTea, slots: {{tea: green, extra: honey}}}}
- {{text: brew peppermint tea, intent: MakeTea, slots: {{tea: mint}}}}
- {{text: boil two cups of water, intent: BoilWater, slots: {{cups: 2}}}}
- {{text: heat the water to 80 degrees, intent: BoilWater, slots: {{temperature: 80}}}}
- {{text: make some green coffee, intent: null}}
""",
}


def write_new_context(folder: Path) -> tuple[Path, ...]:
    """Write the files into `folder` and return their paths. Raises StorageError if something is there already."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise StorageError("is there already", where=str(folder), remedy="choose a new folder")
    written = []
    try:
        for name, text in _FILES.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text.format(name=folder.resolve().name), encoding="utf-8")
            written.append(path)
    except OSError as error:
        raise StorageError(f"cannot be written: {error.strerror}", where=str(folder)) from None
    return tuple(written)
