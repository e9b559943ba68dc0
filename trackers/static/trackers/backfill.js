// Keeps a backfill's page up to date while it runs: asks every two seconds, stops at the end.
"use strict";

(function () {
  const PERIOD_MS = 2000;

  function part(page, name) {
    return page.querySelector('[data-part="' + name + '"]');
  }

  // Only what differs is written, so that a screen reader hears only what changed.
  function say(element, text) {
    if (element.textContent !== text) {
      element.textContent = text;
    }
  }

  function show(page, report) {
    const state = part(page, "state");
    state.dataset.status = report.state;
    state.className = "credits-badge credits-badge-" + report.tone;
    say(state, report.state_text);
    say(part(page, "time_left"), report.time_left);
    say(part(page, "halted"), report.halted);
    say(part(page, "ended"), report.ended);
    part(page, "ended_row").hidden = !report.ended;
    for (const [name, figure] of Object.entries(report.figures)) {
      for (const element of page.querySelectorAll('[data-metric="' + name + '"]')) {
        element.dataset.value = figure.value;
        say(element, figure.text);
      }
    }
    page.querySelector('[role="progressbar"]').setAttribute("aria-valuenow", report.percent);
    page.querySelector("progress").value = report.percent;
    for (const button of page.querySelectorAll("[data-when]")) {
      button.hidden = !button.dataset.when.split(" ").includes(report.state);
    }
  }

  async function follow(page) {
    let isOver = false;
    try {
      const answer = await fetch(page.dataset.progressUrl, {
        headers: { Accept: "application/json" },
        redirect: "error",
      });
      // Signed out, or no longer allowed: nothing will change by asking again.
      isOver = answer.status === 403 || answer.status === 404;
      if (answer.ok) {
        const report = await answer.json();
        show(page, report);
        isOver = report.is_over;
      }
    } catch (error) {
      // The server cannot be reached for now; the next turn asks again.
    }
    if (!isOver) {
      setTimeout(follow, PERIOD_MS, page);
    }
  }

  document.addEventListener("DOMContentLoaded", function () {
    const page = document.querySelector("[data-progress-url]");
    if (page) {
      setTimeout(follow, PERIOD_MS, page);
    }
  });
})();
