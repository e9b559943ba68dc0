// Reads a bar's figures out where they can be seen and heard: on pointing, on focus, on a tap.
// One stop for the Tab key, then arrows, Home and End along the bars. Without this script the
// table shows the same figures.
(() => {
  const chart = document.querySelector("[data-chart]");
  const readout = document.querySelector("[data-readout]");
  if (!chart || !readout) return;
  const bars = [...chart.querySelectorAll(".credits-bar")];
  const silence = readout.textContent;
  let current = bars.find((bar) => bar.tabIndex === 0);

  const show = (bar) => {
    for (const one of bars) one.classList.toggle("credits-bar-current", one === bar);
    readout.textContent = bar ? bar.getAttribute("aria-label") : silence;
  };
  const move = (bar) => {
    if (!bar) return;
    current.tabIndex = -1;
    bar.tabIndex = 0;
    current = bar;
    bar.focus();
  };

  chart.addEventListener("pointerover", (event) => show(event.target.closest(".credits-bar")));
  chart.addEventListener("pointerleave", () => show(null));
  chart.addEventListener("focusin", (event) => show(event.target.closest(".credits-bar")));
  chart.addEventListener("focusout", () => show(null));
  chart.addEventListener("keydown", (event) => {
    const place = bars.indexOf(current);
    const to = {
      ArrowLeft: bars[place - 1],
      ArrowRight: bars[place + 1],
      ArrowUp: bars[place - 1],
      ArrowDown: bars[place + 1],
      Home: bars[0],
      End: bars[bars.length - 1],
    };
    if (event.key === "Escape") show(null);
    if (!(event.key in to)) return;
    event.preventDefault();
    move(to[event.key]);
  });
})();
