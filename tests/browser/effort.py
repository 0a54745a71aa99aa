"""What a job takes: clicks and fields, counted while a test does the job, compared with the table in
docs/dashboard.md."""

from __future__ import annotations

import re
from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.conftest import ROOT

TABLE = ROOT / "docs" / "dashboard.md"
_ROW = re.compile(r"^\| (?P<job>[^|]+) \| (?P<start>[^|]+) \| (?P<clicks>\d+) \| (?P<fields>\d+) \|$", re.MULTILINE)

# Pressing Enter counts as a click. Checkboxes and radio buttons are clicks, not fields. Playwright chooses options
# and files, and drops files, by events of its own. A press that hits another element than the test meant, because the
# page just moved, is stopped by Playwright at the window and repeated: it does not reach the document.
_LISTEN = """(() => {
    if (window.listensToEffort) return;
    window.listensToEffort = true;
    const report = (kind, name = "") => window.reportEffort(kind, name);
    document.addEventListener("pointerdown", (event) => {
        if (!event.isTrusted || event.button !== 0) return;
        report("click");
        if (scrollY > 0) report("scrolled", event.target.textContent.trim());
    }, true);
    addEventListener("keydown", (event) => { if (event.isTrusted && event.key === "Enter") report("click"); }, true);
    addEventListener("drop", () => report("field", "dropped files"), true);
    addEventListener("input", ({ isTrusted, target }) => {
        if (["checkbox", "radio"].includes(target.type)) return;
        if (isTrusted || target.type === "file" || target.matches("select")) report("field", target.id || target.name);
    }, true);
})()"""


def documented_efforts() -> dict[str, tuple[int, int]]:
    """Clicks and fields of each job in the table."""
    return {row["job"]: (int(row["clicks"]), int(row["fields"])) for row in _ROW.finditer(TABLE.read_text())}


class Effort:
    """Counts what a person does in the pages of one or more browsers, over page loads."""

    def __init__(self, *contexts: BrowserContext) -> None:
        self.clicks = self.fields = 0
        self.below_fold: list[str] = []
        self._last_field = ""
        for context in contexts:
            self.listen(context)

    def listen(self, context: BrowserContext) -> None:
        """Count in the open pages of this browser too, and in those it opens later."""
        context.expose_binding("reportEffort", self._record)
        context.add_init_script(_LISTEN)
        for page in context.pages:
            page.evaluate(_LISTEN)

    def begin(self, page: Page) -> None:
        """The job begins here; what came before, such as signing in, does not count."""
        page.evaluate("0")  # every earlier report has arrived
        self.clicks = self.fields = 0
        self.below_fold.clear()
        self._last_field = ""

    def assert_documented(self, job: str, page: Page, *, has_long_form: bool = False) -> None:
        """The job took exactly what the table says, and all its clicks but those below a long form were on the first
        screenful of their pages."""
        page.evaluate("0")
        counted = (self.clicks, self.fields)
        assert counted == documented_efforts()[job], f"{job}: {self.clicks} clicks and {self.fields} fields"
        assert has_long_form or not self.below_fold, f"{job}: the page was scrolled to {self.below_fold}"

    def _record(self, _: Any, kind: str, name: str) -> None:
        """Letters typed one after another are one field. A field that is changed after a click counts again."""
        if kind == "click":
            self.clicks += 1
            self._last_field = ""
        elif kind == "scrolled":
            self.below_fold.append(name)
        elif name != self._last_field:
            self.fields += 1
            self._last_field = name
