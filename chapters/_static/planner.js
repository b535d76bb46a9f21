// The calculator of the planning chapter. Without its element on the page it does nothing.
// Its formulas are those of pooledtrials.planning; tests/planning/test_planner_js.py compares the two.
(function () {
  "use strict";

  const BOX = { left: 54, top: 34, width: 552, height: 230, most: 6000, dots: 120 };

  // Standard normal distribution function, by Marsaglia's series.
  function normal(x) {
    if (Math.abs(x) > 8) return x > 0 ? 1 : 0;
    let sum = x, term = x;
    for (let i = 3; sum + term !== sum; i += 2) {
      term *= (x * x) / i;
      sum += term;
    }
    return 0.5 + (sum * Math.exp((-x * x) / 2)) / Math.sqrt(2 * Math.PI);
  }

  const total = (values) => values.reduce((a, b) => a + b, 0);

  // Variance of a patient's summed interviews over that of as many interviews of strangers.
  function designEffect(shares, icc) {
    let together = -total(shares);
    for (const one of shares) for (const other of shares) together += Math.min(one, other);
    return 1 + (icc * together) / total(shares);
  }

  // What to expect of a plan.
  function expected(plan) {
    const left = plan.months.map((m) => plan.half / (plan.half + m));
    const held = total(plan.shares);
    const step = (plan.step * total(left.map((l, t) => l * plan.shares[t]))) / held;
    const information = plan.patients * plan.active * (1 - plan.active) * held;
    const error = (sd, icc) => sd * Math.sqrt(designEffect(plan.shares, icc) / information);
    const strength = (step / error(plan.attendanceSd, plan.attendanceIcc)) ** 2;
    const distance = (plan.effect * step) / 10 / error(plan.scoreSd, plan.scoreIcc);
    return {
      step: step,
      f: 1 + strength,
      power: normal(distance - plan.critical) + normal(-distance - plan.critical),
      needed: Math.ceil((plan.patients * plan.noncentrality * (1 - 1e-9)) / distance ** 2),
    };
  }

  const across = (patients) => BOX.left + (BOX.width * patients) / BOX.most;
  const down = (power) => BOX.top + BOX.height * (1 - power);

  // Power against the number of patients, as a path.
  function curve(plan) {
    const points = [];
    for (let i = 1; i <= BOX.dots; i++) {
      const patients = (BOX.most * i) / BOX.dots;
      const power = expected({ ...plan, patients: patients }).power;
      points.push(across(patients).toFixed(1) + "," + down(power).toFixed(1));
    }
    return "M" + points.join("L");
  }

  const whole = (number) => Math.round(number).toLocaleString("en").replace(/,/g, "\u202f");

  function sentence(plan) {
    const found = expected(plan);
    const needed = found.needed > 1e6 ? "more than a million" : whole(found.needed);
    return (
      `Interviewed patients of the active arm attend ${found.step.toFixed(1)} days more on average.` +
      ` The expected first-stage F is ${found.f.toFixed(found.f < 10 ? 1 : 0)}.` +
      ` With ${whole(plan.patients)} patients the power is ${Math.round(100 * found.power)} %;` +
      ` 80 % takes ${needed} patients.`
    );
  }

  function start(place) {
    const plan = JSON.parse(place.dataset.plan);
    const part = (name) => place.querySelector(name);
    let soon;

    function draw() {
      for (const input of place.querySelectorAll("input")) {
        plan[input.name] = Number(input.value) / Number(input.dataset.per);
        const words = input.dataset.say.replace("#", plan[input.name].toFixed(input.dataset.digits));
        input.setAttribute("aria-valuetext", words);
        input.parentNode.querySelector("output").textContent = words;
      }
      const found = expected(plan);
      const words = sentence(plan);
      part("[data-part=curve]").setAttribute("d", curve(plan));
      part("[data-part=here]").setAttribute("cx", across(plan.patients).toFixed(1));
      part("[data-part=here]").setAttribute("cy", down(found.power).toFixed(1));
      clearTimeout(soon); // a screen reader is told once the slider rests
      soon = setTimeout(() => {
        part("desc").textContent = part("[data-part=words]").textContent = words;
      }, 250);
    }

    place.addEventListener("input", draw);
    part("form").hidden = false;
    part("[data-part=still]").hidden = true;
    draw();
  }

  if (typeof module !== "undefined") module.exports = { normal, expected, curve, sentence };
  else document.querySelectorAll(".planner").forEach(start);
})();
