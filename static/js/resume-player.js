// <resume-player save-url resume prev-url next-url>: starts where the learner stopped, keeps the second every ten seconds,
// on pause and on leaving; j and k go to the previous and the next lesson; times in the transcript seek.
customElements.define("resume-player", class extends HTMLElement {
  #kept = -1;
  #stop = new AbortController();

  connectedCallback() {
    this.video = this.querySelector("video");
    const on = (at, name, act) => at.addEventListener(name, act, { signal: this.#stop.signal });
    const from = Number(this.getAttribute("resume"));
    const restore = () => {
      if (from > 0 && from < this.video.duration - 5) this.video.currentTime = from;
    };
    if (this.video.readyState > 0) restore();
    else on(this.video, "loadedmetadata", restore);

    on(this.video, "timeupdate", () => {
      if (Math.abs(this.video.currentTime - this.#kept) >= 10 && !this.video.paused) this.keep();
      this.#follow();
    });
    on(this.video, "pause", () => this.keep());
    on(this.video, "ended", () => this.keep());
    // A film that stops may have been closed meanwhile: the page itself knows.
    on(this.video, "error", () => fetch(location, { method: "HEAD" }).then((answer) => this.#hear(answer), () => {}));
    on(document, "visibilitychange", () => document.hidden && this.keep(true));
    on(window, "pagehide", () => this.keep(true));
    on(document, "keydown", (event) => this.#key(event));
    on(document, "click", (event) => this.#seek(event));
  }

  disconnectedCallback() {
    this.keep(true);
    this.#stop.abort();
  }

  // A page that is leaving may not wait for an answer; a beacon is sent all the same.
  keep(leaving = false) {
    const url = this.getAttribute("save-url");
    const second = Math.floor(this.video.currentTime);
    if (!url || second === this.#kept || !this.video.played.length) return;
    this.#kept = second;
    const body = new URLSearchParams({ position: second });
    if (leaving) navigator.sendBeacon(url, body);
    else fetch(url, { method: "POST", body, keepalive: true }).then((answer) => this.#hear(answer), () => { this.#kept = -1; });
  }

  // Signed out, or access has ended: say so once, and stop asking.
  #hear({ status, redirected }) {
    const words = this.querySelector("template[data-closed]"), place = document.getElementById("notices");
    if (!redirected && status !== 403 && status !== 404) return;
    this.removeAttribute("save-url");
    if (words && place) place.replaceChildren(words.content.cloneNode(true));
    place?.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, textarea, select")) return;
    const to = { j: "prev-url", k: "next-url" }[event.key];
    if (to && this.getAttribute(to)) location.assign(this.getAttribute(to));
  }

  #seek(event) {
    const time = event.target.closest?.("[data-seek]");
    if (!time) return;
    event.preventDefault();
    this.video.currentTime = Number(time.dataset.seek);
    this.video.play();
  }

  // The paragraph that is being said is marked in the transcript.
  #follow() {
    const times = [...document.querySelectorAll("[data-seek]")];
    const now = times.findLast((time) => Number(time.dataset.seek) <= this.video.currentTime);
    for (const time of times) {
      if (time === now) time.setAttribute("aria-current", "true");
      else time.removeAttribute("aria-current");
      time.closest("li")?.classList.toggle("transcript__para--now", time === now);
    }
  }
});
