// What is wrong with the layout of the page as it is: texts that overlap, texts that are cut off without a way to read
// the rest, and a page that scrolls sideways. Evaluates to one line per problem.
() => {
  const SLACK = 2; // px: boxes of lines are a little taller than their letters
  const problems = [];
  const root = document.documentElement;
  if (root.scrollWidth > root.clientWidth + 1) problems.push(`the page scrolls sideways to ${root.scrollWidth} px`);

  const label = (node) => `“${node.data.trim().replace(/\s+/g, " ").slice(0, 40)}”`;
  const ancestors = function* (element) {
    for (let each = element; each && each !== root; each = each.parentElement) yield each;
  };
  // What is drawn as one pixel is for screen readers alone.
  const isTiny = (element) => element.offsetWidth <= 1 || element.offsetHeight <= 1;
  const isShown = (element) => element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true });
  // Text for screen readers alone, and layers above the page.
  const isApart = (element) =>
    element.closest(".vh, .skip, [popover], .tray, .toasts") !== null ||
    [...ancestors(element)].some((each) => isTiny(each) || ["fixed", "sticky"].includes(getComputedStyle(each).position));

  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const parent = node.parentElement;
    if (!parent || !node.data.trim() || parent.closest("script, style, template, svg, option")) continue;
    if (!isShown(parent) || isApart(parent)) continue;
    const range = document.createRange();
    range.selectNodeContents(node);
    for (const box of range.getClientRects()) {
      if (box.width < 1 || box.height < 1) continue;
      const seen = visiblePart(box, parent);
      if (seen.cut) {
        const whole = parent.closest("[title]")?.title ?? parent.closest("[data-whole]") ?? "";
        if (!whole) problems.push(`${label(node)} is cut off by ${seen.cut}`);
      }
      if (seen.box) texts.push({ node, ...seen.box });
    }
  }

  /** The part of a line that is not clipped, and what clips it for good (a box that scrolls does not). */
  function visiblePart(box, element) {
    let { left, right, top, bottom } = box;
    let cut = "";
    for (const each of ancestors(element)) {
      const style = getComputedStyle(each);
      const x = style.overflowX !== "visible";
      const y = style.overflowY !== "visible";
      if (!x && !y) continue;
      const edge = each.getBoundingClientRect();
      const scrolls = [style.overflowX, style.overflowY].some((value) => value === "auto" || value === "scroll");
      if (x && !scrolls && (left < edge.left - SLACK || right > edge.right + SLACK)) cut ||= name(each);
      if (y && !scrolls && (top < edge.top - 4 || bottom > edge.bottom + 4)) cut ||= name(each);
      if (x) [left, right] = [Math.max(left, edge.left), Math.min(right, edge.right)];
      if (y) [top, bottom] = [Math.max(top, edge.top), Math.min(bottom, edge.bottom)];
      if (scrolls && (left >= right || top >= bottom)) return { box: null, cut: "" };
    }
    return { box: left < right && top < bottom ? { left, right, top, bottom } : null, cut };
  }

  function name(element) {
    return `${element.tagName.toLowerCase()}${[...element.classList].map((each) => `.${each}`).join("")}`;
  }

  texts.sort((a, b) => a.top - b.top);
  for (const [index, one] of texts.entries()) {
    for (let next = index + 1; next < texts.length && texts[next].top < one.bottom - SLACK; next++) {
      const other = texts[next];
      if (other.node === one.node) continue;
      const wide = Math.min(one.right, other.right) - Math.max(one.left, other.left);
      const high = Math.min(one.bottom, other.bottom) - Math.max(one.top, other.top);
      if (wide > SLACK && high > 4) problems.push(`${label(one.node)} overlaps ${label(other.node)}`);
    }
  }
  return [...new Set(problems)].slice(0, 12);
}
