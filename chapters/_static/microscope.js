// The figure of the chapter on estimators. Without its element on the page it does nothing.
// It draws what pooledbook.microscope draws; tests/planning/test_microscope_js.py compares the two.
(function () {
  "use strict";

  const BOX = { left: 184, width: 440, end: 1.5, hills: 48, hill: 46, rise: 34, percent: 3.6 };
  const LEVELS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  const TESTS = ["2SLS", "LIML", "Fuller", "tF", "AR", "K", "CLR"];
  const ASKED = ["the true effect", "an effect of \u22121", "an effect of 1"];

  const of = (values, at) => values[at.instruments][at.strength][at.endogeneity];
  const across = (effect) =>
    BOX.left + (BOX.width / 2) * (1 + Math.min(Math.max(effect / BOX.end, -1), 1));

  function hill(heights, ground) {
    const points = [...heights].map((letter, i) => {
      const x = BOX.left + (BOX.width * i) / (heights.length - 1);
      const y = ground - (BOX.rise * LEVELS.indexOf(letter)) / (LEVELS.length - 1);
      return x.toFixed(1) + "," + y.toFixed(1);
    });
    const end = BOX.left + BOX.width;
    return `M${BOX.left},${ground}L${points.join("L")}L${end},${ground}Z`;
  }

  // Attributes of everything that moves, by part; "text" is its content.
  function shapes(data, at) {
    const found = {};
    of(data.laws, at).forEach(([heights, low, median, high, below, above], i) => {
      const ground = BOX.hills + BOX.hill * i;
      found["hill" + i] = { d: hill(heights, ground) };
      found["half" + i] = { d: `M${across(low).toFixed(1)},${ground + 5}H${across(high).toFixed(1)}` };
      found["median" + i] = { d: `M${across(median).toFixed(1)},${ground - 3}V${ground + 11}` };
      found["below" + i] = { text: below ? `\u2039 ${below} %` : "" };
      found["above" + i] = { text: above ? `${above} % \u203a` : "" };
    });
    of(data.rates, at)[at.hypothesis].forEach((rate, i) => {
      const width = BOX.percent * (rate || 0);
      const text = rate === null ? "does not exist" : rate.toFixed(1) + " %";
      found["bar" + i] = { width: width.toFixed(2) };
      const beside = BOX.left + Math.max(width, BOX.percent * 5) + 8; // clear of the line at 5 %
      found["rate" + i] = { x: beside.toFixed(2), text: text };
    });
    found.asked = { text: `how often tests at 5 % reject ${ASKED[at.hypothesis]}` };
    return found;
  }

  const signed = (value) => value.toFixed(2).replace("-", "\u2212");

  function sentence(data, at) {
    const laws = of(data.laws, at);
    const rate = (name) => of(data.rates, at)[at.hypothesis][TESTS.indexOf(name)].toFixed(1);
    const clr = at.instruments ? `, CLR in ${rate("CLR")} %` : "";
    return (
      `${["One instrument", "Six instruments"][at.instruments]}, mean F` +
      ` ${data.f[at.instruments][at.strength]}, endogeneity ${data.endogeneities[at.endogeneity]}.` +
      ` Half of the 2SLS estimates lie between ${signed(laws[1][1])} and ${signed(laws[1][3])},` +
      ` their median is ${signed(laws[1][2])}; that of least squares is ${signed(laws[0][2])}.` +
      ` At the 5 % level the 2SLS t-test rejects ${ASKED[at.hypothesis]} in ${rate("2SLS")} % of` +
      ` trials, Anderson-Rubin in ${rate("AR")} %${clr}.` +
      ` ${of(data.unbounded, at).toFixed(1)} % of the Anderson-Rubin sets are unbounded.`
    );
  }

  function start(place) {
    const data = JSON.parse(place.querySelector("script").textContent);
    const part = (name) => place.querySelector(`[data-part=${name}]`);
    const says = { strength: data.strengths, endogeneity: data.endogeneities };
    let soon;

    function draw() {
      const at = {};
      for (const input of place.querySelectorAll("input")) {
        if (input.type === "radio" && !input.checked) continue;
        at[input.name] = Number(input.value);
        if (input.type === "radio") continue;
        const words = says[input.name][at[input.name]];
        input.setAttribute("aria-valuetext", words);
        input.parentNode.querySelector("output").textContent = words;
      }
      for (const [name, given] of Object.entries(shapes(data, at))) {
        for (const [key, value] of Object.entries(given)) {
          if (key === "text") part(name).textContent = value;
          else part(name).setAttribute(key, value);
        }
      }
      clearTimeout(soon); // a screen reader is told once the slider rests
      soon = setTimeout(() => {
        place.querySelector("desc").textContent = part("words").textContent = sentence(data, at);
      }, 250);
    }

    place.addEventListener("input", draw);
    place.querySelector("form").hidden = false;
    part("still").hidden = true;
    draw();
  }

  if (typeof module !== "undefined") module.exports = { shapes, sentence };
  else document.querySelectorAll(".microscope").forEach(start);
})();
