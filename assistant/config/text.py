"""Sets one value in the text of a configuration file; comments, order and everything else stay as they are."""

from __future__ import annotations

import yaml


def with_value(text: str, key: str, value: str) -> str:
    """`text` with the dotted `key` (SECTION.NAME) set to `value`. Raises yaml.YAMLError when `text` is no YAML."""
    section, _, name = key.partition(".")
    written = yaml.safe_dump(value, default_flow_style=True).split("\n")[0]
    found = _child(yaml.compose(text, Loader=yaml.SafeLoader), section)
    if found is None:
        lines = [text.rstrip("\n"), f"{section}:\n  {name}: {written}\n"]
        return "\n".join(filter(None, lines))
    head, body = found
    old = _child(body, name)
    if old is not None:
        start, end = old[1].start_mark.index, old[1].end_mark.index
        return text[:start] + written + text[end:]
    if isinstance(body, yaml.MappingNode) and body.value and not body.flow_style:
        first = body.value[0][0].start_mark
        return f"{text[: first.index]}{name}: {written}\n{' ' * first.column}{text[first.index :]}"
    if isinstance(body, yaml.MappingNode) and body.flow_style:
        inside = body.start_mark.index + 1
        more = ", " if body.value else ""
        return f"{text[:inside]}{name}: {written}{more}{text[inside:]}"
    end = head.end_mark.index + 1  # a section without anything in it: `understand:`
    return f"{text[:end]}\n  {name}: {written}{text[end:]}"


def _child(node: yaml.Node | None, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    """Key and value nodes of `name` in a mapping."""
    if not isinstance(node, yaml.MappingNode):
        return None
    return next(((key, value) for key, value in node.value if getattr(key, "value", None) == name), None)
