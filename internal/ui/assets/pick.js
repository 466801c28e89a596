// Pickers: a select that can be searched, and chips of users and organizations
// that are searched on the server. Without it the select is a select, and names
// are typed.
"use strict";
(() => {
  let count = 0;

  // box makes an input a combobox. find returns the entries for what is typed,
  // or a promise of them; choose takes the one that was chosen.
  function box(input, find, choose, empty) {
    const list = document.createElement("ul");
    list.id = "pick-" + (count += 1);
    list.className = "pick-list";
    list.hidden = true;
    list.setAttribute("role", "listbox");
    list.setAttribute("aria-label", input.getAttribute("aria-label") || (input.labels && input.labels[0] ? input.labels[0].innerText : "Choices"));
    input.setAttribute("role", "combobox");
    input.setAttribute("aria-autocomplete", "list");
    input.setAttribute("aria-controls", list.id);
    input.setAttribute("aria-expanded", "false");
    input.after(list);
    let entries = [], at = -1, asked = 0;
    const close = () => { list.hidden = true; at = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
    const mark = (i) => {
      at = i;
      [...list.children].forEach((li, n) => li.setAttribute("aria-selected", String(n === at)));
      const li = list.children[at];
      if (li && entries.length) { input.setAttribute("aria-activedescendant", li.id); li.scrollIntoView({ block: "nearest" }); } else input.removeAttribute("aria-activedescendant");
    };
    const take = (i) => { const e = entries[i]; if (e) { close(); choose(e); } };
    const show = async (query) => {
      const mine = (asked += 1);
      let found;
      try { found = await find(query); } catch { found = null; }
      if (mine !== asked || document.activeElement !== input) return;
      entries = found || [];
      list.replaceChildren(...entries.map((e, i) => {
        const li = document.createElement("li");
        li.id = list.id + "-" + i;
        li.setAttribute("role", "option");
        const name = document.createElement("span");
        name.textContent = e.name;
        li.append(name);
        if (e.note) { const note = document.createElement("small"); note.textContent = e.note; li.append(note); }
        li.addEventListener("mousedown", (ev) => { ev.preventDefault(); take(i); });
        return li;
      }));
      if (!entries.length) {
        const li = document.createElement("li");
        li.className = "pick-none";
        li.setAttribute("role", "option");
        li.setAttribute("aria-disabled", "true");
        li.textContent = found ? empty : "The search did not work. Try again.";
        list.append(li);
      }
      list.hidden = false;
      input.setAttribute("aria-expanded", "true");
      mark(entries.length && query ? 0 : -1);
    };
    input.addEventListener("keydown", (e) => {
      if (e.key === "ArrowDown" || e.key === "ArrowUp") {
        e.preventDefault();
        if (list.hidden) { show(""); return; }
        if (entries.length) mark((at + (e.key === "ArrowDown" ? 1 : -1) + entries.length) % entries.length);
      } else if (e.key === "Enter" && !list.hidden) {
        e.preventDefault();
        e.stopPropagation();
        if (at >= 0) take(at);
      } else if (e.key === "Escape" && !list.hidden) {
        e.preventDefault();
        e.stopPropagation();
        close();
      } else if (e.key === "Tab") { if (!list.hidden && at >= 0 && input.value) take(at); close(); }
    });
    input.addEventListener("blur", close);
    return { show, close };
  }

  // A select, as a box to search in.
  function pick(root) {
    const select = root.querySelector("select");
    const input = document.createElement("input");
    const label = () => (select.value ? select.selectedOptions[0].text : "");
    input.type = "text";
    input.id = select.id;
    input.autocomplete = "off";
    input.spellcheck = false;
    input.required = select.required;
    input.placeholder = select.options[0].value ? "" : select.options[0].text;
    input.setAttribute("value", label());
    for (const a of ["aria-describedby", "aria-invalid"]) if (select.hasAttribute(a)) input.setAttribute(a, select.getAttribute(a));
    select.removeAttribute("id");
    select.required = false;
    select.hidden = true;
    root.prepend(input);
    root.classList.add("pick-select");
    const all = [...select.options].filter((o) => o.value).map((o) => ({ id: o.value, name: o.text }));
    const found = (query) => {
      const q = query.trim().toLowerCase();
      const words = (e) => (e.name + " " + e.id).toLowerCase();
      return all.filter((e) => words(e).includes(q)).sort((a, b) => Number(b.name.toLowerCase().startsWith(q)) - Number(a.name.toLowerCase().startsWith(q)));
    };
    const list = box(input, found, (e) => {
      input.value = e.name;
      if (select.value !== e.id) { select.value = e.id; select.dispatchEvent(new Event("change", { bubbles: true })); }
    }, "No provider has this name.");
    input.addEventListener("input", (e) => { e.stopPropagation(); list.show(input.value); });
    input.addEventListener("change", (e) => e.stopPropagation());
    input.addEventListener("click", () => { input.select(); list.show(""); });
    input.addEventListener("blur", () => { input.value = label(); });
  }

  // Chips: what is chosen, and a box to search for more.
  function chips(root) {
    const ul = root.querySelector(".chips"), input = root.querySelector(".pick input"), name = root.dataset.chips;
    const remover = (li) => {
      const box = li.querySelector("input");
      box.hidden = true;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "chip-remove";
      button.textContent = "×";
      button.setAttribute("aria-label", "Remove " + li.textContent.replace("×", "").trim());
      button.addEventListener("click", () => { li.remove(); input.focus(); });
      li.append(button);
    };
    for (const li of ul.children) remover(li);
    if (!root.dataset.source) return;
    const has = (id) => [...ul.querySelectorAll("input")].some((x) => x.value === id);
    const add = (e) => {
      const li = document.createElement("li"), label = document.createElement("label"), box = document.createElement("input"), text = document.createElement("span");
      li.className = "chip";
      box.type = "checkbox"; box.name = name; box.value = e.id; box.checked = true;
      text.textContent = e.name;
      label.append(box, text);
      li.append(label);
      ul.append(li);
      remover(li);
      input.value = "";
    };
    const list = box(input, async (query) => {
      const reply = await fetch(root.dataset.source + "&q=" + encodeURIComponent(query.trim()), { headers: { Accept: "application/json" } });
      if (!reply.ok) throw new Error(String(reply.status));
      return (await reply.json()).filter((e) => !has(e.id));
    }, add, "Nobody has this name.");
    let wait = 0;
    input.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(() => list.show(input.value), 150); });
    input.addEventListener("click", () => list.show(input.value));
    input.addEventListener("keydown", (e) => {
      if (e.key === "Enter") e.preventDefault();
      if (e.key === "Backspace" && !input.value && ul.lastElementChild) ul.lastElementChild.remove();
    });
  }

  // Keys that were typed stay typed where the server shows the form again: it
  // never sends them back.
  const kept = new Map();
  const key = (x) => [x.form.getAttribute("action"), x.form.elements.modelProvider ? x.form.elements.modelProvider.value : "", x.name].join(" ");
  const secrets = (root) => [...root.querySelectorAll("form [type=password], form textarea")].filter((x) => x.name);
  document.addEventListener("htmx:beforeSwap", () => { for (const x of secrets(document)) if (x.value) kept.set(key(x), x.value); });
  document.addEventListener("htmx:afterSwap", () => { for (const x of secrets(document)) { const v = kept.get(key(x)); if (v && !x.value) x.value = v; } });
  document.getElementById("dialog").addEventListener("close", () => kept.clear());

  function prepare(root) {
    for (const x of root.querySelectorAll("[data-pick]:not([data-ready])")) { x.dataset.ready = ""; pick(x); }
    for (const x of root.querySelectorAll("[data-chips]:not([data-ready])")) { x.dataset.ready = ""; chips(x); }
  }
  prepare(document);
  document.addEventListener("htmx:load", (e) => prepare(e.detail.elt.parentElement || document));
})();
