// Select2 draws a search field of its own for a choice of several, whenever it likes, and leaves it
// without a name: it gets that of the choice it belongs to.
(() => {
  const name = () => {
    for (const field of document.querySelectorAll(".select2-search__field:not([aria-label])")) {
      const choice = field.closest(".select2-container")?.previousElementSibling;
      const label = choice?.labels?.[0];
      if (label) field.setAttribute("aria-label", label.textContent.trim());
    }
  };
  new MutationObserver(name).observe(document.documentElement, {childList: true, subtree: true});
  name();
})();
