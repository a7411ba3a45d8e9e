// Takes over the page anew whenever the folder has changed, without losing one's place.
function startWatching() {
  let version = document.documentElement.dataset.version;
  async function look() {
    try {
      const state = document.getElementById("watch-state");
      const now = await (await fetch("/version", { cache: "no-store" })).text();
      state.textContent = state.dataset.state;
      if (now === version) return;
      const text = await (await fetch("/", { cache: "no-store" })).text();
      const fresh = new DOMParser().parseFromString(text, "text/html");
      const open = [...document.querySelectorAll("details[open]")].map(d => d.dataset.key);
      const chosen = document.querySelector(".choices > input:checked");
      document.getElementById("content").replaceWith(document.importNode(fresh.getElementById("content"), true));
      version = fresh.documentElement.dataset.version;
      document.querySelectorAll("details").forEach(d => { d.open = open.includes(d.dataset.key); });
      if (chosen) document.querySelectorAll(`.choices > input[data-choice="${chosen.dataset.choice}"]`).forEach(i => { i.checked = true; });
      start();
    } catch (error) {
      const state = document.getElementById("watch-state");
      if (state) state.textContent = "the server has ended";
    }
  }
  setInterval(look, 2000);
}
