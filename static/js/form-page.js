// A form of a visitor: asks for its stamp when it is first touched, so that the page itself may be kept by caches.
const form = document.getElementById("fill");
const stamp = form?.elements.stamp;

async function fetchStamp() {
  if (!stamp.value) stamp.value = await (await fetch(form.dataset.stamp, { cache: "no-store" })).text();
}
form?.addEventListener("focusin", fetchStamp, { once: true });
form?.addEventListener("pointerover", fetchStamp, { once: true });
