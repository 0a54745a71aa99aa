"""How two names differ that a reader may take for the same."""

import unicodedata

_MAX_DIFFERENT = 3  # characters; names that differ in more do not look alike
# ASCII characters that look alike in many typefaces.
_ASCII_LOOK_ALIKES = (frozenset("lI1|"), frozenset("O0"), frozenset("-_"), frozenset(" _"))


def name_difference(first: str, second: str) -> str:
    """A sentence about how two different names differ, if they look alike. Else ""."""
    if first == second:
        return ""
    one, other = unicodedata.normalize("NFC", first), unicodedata.normalize("NFC", second)
    if one == other:
        return "The two names differ only in how their accents are encoded (Unicode NFC and NFD)"
    if one.casefold() == other.casefold():
        return "The two names differ only in upper and lower case"
    if " ".join(one.split()) == " ".join(other.split()) and one.split(" ") != other.split(" "):
        return "The two names differ only in their spaces"
    if len(one) != len(other):
        return ""
    different = [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]]
    if len(different) > _MAX_DIFFERENT or not all(_look_alike(*pair) for pair in different):
        return ""
    here, there = map(_character, different[0])
    return f"The two names look alike, but the first has {here} where the second has {there}"


def _look_alike(one: str, other: str) -> bool:
    """Characters of two scripts, or ASCII characters that are easily confused."""
    if one.isascii() and other.isascii():
        return any({one, other} <= group for group in _ASCII_LOOK_ALIKES)
    return True


def _character(character: str) -> str:
    name = unicodedata.name(character, "")
    return f"U+{ord(character):04X}{f' ({name.lower()})' if name else ''}"
