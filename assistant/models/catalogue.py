"""Which models there are: where each comes from, what it must hash to, under which licence it is.

A model is either an archive that `pull` fetches, or comes inside a Python package that pip installs.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from functools import cache
from importlib import resources
from typing import Annotated

import msgspec
import yaml
from msgspec import Meta, Struct

from assistant.errors import ModelError

Sha256 = Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]
ModelName = Annotated[str, Meta(pattern=r"^[a-z0-9][a-z0-9-]*$")]


class Archive(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A ZIP to fetch.

    size, sha256: of the ZIP. root: its top folder, which is stripped. unpacked_max: bytes it may unpack to.
    files: what must be in it.
    """

    url: Annotated[str, Meta(pattern=r"^https?://")]
    size: Annotated[int, Meta(gt=0)]
    sha256: Sha256
    root: str
    unpacked_max: Annotated[int, Meta(gt=0)]
    files: tuple[str, ...]


class Package(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A model inside a Python package. folder: below site-packages. files: path below `folder` to SHA-256."""

    distribution: str
    version: str
    folder: str
    files: dict[str, Sha256]


class Model(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One entry; exactly one of `archive` and `package` is set.

    engine: which recogniser loads it. language: BCP 47. licence: SPDX. home: where it is described.
    """

    name: ModelName
    engine: str
    language: str
    about: str
    licence: str
    home: str
    archive: Archive | None = None
    package: Package | None = None

    def __post_init__(self) -> None:
        if (self.archive is None) == (self.package is None):
            raise ValueError(f"model {self.name}: give an archive or a package")


def read_catalogue(text: str) -> Mapping[str, Model]:
    """The catalogue in YAML. Raises ModelError that names the field that is wrong."""
    try:
        models = msgspec.convert(yaml.safe_load(text), list[Model])
    except (yaml.YAMLError, msgspec.ValidationError, ValueError) as error:
        reason = re.sub(r"\s+", " ", str(error))
        raise ModelError(f"cannot be read ({reason})", where="model catalogue", remedy="correct it") from error
    return {model.name: model for model in models}


@cache
def catalogue() -> Mapping[str, Model]:
    """The models that come with this version, by name."""
    return read_catalogue(resources.files(__package__).joinpath("catalogue.yaml").read_text(encoding="utf-8"))


def find_model(name: str, models: Mapping[str, Model] | None = None) -> Model:
    """The entry called `name`. Raises ModelError with the nearest name."""
    models = catalogue() if models is None else models
    if name not in models:
        near = difflib.get_close_matches(name, list(models), n=1)
        hint = f"did you mean '{near[0]}'?" if near else "see `assistant models list`"
        raise ModelError(f"no model is called '{name}'", remedy=hint)
    return models[name]


def model_for(engine: str, language: str, models: Mapping[str, Model] | None = None) -> Model:
    """The first model of `engine` for `language` (BCP 47). Raises ModelError that names the languages there are."""
    models = catalogue() if models is None else models
    of_engine = [model for model in models.values() if model.engine == engine]
    wanted = language.lower().split("-", maxsplit=1)[0]
    for model in of_engine:
        if model.language == wanted:
            return model
    languages = ", ".join(sorted({model.language for model in of_engine})) or "none"
    raise ModelError(
        f"{engine} has no model for language '{language}'",
        remedy=f"languages with one: {languages}; or give the folder of a model of your own",
    )
