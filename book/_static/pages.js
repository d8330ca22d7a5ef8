// A box that scrolls sideways can be reached, and scrolled, by keyboard.
const boxes = "div.math mjx-container, .bd-article pre, .pst-scrollable-table-container";
const reach = () =>
  document.querySelectorAll(boxes).forEach((box) => {
    if (box.scrollWidth > box.clientWidth + 1) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  });
addEventListener("load", () => {
  Promise.resolve(window.MathJax?.startup?.promise).then(reach);
  addEventListener("resize", reach);
});
