// What pages gain where scripts run; nothing needs it.
"use strict";

// Times are shown in the zone of whoever reads them: tell the router how far east of UTC that is.
(function () {
  const zone = String(-new Date().getTimezoneOffset());
  const known = document.cookie.split("; ").includes("smartrouter_zone=" + zone);
  if (!known) {
    document.cookie = "smartrouter_zone=" + zone + "; path=/; max-age=31536000; samesite=strict";
  }
})();

// A form that cannot be taken back asks first.
document.addEventListener("submit", function (event) {
  const question = event.target.dataset && event.target.dataset.confirm;
  if (question && !window.confirm(question)) {
    event.preventDefault();
  }
});

// "5 min ago" grows while the page is open.
(function () {
  function relative(seconds) {
    const away = Math.abs(seconds);
    if (away < 45) {
      return seconds >= 0 ? "just now" : "in a moment";
    }
    if (away >= 172800) {
      return null;
    }
    const minutes = Math.round(away / 60);
    const text = minutes < 60 ? minutes + " min" : Math.round(away / 3600) + " h";
    return seconds >= 0 ? text + " ago" : "in " + text;
  }
  window.setInterval(function () {
    for (const element of document.querySelectorAll("time[datetime][title]")) {
      const text = relative((Date.now() - Date.parse(element.dateTime)) / 1000);
      if (text !== null && text !== element.textContent) {
        element.textContent = text;
      }
    }
  }, 20000);
})();
