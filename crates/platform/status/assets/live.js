// Keeps the page up to date while it is looked at: the server says when something changed, and the page is fetched anew.
"use strict";
(() => {
  const note = document.getElementById("live");
  let fetching = false;
  let again = false;
  const fresh = async () => {
    if (fetching) { again = true; return; }
    fetching = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok && answer.status !== 404) throw new Error(answer.statusText);
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      const open = [...document.querySelectorAll("main details")].map((details) => details.open);
      const scrolled = [...document.querySelectorAll("main .scroll")].map((box) => box.scrollLeft);
      // Nothing is taken from somebody who stands on it with the keyboard, or marks it.
      const main = document.querySelector("main");
      const busy = main.contains(document.activeElement) || !getSelection().isCollapsed;
      if (!busy) {
        main.replaceWith(page.querySelector("main"));
        document.querySelectorAll("main details").forEach((details, at) => { details.open = open[at] ?? false; });
        document.querySelectorAll("main .scroll").forEach((box, at) => { box.scrollLeft = scrolled[at] ?? 0; });
      }
      document.querySelector("#age time").replaceWith(page.querySelector("#age time"));
      note.textContent = "It is kept up to date.";
    } catch {
      note.textContent = "It cannot be kept up to date just now; trying again.";
    } finally {
      fetching = false;
      if (again) { again = false; fresh(); }
    }
  };
  let source;
  const listen = () => {
    source = new EventSource("/live?path=" + encodeURIComponent(location.pathname));
    source.onmessage = fresh;
    source.onopen = () => { note.textContent = "It is kept up to date."; };
    source.onerror = () => { note.textContent = "It cannot be kept up to date just now; trying again."; };
  };
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { source?.close(); source = undefined; } else if (!source) { listen(); fresh(); }
  });
  if (!document.hidden) listen();
  document.addEventListener("keydown", (event) => {
    const typing = /^(input|textarea|select)$/i.test(document.activeElement?.tagName ?? "");
    if (event.key === "/" && !typing && !event.ctrlKey && !event.metaKey) {
      event.preventDefault();
      document.getElementById("q").focus();
    }
  });
})();
