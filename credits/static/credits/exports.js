// Follows exports that go on: asks for the page again every two seconds and takes over only the
// parts that changed, so that focus stays and a screen reader hears only what is new.
(() => {
  const PERIOD_MS = 2000;
  const isOpen = () => document.querySelector('[data-follow] [data-status="queued"], [data-follow] [data-status="preparing"]');

  const takeOver = (fresh) => {
    for (const part of document.querySelectorAll("[data-follow]")) {
      const now = fresh.querySelector(`[data-follow="${part.dataset.follow}"]`);
      if (now && now.innerHTML !== part.innerHTML) {
        part.replaceChildren(...document.importNode(now, true).childNodes);
      }
    }
  };

  const follow = async () => {
    try {
      const answer = await fetch(window.location.href, { redirect: "error" });
      // Signed out, or no longer allowed: nothing will change by asking again.
      if (answer.status === 403 || answer.status === 404) return;
      if (answer.ok) {
        takeOver(new DOMParser().parseFromString(await answer.text(), "text/html"));
      }
    } catch (error) {
      // The server is away for a moment, or we were signed out; the next round tells.
    }
    if (isOpen()) setTimeout(follow, PERIOD_MS);
  };

  document.addEventListener("DOMContentLoaded", () => {
    if (isOpen()) setTimeout(follow, PERIOD_MS);
  });
})();
