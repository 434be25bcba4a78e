// What a person with a keyboard, a screen reader or weak eyes misses on this page.
() => {
  const all = (what) => [...document.querySelectorAll(what)];
  const faults = [];
  const fault = (bad, text) => bad && faults.push(text);
  const short = (e) => e.outerHTML.slice(0, 80);

  fault(!document.documentElement.lang, "no language");
  fault(!document.title.trim(), "no title");
  for (const name of ["main", "header", "h1"])
    fault(all(name).length !== 1, `${all(name).length} of ${name}`);

  let last = 0;
  for (const heading of all("h1, h2, h3, h4")) {
    const level = Number(heading.tagName[1]);
    fault(level > last + 1, `heading skips to ${level}: ${heading.textContent}`);
    last = level;
  }

  const ids = all("[id]").map((e) => e.id);
  for (const id of ids) fault(ids.indexOf(id) !== ids.lastIndexOf(id), `id twice: ${id}`);
  for (const e of all("[aria-labelledby]"))
    fault(!document.getElementById(e.getAttribute("aria-labelledby")), `label is missing: ${short(e)}`);
  for (const e of all("input:not([type=hidden]), select, textarea"))
    fault(!e.labels.length && !e.ariaLabel, `no label: ${short(e)}`);
  for (const e of all("a[href], button, summary"))
    fault(!(e.ariaLabel || e.textContent).trim(), `no name: ${short(e)}`);
  for (const e of all("svg"))
    fault(e.getAttribute("aria-hidden") !== "true" && !e.ariaLabel, "picture without words");
  for (const e of all("th:not([scope])")) fault(true, `heading of what: ${e.textContent}`);

  const width = document.documentElement.scrollWidth;
  fault(width > Math.min(innerWidth, screen.width), `wider than the screen: ${width}`);

  // Contrast, by WCAG 2: 4.5, or 3 for large letters.
  const parts = (color) => {
    const found = color.match(/[\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const luminance = (color) => {
    const [r, g, b] = parts(color)
      .slice(0, 3)
      .map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (e) => {
    for (; e; e = e.parentElement) {
      const color = getComputedStyle(e).backgroundColor;
      if (parts(color)[3] > 0.99) return color;
    }
    return "rgb(255, 255, 255)";
  };
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim();
    const e = texts.currentNode.parentElement;
    if (!text || !e.getClientRects().length || e.closest(".hidden, .skip, title")) continue;
    const style = getComputedStyle(e);
    const size = parseFloat(style.fontSize);
    const [a, b] = [luminance(style.color), luminance(behind(e))];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const large = size >= 24 || (size >= 18.66 && style.fontWeight >= 700);
    fault(contrast < (large ? 3 : 4.5), `contrast ${contrast.toFixed(2)}: ${text.slice(0, 40)}`);
  }
  return [...new Set(faults)];
}
