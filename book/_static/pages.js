// A box that scrolls sideways can be reached, and scrolled, by keyboard. Part by part, while
// nothing else is to be done; all boxes of one are measured before one is changed, or each change would
// cost a layout.
const boxes = "div.math mjx-container, .bd-article pre, .pst-scrollable-table-container";
const reach = (section) => {
  const all = [...section.querySelectorAll(boxes)];
  const wide = new Set(all.filter((box) => box.scrollWidth > box.clientWidth));
  for (const box of all) {
    if (wide.has(box)) box.tabIndex = 0;
    else if (box.hasAttribute("tabindex")) box.removeAttribute("tabindex");
  }
};
const whenIdle = (next) =>
  window.requestIdleCallback ? requestIdleCallback(next, { timeout: 200 }) : setTimeout(next);
const reachAll = () => {
  const parts = [...document.querySelectorAll(".bd-article > section > *")];
  const next = () => {
    const part = parts.shift();
    if (!part) return;
    reach(part);
    whenIdle(next);
  };
  whenIdle(next);
};
addEventListener("load", reachAll);
addEventListener("resize", reachAll);
addEventListener("toggle", (event) => reach(event.target), true); // what it hid had no width
// Who touches an explorable will want its other frames.
for (const figure of document.querySelectorAll(".explorable")) {
  const load = () => figure.querySelectorAll("img").forEach((frame) => (frame.loading = "eager"));
  for (const touch of ["focusin", "pointerover"]) figure.addEventListener(touch, load, { once: true });
}
// An answer of a quiz, once open, bears the mark of what it says.
for (const answer of document.querySelectorAll("details.quiz")) {
  const verdict = answer.querySelector("summary ~ p strong")?.textContent;
  answer.dataset.answer = verdict?.startsWith("Right") ? "right" : "wrong";
}
