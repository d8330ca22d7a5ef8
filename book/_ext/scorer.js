// What the search puts first: Sphinx's own weights, and above all a name that was typed in full.
var Scorer = {
  score: ([, title, , , score]) =>
    title.toLowerCase() === (new URLSearchParams(location.search).get("q") ?? "").trim().toLowerCase()
      ? score + 100
      : score,
  objNameMatch: 11,
  objPartialMatch: 6,
  objPrio: { 0: 15, 1: 5, 2: -5 },
  objPrioDefault: 0,
  title: 15,
  partialTitle: 7,
  term: 5,
  partialTerm: 2,
};
