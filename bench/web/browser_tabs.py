"""Real tabs of Chromium that record when a cell of the matrix was repainted."""

from __future__ import annotations

import time

from playwright.sync_api import Page, sync_playwright

from bench.harness.agent_reports import Agent
from bench.harness.bench_server import BenchServer
from tests.chromium import ARGUMENTS, CHROMIUM

CELL = "#c{build}-srv-01"
# A change is painted when the frame that holds it is done: a message sent in its animation frame is answered after it.
WATCH = """selector => {
  window.painted = [];
  const region = document.getElementById("live") ?? document.body;
  let shown = "";
  new MutationObserver(() => {
    const text = document.querySelector(selector)?.textContent.match(/(\\d+)\\s*%/)?.[1];
    if (!text || text === shown) return;
    shown = text;
    requestAnimationFrame(() => {
      const { port1, port2 } = new MessageChannel();
      port1.onmessage = () => window.painted.push([text, performance.timeOrigin + performance.now()]);
      port2.postMessage(0);
    });
  }).observe(region, { subtree: true, childList: true, characterData: true });
}"""


def delays(stage: BenchServer, cookie: str, agent: Agent, tabs: int, events: int) -> list[float]:
    """Seconds from before a report is sent until its percentage was painted: one for each report and tab that saw it.

    Reports are one second apart. Each tab has a context of its own: over plain http a browser opens at most six
    connections to one server, and tabs that are hidden hold no stream."""
    if not CHROMIUM.exists():
        raise SystemExit(f"no browser at {CHROMIUM}; `apt-get install chromium` brings it")
    name, _, value = cookie.partition("=")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=ARGUMENTS)
        pages = []
        for _ in range(tabs):
            context = browser.new_context(base_url=stage.url)
            context.add_cookies([{"name": name, "value": value, "url": stage.url}])
            page = context.new_page()
            page.goto("/games/big")
            page.locator("#freshness[data-state=live]").wait_for()
            page.evaluate(WATCH, CELL.format(build=agent.build))
            pages.append(page)
        sent = _report_every_second(agent, events)
        late = [at - sent[mark] for page in pages for mark, at in _painted(page) if mark in sent]
        browser.close()
    return late


def _report_every_second(agent: Agent, events: int) -> dict[int, float]:
    sent = {}
    agent.rested()
    for percent in range(1, events + 1):
        sent[percent] = time.time()
        agent.report(percent)
        time.sleep(1)
    return sent


def _painted(page: Page) -> list[tuple[int, float]]:
    return [(int(text), at / 1000) for text, at in page.evaluate("window.painted")]
