"""The configuration: which keys there are (`tree`), what checks values against them (`keys`), where values come from.

tree ◄─ keys ◄─ layers (files, environment and flags; who set what)        text: sets one value in a file's text
"""

from assistant.config.tree import Config, Listen, Paths, Plugins, Recognize, Speak, Wake

__all__ = ["Config", "Listen", "Paths", "Plugins", "Recognize", "Speak", "Wake"]
