// Home, the Inbox and a device's page follow what happens: when an alert is raised or changes, or a device does,
// the page is read anew. It is not changed under somebody's hands: who is in the middle of it gets a button.
"use strict";

(function () {
  const SOON = 300; // milliseconds in which events that come together are one
  const main = document.getElementById("main");
  if (!main || !window.EventSource || !/^\/(inbox|devices|devices\/[0-9a-f:]{17})?$/.test(location.pathname)) {
    return;
  }
  let stream = null;
  let timer = 0;
  let isFirst = true; // the first status tells nothing new

  function isInUse() {
    const active = document.activeElement;
    return (active && active !== main && main.contains(active)) || main.querySelector("details[open] form, form details[open]");
  }

  function offer(fresh) {
    let notice = document.getElementById("news");
    if (!notice) {
      notice = document.createElement("div");
      notice.id = "news";
      notice.className = "flash plain";
      notice.setAttribute("role", "status");
      main.prepend(notice);
    }
    const button = document.createElement("button");
    button.type = "button";
    button.className = "small";
    button.textContent = "Show what is new";
    button.addEventListener("click", function () {
      show(fresh);
      main.focus();
    });
    notice.replaceChildren(document.createTextNode("Something has changed. "), button);
  }

  function show(fresh) {
    const flashes = main.querySelectorAll(".flash:not(#news)");
    main.replaceChildren(...flashes, ...fresh.getElementById("main").childNodes);
    const controls = document.querySelector(".controls");
    const others = fresh.querySelector(".controls");
    if (controls && others && !controls.contains(document.activeElement)) {
      controls.replaceWith(others);
    }
    document.title = fresh.title;
    if (window.htmx) {
      window.htmx.process(main);
    }
  }

  async function refresh() {
    try {
      const answer = await fetch(location.href, { redirect: "error", headers: { Accept: "text/html", "X-Live": "1" } });
      if (!answer.ok) {
        return;
      }
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (isInUse()) {
        offer(fresh);
      } else {
        show(fresh);
      }
    } catch (error) {
      // The router is away: the stream comes back by itself, and then there is news.
    }
  }

  function hear(event) {
    if (event.type === "status" && isFirst) {
      isFirst = false;
      return;
    }
    window.clearTimeout(timer);
    timer = window.setTimeout(refresh, SOON);
  }

  function follow() {
    if (document.hidden && stream) {
      stream.close(); // a browser has few connections for all its tabs
      stream = null;
    } else if (!document.hidden && !stream) {
      const isBack = !isFirst;
      stream = new EventSource("/api/v1/events");
      for (const name of ["alert", "device", "status", "reset"]) {
        stream.addEventListener(name, hear);
      }
      if (isBack) {
        isFirst = true;
        refresh();
      }
    }
  }

  document.addEventListener("visibilitychange", follow);
  window.addEventListener("pagehide", function () {
    if (stream) {
      stream.close();
      stream = null;
    }
  });
  follow();
})();
