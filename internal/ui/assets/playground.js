// The playground: asks the endpoint through the UI's server and shows the
// answer as it comes. All text is set as text.
"use strict";
(() => {
  const root = document.getElementById("play");
  if (!root) return;
  const at = (id) => document.getElementById(id);
  const log = at("play-log"), form = at("play-form"), text = at("play-text"), send = at("play-send"), stop = at("play-stop"), fresh = at("play-new");
  const kind = root.dataset.kind;
  let history = [];
  let running = null;

  function node(name, cls, content) {
    const x = document.createElement(name);
    if (cls) x.className = cls;
    if (content !== undefined) x.textContent = content;
    return x;
  }

  function show(who, cls, content) {
    const box = node("article", "play-message " + cls);
    box.append(node("p", "play-who", who), node("div", "play-text", content));
    log.append(box);
    log.scrollTop = log.scrollHeight;
    return box;
  }

  const number = (id) => { const x = at(id); return x && x.value !== "" ? Number(x.value) : undefined; };

  function question(said) {
    const q = { temperature: number("play-temperature"), maxTokens: number("play-max") };
    if (kind !== "chat") return { ...q, text: said };
    const system = at("play-system").value.trim();
    return { ...q, messages: [...(system ? [{ role: "system", content: system }] : []), ...history] };
  }

  // Events of the stream, one after another: [name, data].
  async function* events(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { value, done } = await reader.read();
      if (done) return;
      rest += value.replaceAll("\r\n", "\n");
      for (let end; (end = rest.indexOf("\n\n")) >= 0; rest = rest.slice(end + 2)) {
        let name = "message";
        const data = [];
        for (const line of rest.slice(0, end).split("\n")) {
          if (line.startsWith("event:")) name = line.slice(6).trim();
          if (line.startsWith("data:")) data.push(line.slice(5).trimStart());
        }
        if (data.length) yield [name, data.join("\n")];
      }
    }
  }

  function fail(box, words) {
    const notice = node("div", "notice notice-bad", words);
    notice.setAttribute("role", "alert");
    box.querySelector(".play-text").after(notice);
  }

  const time = (ms) => ms < 1000 ? Math.round(ms) + " ms" : (ms / 1000).toFixed(1) + " s";
  const count = (n) => n.toLocaleString("en");

  function facts(box, r) {
    const line = node("p", "play-facts");
    const add = (words) => line.append(node("span", "", words));
    if (r.first) add(time(r.first) + " to the first token");
    if (r.total) add(time(r.total) + " in all");
    if (r.usage) {
      if (r.usage.prompt_tokens !== undefined) add(count(r.usage.prompt_tokens) + " tokens in");
      if (r.usage.completion_tokens) add(count(r.usage.completion_tokens) + " out");
    }
    if (r.reason && r.reason !== "stop") add(r.reason === "length" ? "cut off: the most tokens were reached" : "ended: " + r.reason);
    if (r.exchange) {
      const item = node("span", "", "exchange ");
      const id = root.dataset.audit ? node("a", "", r.exchange) : node("code", "", r.exchange);
      if (root.dataset.audit) id.href = root.dataset.audit + encodeURIComponent(r.exchange);
      item.append(id);
      line.append(item);
    }
    box.append(line);
  }

  function embedding(answer) {
    const v = answer.data && answer.data[0] && answer.data[0].embedding;
    if (!Array.isArray(v)) return JSON.stringify(answer, null, 2);
    return count(v.length) + " numbers:\n" + v.slice(0, 8).map((x) => x.toFixed(5)).join(", ") + (v.length > 8 ? ", …" : "");
  }

  function ask(said) {
    const box = show(kind === "chat" ? "Model" : "Answer", "from-model running", "");
    const out = box.querySelector(".play-text");
    const r = { start: performance.now() };
    running = new AbortController();
    send.disabled = true;
    stop.hidden = false;
    return take(said, box, out, r).catch((e) => {
      if (e.name !== "AbortError") fail(box, "The gateway can’t be reached. Try again.");
      else r.reason = "stopped";
    }).finally(() => {
      r.total = performance.now() - r.start;
      box.classList.remove("running");
      facts(box, r);
      if (kind === "chat") {
        if (out.textContent) history.push({ role: "assistant", content: out.textContent });
        else { history.pop(); if (!text.value) text.value = said; }
      }
      running = null;
      send.disabled = false;
      stop.hidden = true;
      fresh.hidden = false;
      log.scrollTop = log.scrollHeight;
      text.focus();
    });
  }

  async function take(said, box, out, r) {
    const reply = await fetch(root.dataset.try, {
      method: "POST", signal: running.signal, body: JSON.stringify(question(said)),
      headers: { "Content-Type": "application/json", "X-CSRF-Token": document.body.dataset.csrf },
    });
    if (!reply.ok) {
      const page = new DOMParser().parseFromString(await reply.text(), "text/html").querySelector(".problem p");
      fail(box, page ? page.textContent : "The gateway answered with status " + reply.status + ".");
      return;
    }
    for await (const [name, data] of events(reply.body)) {
      if (data === "[DONE]") continue;
      const value = JSON.parse(data);
      if (name === "start") { r.exchange = value.exchange; continue; }
      if (name === "answer") {
        r.usage = value.usage;
        out.textContent = kind === "embeddings" ? embedding(value) : value.choices && value.choices[0] ? value.choices[0].text || value.choices[0].message.content : JSON.stringify(value, null, 2);
        continue;
      }
      if (name === "error" || value.error) { const e = value.error || value; fail(box, e.message + (e.code ? " (" + e.code + ")" : "")); continue; }
      if (value.usage) r.usage = value.usage;
      const choice = value.choices && value.choices[0];
      if (!choice) continue;
      const more = choice.delta ? choice.delta.content : choice.text;
      if (more) {
        if (!r.first) r.first = performance.now() - r.start;
        const follow = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
        out.append(more);
        if (follow) log.scrollTop = log.scrollHeight;
      }
      if (choice.finish_reason) r.reason = choice.finish_reason;
    }
  }

  form.addEventListener("submit", (e) => {
    e.preventDefault();
    const said = text.value.trim();
    if (!said || running) return;
    show("You", "from-user", said);
    if (kind === "chat") history.push({ role: "user", content: said });
    text.value = "";
    ask(said);
  });
  text.addEventListener("keydown", (e) => {
    if (e.key === "Enter" && !e.shiftKey && !e.isComposing) { e.preventDefault(); form.requestSubmit(); }
  });
  stop.addEventListener("click", () => { if (running) running.abort(); });
  fresh.addEventListener("click", () => {
    if (running) running.abort();
    history = [];
    log.replaceChildren();
    fresh.hidden = true;
    text.focus();
  });
})();
