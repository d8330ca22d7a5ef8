// Typesets formulas with MathJax, so that a page needs no script for them.
//
//   node typeset.cjs FOLDER < formulas.json
//
// FOLDER is MathJax's es5; formulas.json is a list of [TeX, display]. Writes to standard output, as
// JSON, {html: a list of one element each, css: what their style sheet holds}. The MathML that
// screen readers read is in the element, beside what is seen.
const fs = require("node:fs");
const path = require("node:path");

const mathml = (text) =>
  text.replace(/\s*\n\s*/g, "").replace(/ (data-[\w-]+|xmlns)="[^"]*"/g, "");

async function main(folder) {
  const formulas = JSON.parse(fs.readFileSync(0, "utf8"));
  const MathJax = await require(path.join(folder, "node-main.js")).init({
    loader: { load: ["input/tex", "output/chtml"] },
    chtml: { fontURL: "fonts", adaptiveCSS: true },
  });
  const { adaptor } = MathJax.startup;
  const html = [];
  for (const [tex, display] of formulas) {
    const box = await MathJax.tex2chtmlPromise(tex, { display });
    const spoken = mathml(await MathJax.tex2mmlPromise(tex, { display }));
    const seen = adaptor.firstChild(box);
    adaptor.setAttribute(seen, "aria-hidden", "true");
    adaptor.setStyle(box, "font-size", "");
    html.push(
      adaptor
        .outerHTML(box)
        .replaceAll(' style=""', "")
        .replace(/<\/mjx-container>$/, (end) => `<mjx-assistive-mml>${spoken}</mjx-assistive-mml>${end}`),
    );
  }
  const css = adaptor.textContent(MathJax.chtmlStylesheet());
  process.stdout.write(JSON.stringify({ html, css }));
}

main(process.argv[2]).catch((problem) => {
  console.error(problem);
  process.exit(1);
});
