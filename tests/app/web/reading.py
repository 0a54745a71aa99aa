"""Reading pages as a person does: their words, and what their forms carry along."""

from __future__ import annotations

import html
import re
import shlex

from werkzeug.test import TestResponse

from app.data.extensions import db


def afresh() -> None:
    """Let the test read what requests have written since: it has a session of its own."""
    db.session.rollback()
    db.session.expire_all()


def plain(page: str) -> str:
    """The words of a page, in one line."""
    text = re.sub(r"<script.*?</script>|<style.*?</style>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(re.sub(r"<[^>]+>", " ", text)).replace("\u00a0", " "))


def one_line(page: str) -> str:
    """The HTML of a page with white space collapsed: templates spread long tags over several lines."""
    return re.sub(r"\s+", " ", page)


def number(page: str) -> str:
    """The number of a form that is answered once."""
    found = re.search(r'name="number" type="hidden" value="([^"]+)"', page)
    assert found, page
    return found[1]


def shown_secret(page: str, start: str) -> str | None:
    """The secret that a page shows, beginning with `start`, or None."""
    found = re.search(rf"<pre[^>]*>\s*(?:\S*/)?({start}_[\w-]{{20,}})\s*</pre>", page)
    return found[1] if found else None


def rows(page: str) -> list[str]:
    """The words of each row of the page's tables, heads left out."""
    return [
        plain(row).strip()
        for row in re.findall(r"<tr(?! role=\"row\"[^>]*>\s*<th role=\"columnheader\")[^>]*>.*?</tr>", page, re.DOTALL)
    ]


def errors(answer: TestResponse) -> list[str]:
    """What the focused summary of a refused form says, line by line."""
    assert answer.status_code in {422, 429}, answer.text
    summary = re.search(r'<div class="summary" id="summary" tabindex="-1" autofocus.*?</div>', answer.text, re.DOTALL)
    assert summary, answer.text
    return [plain(line).strip() for line in re.findall(r"<(?:h2|p|li)>.*?</(?:h2|p|li)>", summary[0])]


def curl(lines: list[str], secret: str) -> tuple[str, str, dict[str, str], bytes | None, str | None]:
    """(method, path, headers, body, file) of a command, read as a shell and curl would."""
    words = shlex.split("\n".join(lines).replace("\\\n", " ").replace("$SLIPWAY_KEY", secret))
    assert words.pop(0) == "curl"
    method, headers, body, file, url = "", {}, None, None, ""
    while words:
        word = words.pop(0)
        if word == "-X":
            method = words.pop(0)
        elif word == "-H":
            name, _, value = words.pop(0).partition(": ")
            headers[name] = value
        elif word == "-d":
            body = words.pop(0).encode()
        elif word == "-T":
            file = words.pop(0)
        else:
            url = word
    method = method or ("POST" if body is not None else "PUT" if file else "GET")
    return method, url.removeprefix("http://localhost"), headers, body, file


def breadcrumb(page: str) -> list[tuple[str, str]]:
    """(name, address) of each step of a page's breadcrumb; the address of the last, this page, is ""."""
    found = re.search(r'<nav class="crumb".*?</nav>', page, re.DOTALL)
    assert found, page
    steps = re.findall(r'<a href="([^"]+)">(.*?)</a>', found[0])
    current = re.findall(r'<span aria-current="page">(.*?)</span>', found[0], re.DOTALL)
    return [(html.unescape(name), url) for url, name in steps] + [(html.unescape(name).strip(), "") for name in current]


def chips(page: str) -> list[str]:
    """The words of the labels beside a page's title."""
    found = re.search(r'<(p|div) class="chips[^>]*>.*?</\1>', page, re.DOTALL)
    assert found, page
    _, *labels = re.split(r'<(?:a|span) class="chip[ "]', found[0].partition('<span class="facts-line"')[0])
    return [plain(label.partition(">")[2]).strip() for label in labels]
