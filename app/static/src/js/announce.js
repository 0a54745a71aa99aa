// The page's one polite live region. What comes quickly after one another is read as one sentence.
let waiting = [];
let timer = 0;

export function announce(text) {
  if (!text) return;
  waiting.push(text.replace(/\s+/g, " ").trim());
  clearTimeout(timer);
  timer = setTimeout(() => {
    const region = document.getElementById("status");
    if (region) region.textContent = waiting.join(". ");
    waiting = [];
  }, 400);
}
