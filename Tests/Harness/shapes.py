"""Compares an answer with an example from the API's documentation: same fields, same kinds of value."""

import re

# Strings whose form the example shows; what an answer has in the same place must have it too.
_FORMS = [
    ("a time in UTC", re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")),
    ("a UUID", re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")),
    ("a checksum", re.compile(r"sha256:[0-9a-f]{64}")),
    ("a URL", re.compile(r"https?://[^\s/]+")),
]


def assert_like(value: object, example: object, place: str = "answer") -> None:
    """`value` has every field of `example`, and each is of the example's kind.

    A list's elements are all compared with the example's first. An example's `1.0` stands for any number, its `1` for
    a whole one, its `None` for anything.
    """
    match example:
        case dict():
            assert isinstance(value, dict), f"{place} is {value!r}, not an object"
            missing = example.keys() - value.keys()
            assert not missing, f"{place} has no {', '.join(sorted(missing))}"
            for key, part in example.items():
                assert_like(value[key], part, f"{place}.{key}")
        case list():
            assert isinstance(value, list), f"{place} is {value!r}, not a list"
            for index, element in enumerate(value):
                assert_like(element, example[0], f"{place}[{index}]")
        case bool() | str():
            assert type(value) is type(example), f"{place} is {value!r}, not like {example!r}"
            if isinstance(example, str):
                _assert_form(value, example, place)
        case int():
            assert type(value) is int, f"{place} is {value!r}, not a whole number"
        case float():
            assert type(value) in (int, float), f"{place} is {value!r}, not a number"


def _assert_form(value: str, example: str, place: str) -> None:
    for name, form in _FORMS:
        if form.fullmatch(example):
            assert form.fullmatch(value), f"{place} is {value!r}, not {name}"
