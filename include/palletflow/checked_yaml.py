"""Reads a YAML file and checks it against a JSON schema, so that a typing slip is found before it costs a night."""

import json
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import jsonschema
import yaml


class FileFault(Exception):
    """A settings file is missing, unreadable or breaks its schema. `faults` has one sentence a fault."""

    def __init__(self, path: Path, faults: list[str]) -> None:
        self.path, self.faults = path, faults
        super().__init__(f"{path}: " + "; ".join(faults))


class _Loader(yaml.SafeLoader):
    """Keys stay text as written and numbers with leading zeros stay text: depot 012 is no octal ten."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        mapping: dict[Hashable, Any] = {}
        for key_node, value_node in node.value:
            key = key_node.value
            if key in mapping:
                raise yaml.constructor.ConstructorError(None, None, f"'{key}' stands twice", key_node.start_mark)
            mapping[key] = self.construct_object(value_node, deep=True)
        return mapping


# Of YAML's guesses only these are wanted: dates, octal and sexagesimal numbers stay text.
WANTED = ("tag:yaml.org,2002:null", "tag:yaml.org,2002:bool")
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag in WANTED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _Loader.construct_mapping)


def load(path: Path, schema: Path) -> Any:
    """The file's content as dicts, lists, text, booleans and None; numbers are text and checked as such.

    Raises FileFault, which lists every fault at once.
    """
    content = read(path)
    faults = check(content, schema)
    if faults:
        raise FileFault(path, faults)
    return content


def read(path: Path) -> Any:
    """The file's content, unchecked. Raises FileFault."""
    try:
        return yaml.load(path.read_text("utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise FileFault(path, [f"cannot be read: {error.strerror}"]) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise FileFault(path, [f"is not YAML: {' '.join(str(error).split())}"]) from error


def check(content: Any, schema: Path) -> list[str]:
    """One sentence for each place where the content breaks the schema."""
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text("utf-8")))
    return [_sentence(error) for error in sorted(validator.iter_errors(content), key=lambda error: list(error.path))]


def _sentence(error: jsonschema.ValidationError) -> str:
    place = ".".join(map(str, error.path)) or "top level"
    schema = error.schema
    if error.validator == "additionalProperties" and isinstance(schema, dict) and isinstance(error.instance, dict):
        known = schema.get("properties", {})
        unknown = sorted(key for key in error.instance if key not in known)
        return f"{place}: unknown key {', '.join(map(repr, unknown))}; known here: {', '.join(sorted(known))}"
    return f"{place}: {error.message}"
