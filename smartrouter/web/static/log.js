// The log of an open page grows by itself, unless somebody pauses it; without a script there is a link.
"use strict";

(function () {
  const EVERY = 2000; // milliseconds
  const MOST = 500; // rows that are kept
  const live = document.getElementById("live");
  const rows = document.getElementById("rows");
  if (!live || !rows) {
    return;
  }
  const button = document.getElementById("pause");
  const state = document.getElementById("live-state");
  let newest = live.dataset.newest;
  let isPaused = false;
  let isAsking = false;
  live.hidden = false;

  function say(text) {
    if (state.textContent !== text) {
      state.textContent = text;
    }
  }

  async function look() {
    if (isPaused || isAsking || document.hidden) {
      return;
    }
    isAsking = true;
    try {
      const answer = await fetch(live.dataset.url + "&after=" + encodeURIComponent(newest), {
        redirect: "error",
        headers: { Accept: "text/html" },
      });
      if (!answer.ok) {
        throw new Error(String(answer.status));
      }
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (isPaused) {
        return;
      }
      for (const old of rows.querySelectorAll(".fresh")) {
        old.classList.remove("fresh");
      }
      const fresh = Array.from(page.querySelectorAll("tbody > tr"));
      for (const row of fresh) {
        row.classList.add("fresh");
      }
      rows.prepend(...fresh);
      while (rows.rows.length > MOST) {
        rows.lastElementChild.remove();
      }
      newest = answer.headers.get("X-Newest") || newest;
      say("live");
    } catch (error) {
      say("the router does not answer; trying again");
    } finally {
      isAsking = false;
    }
  }

  button.addEventListener("click", function () {
    isPaused = !isPaused;
    button.setAttribute("aria-pressed", String(isPaused));
    button.textContent = isPaused ? "Go on" : "Pause";
    say(isPaused ? "paused" : "live");
    look();
  });
  window.setInterval(look, EVERY);
})();
