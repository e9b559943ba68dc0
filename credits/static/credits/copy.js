// “Copy link”: puts the page's permanent address on the clipboard, and says so.
document.addEventListener("DOMContentLoaded", () => {
  const button = document.querySelector("[data-copy-link]");
  const link = document.querySelector("[data-copied-link]");
  const told = document.querySelector("[data-copy-told]");
  // Browsers give the clipboard to pages over HTTPS and of this machine only.
  if (!button || !link || !navigator.clipboard) return;
  button.hidden = false;
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(link.href);
      told.textContent = " Copied.";
    } catch {
      told.textContent = " Not copied: the browser refused. Copy the address beside the button.";
    }
  });
});
