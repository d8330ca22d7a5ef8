// A box that scrolls sideways can be reached, and scrolled, by keyboard.
const boxes = "div.math mjx-container, .bd-article pre, .pst-scrollable-table-container";
const reach = () =>
  document.querySelectorAll(boxes).forEach((box) => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
addEventListener("load", reach);
addEventListener("resize", reach);
addEventListener("toggle", reach, true); // what a details element hid had no width
// An answer of a quiz, once open, bears the mark of what it says.
for (const answer of document.querySelectorAll("details.quiz")) {
  const verdict = answer.querySelector("summary ~ p strong")?.textContent;
  answer.dataset.answer = verdict?.startsWith("Right") ? "right" : "wrong";
}
