(() => {
  "use strict";
  const form = document.getElementById("wish"), box = document.getElementById("taste");
  if (!form || !box) return;
  const zone = form.elements.namedItem("zone"), words = form.elements.namedItem("keywords");
  if (!form.hasAttribute("data-touched")) {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    if (own) zone.value = own;
  }
  const look = form.querySelector("button[value=preview]");
  if (look) look.hidden = true;
  let timer = 0, latest = 0;
  const ask = async () => {
    const mine = ++latest, fields = new URLSearchParams(new FormData(form));
    fields.delete("email");
    fields.set("action", "fragment");
    try {
      const answer = await fetch(location.pathname, { method: "POST", body: fields, credentials: "omit" });
      if (!answer.ok || mine !== latest) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const id of ["count", "cards"]) {
        document.getElementById(id).replaceChildren(...page.getElementById(id).childNodes);
      }
    } catch { /* the page works without a preview */ }
  };
  words.addEventListener("input", () => { clearTimeout(timer); timer = setTimeout(ask, 200); });
  // What came with the page need not be asked for; what the browser has put back into the field must.
  if (words.value.trim() && (words.value !== words.defaultValue || !box.querySelector("#cards > *"))) ask();
})();
