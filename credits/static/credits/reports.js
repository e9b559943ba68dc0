// Totals follow the choice: a change asks the server again. Without this the button does it.
(() => {
  const form = document.querySelector("[data-report-form]");
  if (!form) return;

  // Choices that the chosen report or format does not have are out of the way.
  const needs = {
    include_free_use: ["report", "credit-usage"],
    is_daily: ["report", "credit-usage"],
    has_bom: ["format", "csv"],
  };
  const arrange = () => {
    for (const [name, [field, value]] of Object.entries(needs)) {
      form.querySelector(`[data-choice="${name}"]`).hidden = form.elements[field].value !== value;
    }
  };

  form.addEventListener("change", (event) => {
    arrange();
    if (["first", "last"].includes(event.target.name)) {
      form.querySelector('[name="days"][value="custom"]').checked = true;
      if (!form.elements.first.value || !form.elements.last.value) return;
    } else if (event.target.value === "custom") {
      form.elements.first.focus();
      return;
    }
    form.requestSubmit();
  });
  arrange();
})();
