// Totals follow the choice: a change asks the server again. Without this the button does it.
(() => {
  const form = document.querySelector("[data-report-form]");
  if (!form) return;
  form.addEventListener("change", (event) => {
    if (["first", "last"].includes(event.target.name)) {
      form.querySelector('[name="days"][value="custom"]').checked = true;
      if (!form.elements.first.value || !form.elements.last.value) return;
    } else if (event.target.value === "custom") {
      form.elements.first.focus();
      return;
    }
    form.requestSubmit();
  });
})();
