// What pages need beyond htmx: dialogs, toasts, menus, tabs, copying, steps.
// Every page works without it, save the playground.
"use strict";
(() => {
  const csrf = document.body.dataset.csrf || "";
  const dialog = document.getElementById("dialog");
  const body = document.getElementById("dialog-body");
  const toasts = document.getElementById("toasts");
  let opener = null;

  document.addEventListener("htmx:configRequest", (e) => {
    if (csrf) e.detail.headers["X-CSRF-Token"] = csrf;
  });

  // Toasts
  function settle(toast) {
    const button = toast.querySelector("[data-dismiss]");
    if (button) { button.hidden = false; button.addEventListener("click", () => toast.remove()); }
    setTimeout(() => { if (!toast.matches(":hover, :focus-within")) toast.remove(); }, 8000);
  }
  function complain(text) {
    const toast = document.getElementById("failed-toast").content.firstElementChild.cloneNode(true);
    toast.querySelector("span").textContent = text;
    toasts.append(toast);
    if (dialog.open) dialog.append(toasts); // what is outside of an open dialog lies beneath it
    settle(toast);
  }
  for (const toast of document.querySelectorAll("[data-toast]")) settle(toast);
  document.addEventListener("htmx:sendError", () => complain("The gateway can’t be reached. Try again."));
  document.addEventListener("htmx:responseError", (e) => {
    if (e.detail.xhr.status === 401) { location.reload(); return; }
    const page = new DOMParser().parseFromString(e.detail.xhr.responseText, "text/html");
    const said = page.querySelector(".problem p");
    complain(said ? said.textContent : "That did not work. Try again.");
  });

  // Dialogs: a form that is a page of its own is shown over the page.
  function openDialog(path) {
    htmx.ajax("GET", path, { target: body, select: "#form", swap: "innerHTML" }).then(() => {
      if (!body.firstElementChild) { location.assign(path); return; }
      if (dialog.open) return;
      dialog.showModal(); // it puts the cursor where autofocus is, else to the first thing
    });
  }
  document.addEventListener("click", (e) => {
    const link = e.target.closest("a[data-dialog]");
    if (link && !e.metaKey && !e.ctrlKey && !e.shiftKey) {
      e.preventDefault();
      opener = link;
      openDialog(link.getAttribute("href"));
      return;
    }
    if (dialog.open && e.target.closest("#dialog [data-close]")) { e.preventDefault(); dialog.close(); return; }
    if (dialog.open && e.target.closest("#dialog [data-reload]")) { e.preventDefault(); location.reload(); return; }
    if (e.target === dialog && !dirty()) dialog.close();
  });
  dialog.addEventListener("close", () => { body.replaceChildren(); dialog.after(toasts); if (opener) opener.focus(); });
  // A click beside the dialog does not throw away what was typed.
  function dirty() {
    return [...body.querySelectorAll("input, textarea, select")].some((x) =>
      x.type === "checkbox" || x.type === "radio" ? x.checked !== x.defaultChecked
        : x.tagName === "SELECT" ? [...x.options].some((o) => o.selected !== o.defaultSelected) && x.selectedIndex > 0
          : x.type !== "hidden" && x.value !== x.defaultValue);
  }

  // Forms: sent once; in a dialog without leaving the page.
  document.addEventListener("submit", (e) => {
    const form = e.target;
    if (form.matches("[data-theme-form]")) { e.preventDefault(); setTheme(form, e.submitter.value); return; }
    if (form.closest("#dialog") && form.matches("[data-form]")) {
      e.preventDefault();
      const values = Object.fromEntries([...new Set([...new FormData(form).keys()])].map((k) => [k, new FormData(form).getAll(k)]));
      const button = form.querySelector(".form-end .button:last-child");
      if (button) button.disabled = true;
      htmx.ajax("POST", form.getAttribute("action"), { target: body, select: "#form, #shown", swap: "innerHTML", values })
        .finally(() => { if (button) button.disabled = false; });
      return;
    }
    if (form.method === "post" && !form.hasAttribute("hx-post")) {
      setTimeout(() => { for (const b of form.querySelectorAll("button:not([type=button])")) b.disabled = true; });
    }
  });
  window.addEventListener("pageshow", () => { for (const b of document.querySelectorAll("form button:disabled")) b.disabled = false; });

  function setTheme(form, theme) {
    if (theme) document.documentElement.dataset.theme = theme; else delete document.documentElement.dataset.theme;
    for (const b of document.querySelectorAll("[data-theme-form] button")) b.setAttribute("aria-pressed", String(b.value === theme));
    fetch(form.action, {
      method: "POST", keepalive: true, body: new URLSearchParams({ theme }), // it is sent even if one goes on at once
      headers: { "X-CSRF-Token": csrf, "X-Requested-With": "fetch" },
    });
  }

  // Keyboard: "/" searches; arrows move in menus and tabs; Escape closes.
  document.addEventListener("keydown", (e) => {
    const typing = e.target.closest("input, textarea, select, [contenteditable]");
    if (e.key === "/" && !typing && !e.ctrlKey && !e.metaKey && !e.altKey && !dialog.open) {
      const search = document.querySelector("[data-search]");
      if (search) { e.preventDefault(); search.focus(); search.select(); }
      return;
    }
    const menu = e.target.closest("details[data-menu], details.menu-toggle");
    if (e.key === "Escape" && menu && menu.open) { menu.open = false; menu.querySelector("summary").focus(); return; }
    if (e.key === "Escape" && e.target.matches("[data-search]") && e.target.value) {
      e.preventDefault();
      e.target.value = "";
      e.target.dispatchEvent(new Event("input", { bubbles: true }));
      return;
    }
    if (menu && (e.key === "ArrowDown" || e.key === "ArrowUp")) {
      const items = [...menu.querySelectorAll("summary, a, button")].filter((x) => x.offsetParent !== null);
      e.preventDefault();
      if (!menu.open) menu.open = true;
      const at = items.indexOf(document.activeElement) + (e.key === "ArrowDown" ? 1 : -1);
      (items[(at + items.length) % items.length] || items[0]).focus();
    }
    const tab = e.target.closest('[role="tab"]');
    if (tab && ["ArrowRight", "ArrowLeft", "Home", "End"].includes(e.key)) {
      const all = [...tab.parentElement.children];
      const next = e.key === "Home" ? 0 : e.key === "End" ? all.length - 1
        : (all.indexOf(tab) + (e.key === "ArrowRight" ? 1 : -1) + all.length) % all.length;
      e.preventDefault();
      choose(all[next]);
      all[next].focus();
    }
  });
  document.addEventListener("click", (e) => {
    for (const open of document.querySelectorAll("details[data-menu][open], details.menu-toggle[open]")) {
      if (!open.contains(e.target)) open.open = false;
    }
  });

  // Tabs: without this script the panels stand below each other.
  function choose(tab) {
    for (const t of tab.parentElement.children) {
      t.setAttribute("aria-selected", String(t === tab));
      t.tabIndex = t === tab ? 0 : -1;
      document.getElementById(t.getAttribute("aria-controls")).hidden = t !== tab;
    }
    tab.parentElement.scrollLeft = tab.offsetLeft - tab.parentElement.offsetLeft - 24;
    const key = tab.parentElement.dataset.remember;
    if (key) { try { localStorage.setItem("sluice-tab-" + key, tab.id); } catch { /* not kept */ } }
  }

  // Steps of a form.
  function step(form) {
    const steps = [...form.querySelectorAll(".step")];
    const list = document.createElement("ol");
    list.className = "steps";
    for (const s of steps) { const li = document.createElement("li"); li.textContent = s.getAttribute("aria-label"); list.append(li); }
    steps[0].before(list);
    const end = form.querySelector(".form-end");
    const submit = end.querySelector(".button:last-child");
    const make = (text, name) => { const b = document.createElement("button"); b.type = "button"; b.className = "button " + name; b.textContent = text; return b; };
    const back = make("Back", "step-back"), next = make("Next", "button-main");
    end.prepend(back);
    end.append(next);
    let at = Math.max(0, steps.findIndex((s) => s.querySelector(".field-bad")));
    const show = () => {
      steps.forEach((s, i) => { s.hidden = i !== at; if (i === at) list.children[i].setAttribute("aria-current", "step"); else list.children[i].removeAttribute("aria-current"); });
      back.hidden = at === 0;
      next.hidden = at === steps.length - 1;
      submit.hidden = at !== steps.length - 1;
    };
    const valid = () => [...steps[at].querySelectorAll("input, select, textarea")].every((x) => x.reportValidity());
    const move = (by) => {
      at += by;
      show();
      const first = steps[at].querySelector("input:not([type=hidden]), select, textarea");
      if (first) first.focus();
    };
    back.addEventListener("click", () => move(-1));
    next.addEventListener("click", () => { if (valid()) move(1); });
    form.addEventListener("keydown", (e) => {
      if (e.key === "Enter" && e.target.matches("input") && at < steps.length - 1) { e.preventDefault(); if (valid()) move(1); }
    });
    show();
  }

  // What pages bring with them, and what htmx brings later.
  function prepare(root) {
    for (const list of root.querySelectorAll("[data-tabs]:not([data-ready])")) {
      list.dataset.ready = "";
      list.hidden = false;
      let kept = null;
      try { kept = localStorage.getItem("sluice-tab-" + list.dataset.remember); } catch { /* not kept */ }
      for (const t of list.children) t.addEventListener("click", () => choose(t));
      for (const h of document.querySelectorAll(`[data-tab-title="${list.dataset.tabs}"]`)) h.hidden = true;
      choose([...list.children].find((t) => t.id === kept) || list.children[0]);
    }
    for (const button of root.querySelectorAll("[data-copy]:not([data-ready])")) {
      button.dataset.ready = "";
      button.hidden = false;
      button.addEventListener("click", async () => {
        const label = button.querySelector("span");
        const before = label ? label.textContent : "";
        try {
          await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
          if (label) { label.textContent = "Copied"; setTimeout(() => { label.textContent = before; }, 1600); }
        } catch { complain("The browser did not let the page copy. Select the text and copy it yourself."); }
      });
    }
    for (const form of root.querySelectorAll("form[data-steps]:not([data-ready])")) { form.dataset.ready = ""; step(form); }
    for (const x of root.querySelectorAll("[data-needs-script]")) x.hidden = false;
  }
  prepare(document);
  document.addEventListener("htmx:load", (e) => prepare(e.detail.elt.parentElement || document));
})();
