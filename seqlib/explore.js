// Explorables: controls choose a frame, a button plays them, the cells of a picture tell their values.
// A notebook brings this script with every figure, a page of the book loads it once. It listens at the
// document, so that it does not matter when figures come: only its first copy does anything.
if (!("explore" in document.documentElement.dataset)) {
  document.documentElement.dataset.explore = "";
  const PACE = 700; // milliseconds that a frame is shown while playing
  const timers = new WeakMap(); // control -> timer, while it plays
  const cells = new WeakMap(); // frame -> its cells
  const places = new WeakMap(); // pad over a picture -> the place that is pointed at
  const all = (inside, selector) => [...inside.querySelectorAll(selector)];
  const figureOf = (element) => element.closest(".explorable");

  // Frames

  const show = (figure) => {
    let chosen = 0; // frames are ordered as nested loops over the controls, the last one fastest
    for (const control of all(figure, ".explorable-control")) {
      const input = control.querySelector("input, select");
      const output = control.querySelector("output");
      const words = JSON.parse(control.dataset.words);
      const word = words[input.value];
      chosen = chosen * words.length + Number(input.value);
      if (output && output.value !== word) output.value = word;
      if (output) input.setAttribute("aria-valuetext", word);
    }
    all(figure, ".explorable-frame").forEach((frame, i) => frame.toggleAttribute("data-shown", i === chosen));
    all(figure, ".explorable-cells").forEach(tell); // the same cell may have another value now
  };

  // Play and pause

  const setPlaying = (control, isPlaying) => {
    const button = control.querySelector(".explorable-play");
    button.toggleAttribute("data-playing", isPlaying);
    button.setAttribute("aria-label", `${isPlaying ? "Pause" : "Play"}: ${button.dataset.label}`);
    for (const live of all(figureOf(control), "[aria-live]")) {
      live.setAttribute("aria-live", isPlaying ? "off" : "polite");
      // A live region speaks when it changes: once, at the end.
      if (!isPlaying) requestAnimationFrame(() => live.replaceChildren(...live.childNodes));
    }
  };
  const pause = (control) => {
    if (!timers.has(control)) return;
    clearInterval(timers.get(control));
    timers.delete(control);
    setPlaying(control, false);
  };
  const pauseAll = (figure) => all(figure, ".explorable-control").forEach(pause);
  const step = (control, fromTheStart) => {
    const input = control.querySelector("input");
    input.value = fromTheStart ? input.min : Number(input.value) + 1;
    show(figureOf(control));
    if (input.value === input.max || !control.isConnected) pause(control);
  };
  const play = (control) => {
    const input = control.querySelector("input");
    pauseAll(figureOf(control));
    setPlaying(control, true);
    timers.set(control, setInterval(step, PACE, control));
    step(control, input.value === input.max);
  };
  document.addEventListener("click", (event) => {
    const control = event.target.closest?.(".explorable-play")?.closest(".explorable-control");
    if (control) (timers.has(control) ? pause : play)(control);
  });
  document.addEventListener("input", (event) => {
    const figure = event.target.closest?.(".explorable");
    if (!figure) return;
    pauseAll(figure);
    show(figure);
  });

  // Cells: a place is a point of the picture, in ten thousandths of its width and height from the upper left

  const cellsOf = (pad) => {
    const frame = pad.parentElement.querySelector("[data-shown]");
    if (!cells.has(frame)) cells.set(frame, JSON.parse(frame.dataset.cells ?? "[]").flatMap(cellsOfGrid));
    return cells.get(frame);
  };
  const cellsOfGrid = ({ x, y, rows, columns, values, digits, say, unless }) =>
    values.map((value, i) => {
      const [r, c] = [Math.floor(i / columns.length), i % columns.length];
      const names = { row: rows[r], column: columns[c], value: (value / 10 ** digits).toFixed(digits) };
      const words = (value === null ? unless : say).replace(/{(row|column|value)}/g, (_, name) => names[name]);
      return { left: x[c], right: x[c + 1], top: y[r], bottom: y[r + 1], words };
    });
  const holds = (low, at, high) => low <= at && at < high;
  const cellAt = (pad) => {
    const [x, y] = places.get(pad) ?? [];
    return cellsOf(pad).find((cell) => holds(cell.left, x, cell.right) && holds(cell.top, y, cell.bottom));
  };
  const middle = (cell) => [(cell.left + cell.right) / 2, (cell.top + cell.bottom) / 2];

  const first = (pad) => cellsOf(pad).slice(0, 1).map(middle)[0];

  const tell = (pad) => {
    const cell = cellAt(pad);
    const outline = pad.firstElementChild;
    outline.hidden = !cell;
    if (cell) {
      const { left, right, top, bottom } = cell;
      const sides = { left, top, width: right - left, height: bottom - top };
      for (const [side, length] of Object.entries(sides)) outline.style[side] = `${length / 100}%`;
    }
    const said = figureOf(pad).querySelector(".explorable-said");
    if (said.textContent !== (cell?.words ?? "")) said.textContent = cell?.words ?? "";
  };
  const point = (pad, place) => {
    if (place) places.set(pad, place);
    else places.delete(pad);
    tell(pad);
  };

  // The nearest cell that way, at the same height or in the same column: in this grid or in another.
  const beside = (pad, here, key) => {
    const [x, y] = middle(here);
    const level = cellsOf(pad).filter((cell) => holds(cell.top, y, cell.bottom));
    const upright = cellsOf(pad).filter((cell) => holds(cell.left, x, cell.right));
    const ways = {
      ArrowLeft: [level, (cell) => here.left - cell.right],
      ArrowRight: [level, (cell) => cell.left - here.right],
      ArrowUp: [upright, (cell) => here.top - cell.bottom],
      ArrowDown: [upright, (cell) => cell.top - here.bottom],
    };
    const [line, gap] = ways[key];
    const ahead = line.filter((cell) => gap(cell) >= 0);
    return ahead.sort((a, b) => gap(a) - gap(b))[0] ?? here;
  };
  const padOf = (event) => event.target.closest?.(".explorable-cells");
  const onPointer = (event) => {
    const pad = padOf(event);
    if (!pad) return;
    const box = pad.getBoundingClientRect();
    const x = (1e4 * (event.clientX - box.left)) / box.width;
    const y = (1e4 * (event.clientY - box.top)) / box.height;
    point(pad, [x, y]);
  };
  document.addEventListener("pointermove", onPointer);
  document.addEventListener("pointerdown", onPointer);
  document.addEventListener("pointerout", (event) => {
    const pad = padOf(event);
    if (pad && event.pointerType === "mouse" && pad !== document.activeElement) point(pad);
  });
  document.addEventListener("focusin", (event) => {
    const pad = padOf(event);
    if (pad && !cellAt(pad)) point(pad, first(pad));
  });
  document.addEventListener("focusout", (event) => padOf(event) && point(padOf(event)));
  document.addEventListener("keydown", (event) => {
    const pad = padOf(event);
    if (!pad || !/^Arrow/.test(event.key) || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault(); // the page would scroll
    const here = cellAt(pad);
    point(pad, here ? middle(beside(pad, here, event.key)) : first(pad));
  });
}
