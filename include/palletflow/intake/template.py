"""Import templates: which wire field becomes which field of a consignment, as data.

Each network ships a `template.yaml`; a deployment can lay its own file over it, key by key, without touching code.
A template is checked twice: against the published schema (template.schema.json) and against the wire fields that the
network's contract knows, so that a wrong path is found when it is written and not as a field that stays empty.

A path names a wire field: `serviceName`, `collectionAddress.postcode`, `notes[].value` (all elements),
`datesAndTimes[dateTimeType=COLD].value` (the first element with that value). Case does not matter. Where a network may
call a field by several names, a list of paths stands in place of one: the first that has a value counts. An empty list
says that the network sends it nowhere.
"""

import difflib
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal, InvalidOperation
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, NamedTuple

from palletflow import checked_yaml
from palletflow.checked_yaml import FileFault

SCHEMA = Path(__file__).with_name("template.schema.json")
IMPORT_PARTS = frozenset(json.loads(SCHEMA.read_text("utf-8"))["properties"])
STEP = re.compile(r"(?P<name>\w+)(?:\[(?:(?P<key>\w+)=(?P<value>[^\]]*))?(?P<list>\])|$)")
LONGEST_TEXT = 500
MOST_PALLETS = 99

Record = Mapping[str, Any]
Getter = Callable[[Record], Any]


class Fault(NamedTuple):
    """Why a record cannot become a consignment: reason code, wire field, and a sentence for the person who mends it."""

    code: str
    field: str
    reason: str


class Reading(NamedTuple):
    """What a template made of a record: values by field of ours, faults that reject it, warnings that do not."""

    values: dict[str, Any]
    faults: list[Fault]
    warnings: list[str]


class _Refused(Exception):
    """A value that cannot be read; `code` is the reason code."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


class Template:
    """A compiled template.

    `codes` holds its code tables, `sections` what the network itself keeps in the file beside the import, by name;
    `places` the paths of each field of ours; `digest` changes whenever the content does.
    """

    def __init__(self, content: Mapping[str, Any], kinds: Mapping[str, str]) -> None:
        """`kinds` says for each field of ours how its text is read; see READERS."""
        self.codes: Mapping[str, Mapping[str, Any]] = content["codes"]
        self.sections: Mapping[str, Any] = {name: part for name, part in content.items() if name not in IMPORT_PARTS}
        self.aliases: Mapping[str, str] = {
            alias.casefold(): name.casefold()
            for name, aliases in content["response_aliases"].items()
            for alias in aliases
        }
        self.unknown_account_is_rejected = content["customer"]["unknown_account"] == "reject"
        self.digest = hashlib.sha256(json.dumps(content, sort_keys=True).encode()).digest()
        self.places: Mapping[str, list[str]] = {name: places(spec) for name, spec in content["fields"].items()}
        self._getters = {name: places_getter(spec, kinds[name]) for name, spec in content["fields"].items()}
        self._fields = [
            (
                name,
                shown(spec),
                self._getters[name],
                READERS[kinds[name]](spec, self.codes.get(spec.get("codes", ""), {})),
                spec.get("required", False),
            )
            for name, spec in content["fields"].items()
        ]

    def find(self, name: str, record: Record) -> Any:
        """What stands in a folded record for a field of ours, unread; "" (or []) when nothing does."""
        return self._getters[name](record)

    def read(self, record: Record) -> Reading:
        """Reads every field of a folded record (lower-case keys, trimmed text); faults are collected, not raised."""
        values: dict[str, Any] = {}
        faults: list[Fault] = []
        warnings: list[str] = []
        for name, path, get, read, required in self._fields:
            try:
                value = read(get(record), warnings)
            except _Refused as refused:
                faults.append(Fault(refused.code, path, f"{path}: {refused}"))
                continue
            if required and not value:
                faults.append(Fault("MISSING_VALUE", path, f"{path}: is required and is empty or absent"))
            values[name] = value
        return Reading(values, faults, warnings)


def load(
    shipped: Path, override: Path | None, kinds: Mapping[str, str], wire_fields: frozenset[str], sections: Path
) -> Template:
    """Loads a network's template with the deployment's own laid over it.

    `wire_fields`: every path of the contract, lower case, list brackets left out. `sections`: JSON schema of what the
    network keeps in the file beside the import. Raises FileFault with all faults.
    """
    content = checked_yaml.read(shipped)
    if override is not None:
        content = _laid_over(content, checked_yaml.read(override) or {})
    file = override or shipped
    faults = _breaches(content, sections)
    if not faults:
        faults = [*_unknown_targets(content, kinds), *_wrong_paths(content, wire_fields), *_wrong_tables(content)]
    if not faults:
        faults = list(_unusable(content, kinds))
    if faults:
        raise FileFault(file, faults)
    return Template(content, kinds)


def _breaches(content: Any, sections: Path) -> list[str]:
    """What breaks the schema of the import, or that of the network's own sections."""
    if not isinstance(content, dict):
        return checked_yaml.check(content, SCHEMA)
    own = json.loads(sections.read_text("utf-8"))["properties"]
    imports = {name: part for name, part in content.items() if name not in own}
    return [
        *checked_yaml.check(imports, SCHEMA),
        *checked_yaml.check({name: part for name, part in content.items() if name in own}, sections),
    ]


def _laid_over(base: Any, over: Any) -> Any:
    if isinstance(base, dict) and isinstance(over, dict):
        return {**base, **{key: _laid_over(base.get(key), value) for key, value in over.items()}}
    return over


def _unknown_targets(content: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterable[str]:
    for name in content["fields"]:
        if name not in kinds:
            yield f"fields.{name}: is no field of a consignment;{_near(name, kinds)}"
    for name in kinds:
        if name not in content["fields"]:
            yield f"fields.{name}: is missing"


def _wrong_paths(content: Mapping[str, Any], wire_fields: frozenset[str]) -> Iterable[str]:
    known = wire_fields | {name.casefold() for name in content["extra_fields"]}
    for name, spec in content["fields"].items():
        for path in places(spec):
            plain = re.sub(r"\[[^\]]*\]", "", path).casefold()
            if plain not in known:
                yield (
                    f"fields.{name}.path: the network sends no field '{path}';{_near(plain, known)}"
                    " a field only your account has goes under extra_fields first"
                )


def _wrong_tables(content: Mapping[str, Any]) -> Iterable[str]:
    for name, spec in content["fields"].items():
        if "codes" in spec and spec["codes"] not in content["codes"]:
            yield f"fields.{name}.codes: there is no table '{spec['codes']}' under codes"


def _unusable(content: Mapping[str, Any], kinds: Mapping[str, str]) -> Iterable[str]:
    for name, spec in content["fields"].items():
        wants_list = kinds[name] in OF_LISTS
        if any(("[]" in path) is not wants_list for path in places(spec)):
            yield f"fields.{name}.path: {'must' if wants_list else 'must not'} name all elements of a list with []"
        if spec.get("required") and not places(spec):
            yield f"fields.{name}.path: is required, so it needs a place in the record"
        try:
            places_getter(spec, kinds[name])
            READERS[kinds[name]](spec, {})
        except KeyError as error:
            yield f"fields.{name}: needs {error}"
        except (ValueError, InvalidOperation, re.error) as error:
            yield f"fields.{name}: cannot be used ({error})"


def _near(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, list(known), n=1)
    return f" did you mean '{near[0]}'?" if near else ""


# Paths


def places(spec: Mapping[str, Any]) -> list[str]:
    """The paths of a field, the one that counts first in front."""
    path = spec["path"]
    return [path] if isinstance(path, str) else path


def shown(spec: Mapping[str, Any]) -> str:
    """The paths of a field as a person reads them."""
    return " or ".join(places(spec))


def places_getter(spec: Mapping[str, Any], kind: str) -> Getter:
    """The function that gives what stands at the first path of a field that has a value."""
    return first_filled(places(spec), [] if kind in OF_LISTS else "")


def first_filled(paths: Sequence[str], nothing: Any = "") -> Getter:
    """Compiles paths into a function that gives what stands at the first that has a value; `nothing` without one."""
    getters = [getter(path) for path in paths]
    return getters[0] if len(getters) == 1 else partial(_first_filled, getters, nothing)


def _first_filled(getters: list[Getter], nothing: Any, record: Record) -> Any:
    for get in getters:
        value = get(record)
        if any(value) if isinstance(value, list) else value:
            return value
    return nothing


def getter(path: str) -> Getter:
    """Compiles a path into a function that gives the value in a folded record; "" (or []) when it is not there."""
    name, *rest = path.split(".", 1)
    step = STEP.fullmatch(name)
    if step is None:
        raise ValueError(f"'{path}' is not a path")
    key = step["name"].casefold()
    after = getter(rest[0]) if rest else None
    if step["list"] is None:
        return partial(_part, key, after) if after else partial(_value, key)
    if step["key"]:
        return partial(_first, key, step["key"].casefold(), step["value"].casefold(), after)
    return partial(_all, key, after)


def _value(key: str, record: Record) -> Any:
    return record.get(key, "")


def _part(key: str, after: Getter, record: Record) -> Any:
    inner = record.get(key)
    return after(inner) if isinstance(inner, dict) else ""


def _first(key: str, by: str, wanted: str, after: Getter | None, record: Record) -> Any:
    for element in _elements(record, key):
        if str(element.get(by, "")).casefold() == wanted:
            return after(element) if after else element
    return ""


def _all(key: str, after: Getter | None, record: Record) -> list[Any]:
    return [after(element) if after else element for element in _elements(record, key)]


def _elements(record: Record, key: str) -> list[dict[str, Any]]:
    elements = record.get(key)
    return [element for element in elements if isinstance(element, dict)] if isinstance(elements, list) else []


# Readers. Each makes, from a field's spec and code table, the function that reads its values (and adds warnings).
# That function raises _Refused.

Read = Callable[[Any, list[str]], Any]


def _text(spec: Mapping[str, Any], _table: Mapping[str, Any]) -> Read:
    default, longest = spec.get("default", ""), int(spec.get("max_length", LONGEST_TEXT))
    matches = re.compile(spec["pattern"]).fullmatch if "pattern" in spec else None
    means = spec.get("means") or f"of the form {spec.get('pattern')}"
    code = spec.get("reason_code", "BAD_FORMAT")

    def read(value: Any, _warnings: list[str]) -> str:
        if not isinstance(value, str):
            raise _Refused("BAD_FORMAT", f"must be one value, not {json.dumps(value, default=str)[:60]}")
        if not value:
            return str(default)
        if not (value.isascii() or _is_text(value)) or "\x00" in value:
            raise _Refused("BAD_FORMAT", "holds a character that is no text (NUL or half a surrogate pair)")
        if len(value) > longest:
            raise _Refused("TOO_LONG", f"has {len(value)} characters, at most {longest} fit")
        if matches and not matches(value):
            raise _Refused(code, f"'{value}' is not {means}")
        return value

    return read


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _code(spec: Mapping[str, Any], table: Mapping[str, Any]) -> Read:
    text, path = _text(spec, table), shown(spec)

    def read(value: Any, warnings: list[str]) -> str:
        code: str = text(value, warnings)
        if code and code not in table:
            warnings.append(f"{path}: unknown code '{code}' kept as it came")
        return _read_as(table, code)

    return read


def _codes(spec: Mapping[str, Any], table: Mapping[str, Any]) -> Read:
    text, path = _text(spec, table), shown(spec)

    def read(value: Any, warnings: list[str]) -> list[str]:
        codes = text(value, warnings).split()
        warnings.extend(f"{path}: unknown code '{code}' kept as it came" for code in codes if code not in table)
        return [_read_as(table, code) for code in codes]

    return read


def _read_as(table: Mapping[str, Any], code: str) -> str:
    return str(table[code].get("read_as", code)) if code in table else code


def _elements_of(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise _Refused("BAD_FORMAT", "must be a list")
    return value


def _texts(spec: Mapping[str, Any], table: Mapping[str, Any]) -> Read:
    text = _text(spec, table)

    def read(value: Any, warnings: list[str]) -> list[str]:
        return [found for found in (text(element, warnings) for element in _elements_of(value)) if found]

    return read


def _decimal(spec: Mapping[str, Any], table: Mapping[str, Any]) -> Read:
    text, least, most = _text(spec, table), Decimal(spec["least"]), Decimal(spec["most"])

    def read(value: Any, warnings: list[str]) -> Decimal | None:
        found = text(value, warnings)
        if not found:
            return None
        try:
            number = Decimal(found)
        except InvalidOperation:
            raise _Refused("BAD_FORMAT", f"'{found}' is not a number") from None
        if not number.is_finite() or not least <= number <= most:
            raise _Refused("BAD_FORMAT", f"'{found}' is not between {least} and {most}")
        return number

    return read


def _whole(spec: Mapping[str, Any], table: Mapping[str, Any]) -> Read:
    decimal = _decimal(spec, table)

    def read(value: Any, warnings: list[str]) -> int | None:
        number = decimal(value, warnings)
        if number is None:
            return None
        if number != number.to_integral_value():
            raise _Refused("BAD_FORMAT", f"'{number}' is not a whole number")
        return int(number)

    return read


def _date(spec: Mapping[str, Any], table: Mapping[str, Any]) -> Read:
    text, forms = _text(spec, table), spec["formats"]

    def read(value: Any, warnings: list[str]) -> date | None:
        found = text(value, warnings)
        if not found:
            return None
        for form in forms:
            day = _day(found, form)
            if day is None:
                continue
            if not 2000 <= day.year <= 2100:
                raise _Refused("BAD_FORMAT", f"'{found}' is not a date of this century")
            return day
        raise _Refused("BAD_FORMAT", f"'{found}' is not a date of the form {' or '.join(forms)}")

    return read


@lru_cache(maxsize=1024)  # a pull has thousands of dates and few days
def _day(text: str, form: str) -> date | None:
    try:
        return datetime.strptime(text, form).date()  # noqa: DTZ007 - a calendar day has no zone
    except ValueError:
        return None


def _pallets(spec: Mapping[str, Any], table: Mapping[str, Any]) -> Read:
    """One type a pallet, from lines of type and count."""
    count = _whole({"least": "1", "most": str(MOST_PALLETS)}, table)
    pallet_type = _code({"path": spec["type"]}, table)
    type_key, count_key = spec["type"].casefold(), spec["count"].casefold()

    def read(value: Any, warnings: list[str]) -> list[str]:
        types: list[str] = []
        for line in _elements_of(value):
            kind = pallet_type(line.get(type_key, ""), warnings)
            if not kind:
                raise _Refused("MISSING_VALUE", f"a line has no {spec['type']}")
            types += [kind] * (count(line.get(count_key, ""), warnings) or 0)
        if len(types) > MOST_PALLETS:
            raise _Refused("BAD_FORMAT", f"{len(types)} pallets, at most {MOST_PALLETS} fit a consignment")
        return types

    return read


def _objects(_spec: Mapping[str, Any], _table: Mapping[str, Any]) -> Read:
    """The elements as they are: the network's mapper reads them."""

    def read(value: Any, _warnings: list[str]) -> list[Any]:
        return _elements_of(value)

    return read


# These read every element of a list.
OF_LISTS = ("texts", "pallets", "objects")
READERS: Mapping[str, Callable[[Mapping[str, Any], Mapping[str, Any]], Read]] = {
    "text": _text,
    "code": _code,
    "codes": _codes,
    "texts": _texts,
    "decimal": _decimal,
    "whole": _whole,
    "date": _date,
    "pallets": _pallets,
    "objects": _objects,
}
