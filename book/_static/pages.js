// A box that scrolls sideways can be reached, and scrolled, by keyboard. All are measured before the
// first is changed, or each change would cost a layout of the page.
const reach = () => {
  const boxes = document.querySelectorAll(
    "div.math mjx-container, .bd-article pre, .pst-scrollable-table-container",
  );
  const wide = new Set([...boxes].filter((box) => box.scrollWidth > box.clientWidth + 1));
  for (const box of boxes) {
    if (wide.has(box)) box.tabIndex = 0;
    else if (box.hasAttribute("tabindex")) box.removeAttribute("tabindex");
  }
};
addEventListener("load", reach);
addEventListener("resize", reach);
addEventListener("toggle", reach, true); // what a details element hid had no width
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
