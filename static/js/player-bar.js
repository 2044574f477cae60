// <player-bar hidden>: our bar over the video in place of the browser's. It shows itself; without scripts it never appears.
customElements.define("player-bar", class extends HTMLElement {
  connectedCallback() {
    const video = (this.video = this.closest("resume-player").querySelector("video"));
    this.seek = this.querySelector(".player__seek");
    video.controls = false;
    this.hidden = false;
    this.addEventListener("click", (event) => this.#do(event.target.closest("[data-do]")?.dataset.do));
    this.seek.addEventListener("input", () => { video.currentTime = Number(this.seek.value); });
    video.addEventListener("click", () => this.#do("toggle"));
    for (const name of ["play", "pause", "timeupdate", "loadedmetadata", "seeked"]) {
      video.addEventListener(name, () => this.#draw());
    }
    // Captions stand above the bar.
    for (const track of video.querySelectorAll("track")) {
      track.addEventListener("load", () => { for (const cue of track.track.cues) cue.line = -4; });
    }
    this.parentElement.addEventListener("keydown", (event) => this.#key(event));
  }

  #do(what) {
    const { video } = this;
    if (what === "play") video.play();
    else if (what === "toggle") video.paused ? video.play() : video.pause();
    else if (what === "back") video.currentTime = Math.max(0, video.currentTime - 10);
    else if (what === "speed") this.#speed();
    else if (what === "captions") this.#captions();
    else if (what === "full") document.fullscreenElement ? document.exitFullscreen() : this.parentElement.requestFullscreen();
  }

  #speed() {
    const speeds = [1, 1.25, 1.5, 2, 0.75];
    this.video.playbackRate = speeds[(speeds.indexOf(this.video.playbackRate) + 1) % speeds.length];
    this.querySelector("[data-speed]").textContent = `${this.video.playbackRate}×`;
  }

  // Off, then each language in turn.
  #captions() {
    const tracks = [...this.video.textTracks];
    const next = tracks.findIndex((track) => track.mode === "showing") + 1;
    const shown = tracks.map((_, index) => index === next);
    tracks.forEach((track, index) => { track.mode = shown[index] ? "showing" : "disabled"; });
    this.querySelector("[data-do=captions]").setAttribute("aria-pressed", String(shown.includes(true)));
  }

  #key(event) {
    if (event.target === this.seek || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") this.video.currentTime -= 5;
    else if (event.key === "ArrowRight") this.video.currentTime += 5;
    else if (event.key === " " && event.target.matches("video")) this.#do("toggle");
    else return;
    event.preventDefault();
  }

  #draw() {
    const { video } = this;
    const clock = (s) => `${Math.floor(s / 60)}:${String(Math.floor(s % 60)).padStart(2, "0")}`;
    if (video.duration) {
      this.seek.max = Math.floor(video.duration);
      this.querySelector("[data-length]").textContent = clock(video.duration);
    }
    this.seek.value = Math.floor(video.currentTime);
    this.seek.setAttribute("aria-valuetext", clock(video.currentTime));
    this.querySelector("[data-now]").textContent = clock(video.currentTime);
    this.querySelector("[data-if=paused]").hidden = !video.paused;
    this.querySelector("[data-if=playing]").hidden = video.paused;
    this.parentElement.classList.toggle("player--playing", !video.paused);
    if (video.played.length || !video.paused) {
      this.querySelector(".player__poster")?.remove();
      this.querySelector(".player__start").hidden = !video.paused;
    }
  }
});
