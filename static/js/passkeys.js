// <passkey-button hidden>: asks the device for a passkey, or with `makes` for a new one, and sends the answer with the form
// around it. Attributes: challenge (where the options are), autofill (offer passkeys in the field whose autocomplete says
// webauthn, too), and what to say: cancelled, known, away, broken. It shows itself where the browser can, and takes away
// the [data-cannot] behind it. An IP address has no passkeys.
(() => {
  const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer)))
    .replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  const PARTS = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  // A challenge is good for five minutes; one that waits in the field is made anew before.
  const AGAIN = 4 * 60_000;
  const SAID = { NotAllowedError: "cancelled", AbortError: "cancelled", InvalidStateError: "known", Away: "away" };

  const packed = ({ id, rawId, type, authenticatorAttachment, response }) => {
    const said = { transports: response.getTransports?.() };
    for (const part of PARTS) if (response[part]) said[part] = text(response[part]);
    return JSON.stringify({ id, rawId: text(rawId), type, authenticatorAttachment, response: said });
  };

  customElements.define("passkey-button", class extends HTMLElement {
    #offered = null;
    #fetched = Promise.resolve();

    connectedCallback() {
      if (!globalThis.PublicKeyCredential || /^[\d.]+$|^\[/.test(location.hostname)) return;
      this.button = this.querySelector("button");
      this.hidden = false;
      if (this.nextElementSibling?.matches("[data-cannot]")) this.nextElementSibling.remove();
      this.button.addEventListener("click", (event) => {
        event.preventDefault();
        this.#ask();
      });
      if (this.hasAttribute("autofill")) this.#offer();
    }

    disconnectedCallback() {
      this.#offered?.abort();
    }

    async #ask() {
      if (this.button.getAttribute("aria-disabled") === "true") return;
      this.#offered?.abort();
      this.#say("");
      this.button.setAttribute("aria-disabled", "true");
      try {
        const way = this.hasAttribute("makes") ? "create" : "get";
        this.#send(await navigator.credentials[way]({ publicKey: await this.#options() }));
      } catch (error) {
        this.button.setAttribute("aria-disabled", "false");
        this.#say(this.getAttribute(SAID[error.name] ?? "broken"));
        if (this.hasAttribute("autofill")) this.#offer();
      }
    }

    // Nobody asked for this one, so nobody is told when it fails; the button is still there.
    async #offer() {
      if (!(await PublicKeyCredential.isConditionalMediationAvailable?.())) return;
      const offered = (this.#offered = new AbortController());
      const { signal } = offered;
      const timer = setTimeout(() => offered.abort("again"), AGAIN);
      try {
        this.#send(await navigator.credentials.get({ mediation: "conditional", publicKey: await this.#options(), signal }));
      } catch {
        if (signal.reason === "again") this.#offer();
      } finally {
        clearTimeout(timer);
      }
    }

    // One after the other: the first answer brings the cookie that all challenges of this browser are bound to.
    #options() {
      return (this.#fetched = this.#fetched.catch(() => {}).then(() => this.#fetch()));
    }

    async #fetch() {
      const answer = await fetch(this.getAttribute("challenge"), { method: "POST" }).catch(() => null);
      if (answer?.redirected) {
        location.assign(answer.url); // a sign-in comes first
        return new Promise(() => {});
      }
      if (!answer?.ok) throw Object.assign(new Error(), { name: "Away" });
      const options = await answer.json();
      options.challenge = bytes(options.challenge);
      if (options.user) options.user.id = bytes(options.user.id);
      for (const one of [...(options.allowCredentials ?? []), ...(options.excludeCredentials ?? [])]) one.id = bytes(one.id);
      return options;
    }

    #send(credential) {
      this.querySelector("[name=credential]").value = packed(credential);
      this.button.form.requestSubmit(this.button);
    }

    #say(words) {
      this.querySelector("[data-said]").textContent = words;
    }
  });
})();
