// Figures beside a form follow what is in it: a change asks the server, which saves nothing.
// Without this script the form's own button shows them.
(() => {
  const PAUSE_MS = 300;
  const panel = document.querySelector("[data-live]");
  const form = panel && document.getElementById(panel.dataset.live);
  if (!form) return;
  const says = panel.querySelector("[data-live-says]");
  const figures = panel.querySelector("[data-live-figures]");
  let timer = null;
  let request = null;

  const show = (sentence) => {
    says.textContent = sentence;
    panel.toggleAttribute("data-working", sentence === says.dataset.working);
  };

  const ask = async () => {
    const mine = new AbortController();
    request = mine;
    const body = new FormData(form);
    body.set("step", "look");
    try {
      const answer = await fetch(window.location.href, {
        method: "POST",
        body,
        redirect: "error",
        signal: mine.signal,
      });
      if (!answer.ok) throw new Error(answer.status);
      const html = await answer.text();
      const fresh = new DOMParser().parseFromString(html, "text/html");
      figures.replaceChildren(...document.importNode(fresh.body, true).childNodes);
      show("");
    } catch (error) {
      // A later change asked again; its answer is shown.
      if (mine.signal.aborted) return;
      figures.replaceChildren();
      show(says.dataset.failed);
    }
  };

  const change = () => {
    clearTimeout(timer);
    if (request) request.abort();
    show(says.dataset.working);
    timer = setTimeout(ask, PAUSE_MS);
  };

  panel.hidden = false;
  // Select2 tells of its changes through jQuery alone, which hears those of the browser, too.
  const jQuery = window.django && window.django.jQuery;
  if (jQuery) {
    jQuery(form).on("input change", change);
  } else {
    form.addEventListener("input", change);
    form.addEventListener("change", change);
  }
  // The form came back filled in.
  if (panel.hasAttribute("data-live-now")) change();
})();
