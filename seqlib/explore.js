// Shows the frame that the controls of an explorable choose. Every explorable carries this script, so it
// takes only the figures that no earlier copy has taken.
for (const figure of document.querySelectorAll("figure.explorable:not([data-ready])")) {
  const controls = [...figure.querySelectorAll(".explorable-control")].map((control) => ({
    input: control.querySelector("input, select"),
    output: control.querySelector("output"),
    words: JSON.parse(control.dataset.words),
  }));
  const frames = figure.querySelectorAll(".explorable-frame");
  const show = () => {
    let chosen = 0; // frames are ordered as nested loops over the controls, the last one fastest
    for (const { input, output, words } of controls) {
      const word = words[input.value];
      chosen = chosen * words.length + Number(input.value);
      if (output && output.value !== word) output.value = word;
      if (output) input.setAttribute("aria-valuetext", word);
    }
    frames.forEach((frame, i) => frame.toggleAttribute("data-shown", i === chosen));
  };
  figure.addEventListener("input", show);
  figure.dataset.ready = "";
  show();
}
