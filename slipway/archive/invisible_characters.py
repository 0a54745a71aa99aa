"""Characters that are invisible in a name, or that change how the text around them is displayed.

One table for two uses: names in archives that contain such a character are rejected (slipway/archive/member_names.py),
and messages and pages show it escaped. Two names that differ only in such a character look the same.
"""

import re

_RANGES = (
    "\x00-\x1f\x7f-\x9f",  # controls (C0 and C1), NUL among them
    "\u2028\u2029",  # line and paragraph separators
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069",  # direction marks (Unicode TR36, bidirectional text spoofing)
    # Default_Ignorable_Code_Point (Unicode 16, DerivedCoreProperties.txt): zero-width characters, joiners, fillers,
    # variation selectors and tags. Programs that render text show nothing for them.
    "\u00ad\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff",
    "\uffa0\ufff0-\ufff8\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff",
    "\ufff9-\ufffb",  # interlinear annotation
)
INVISIBLE = re.compile(f"[{''.join(_RANGES)}]")


def escape_invisible(text: str) -> str:
    """The text with these characters as Python writes them, such as `\\u202e`."""
    return INVISIBLE.sub(lambda found: found.group().encode("unicode_escape").decode("ascii"), text)
