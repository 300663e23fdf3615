/* Stands in for Clerk's browser package: the part of its interface that CourseCove uses, with the same names.
   Components are plain, accessible DOM; no inline styles, so that a strict Content-Security-Policy holds. */
(() => {
  "use strict";

  const script = document.currentScript;
  const REFRESH_MILLISECONDS = 50_000;
  const EXPIRY_MARGIN_SECONDS = 10;
  const YEARS = 315_360_000;
  const SEARCH_FROM_PEOPLE = 6;

  const publishableKey = (script && script.dataset.clerkPublishableKey) || "";
  const frontendApi = atob(publishableKey.replace(/^pk_(test|live)_/, "")).replace(/\$$/, "");
  const scheme = new URL(script.src).protocol;
  const host = `${scheme}//${frontendApi}`;
  const baseDomain = frontendApi.split(":")[0].replace(/^[^.]+\./, "");

  // Talking to the Frontend API

  class ClerkAPIResponseError extends Error {
    constructor(status, errors) {
      super(errors[0] ? errors[0].message : "Something went wrong.");
      this.status = status;
      this.errors = errors;
    }
  }

  async function call(method, path, body) {
    const response = await fetch(host + path, {
      method,
      credentials: "include",
      cache: "no-store",
      headers: body ? { "Content-Type": "application/json" } : {},
      body: body ? JSON.stringify(body) : undefined,
    });
    const document_ = await response.json().catch(() => ({}));
    if (!response.ok) throw new ClerkAPIResponseError(response.status, document_.errors || []);
    return document_;
  }

  // Cookies of the page's own host, and of the base domain

  const secure = location.protocol === "https:" ? "; Secure" : "";

  function rememberToken(jwt) {
    document.cookie = `__session=${jwt}; path=/; SameSite=Lax${secure}`;
  }

  function forgetToken() {
    document.cookie = `__session=; path=/; max-age=0; SameSite=Lax${secure}`;
  }

  function rememberUpdate(seconds) {
    document.cookie =
      `__client_uat=${seconds}; path=/; domain=${baseDomain}; max-age=${YEARS}; SameSite=Lax${secure}`;
  }

  function readPayload(jwt) {
    const part = jwt.split(".")[1].replace(/-/g, "+").replace(/_/g, "/");
    return JSON.parse(atob(part));
  }

  // A little DOM

  function element(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "on") for (const [type, listener] of Object.entries(value)) node.addEventListener(type, listener);
      else if (value === true) node.setAttribute(name, "");
      else if (value !== false && value != null) node.setAttribute(name, value);
    }
    node.append(...children.filter((child) => child != null));
    return node;
  }

  function initialsOf(name) {
    const words = name.trim().split(/\s+/);
    return (words[0][0] + (words.length > 1 ? words[words.length - 1][0] : "")).toUpperCase();
  }

  function avatar(name, id) {
    let sum = 0;
    for (const character of id) sum += character.charCodeAt(0);
    return element("span", { class: `cl-avatar cl-hue-${sum % 8}`, "aria-hidden": "true" }, initialsOf(name));
  }

  let styleSheet = null;
  function loadStyles() {
    styleSheet ??= new Promise((resolve) => {
      const link = element("link", {
        rel: "stylesheet",
        href: `${host}/stand-in.css`,
        on: { load: resolve, error: resolve },
      });
      document.head.append(link);
    });
    return styleSheet;
  }

  function foldedForSearch(text) {
    return text.normalize("NFD").replace(/[\u0300-\u036f]/g, "").toLowerCase();
  }

  class Clerk {
    constructor() {
      this.version = "stand-in";
      this.publishableKey = publishableKey;
      this.frontendApi = frontendApi;
      this.loaded = false;
      this.client = null;
      this.session = null;
      this.user = null;
      this.organization = null;
      this._token = null;
      this._tokenRequest = null;
      this._loading = null;
      this._listeners = new Set();
    }

    get isSignedIn() {
      return this.session !== null;
    }

    load() {
      this._loading ??= this._load();
      return this._loading;
    }

    async _load() {
      const [answer] = await Promise.all([call("GET", "/v1/client"), loadStyles()]);
      this._accept(answer.response);
      if (this.session) await this._refresh();
      else forgetToken();
      rememberUpdate(this.client.uat);
      setInterval(() => {
        if (document.visibilityState === "visible") void this._refresh();
      }, REFRESH_MILLISECONDS);
      document.addEventListener("visibilitychange", () => {
        if (document.visibilityState === "visible" && this._tokenIsOld()) void this._refresh();
      });
      this.loaded = true;
      this._tell();
    }

    addListener(listener) {
      this._listeners.add(listener);
      if (this.loaded) listener(this._resources());
      return () => this._listeners.delete(listener);
    }

    _resources() {
      return { client: this.client, session: this.session, user: this.user, organization: this.organization };
    }

    _tell() {
      for (const listener of this._listeners) listener(this._resources());
    }

    _accept(client) {
      this.client = client;
      const session = client.sessions.find((one) => one.id === client.last_active_session_id);
      this._token = null;
      if (!session) {
        this.session = this.user = this.organization = null;
        return;
      }
      const address = session.user.email_addresses.find((one) => one.id === session.user.primary_email_address_id);
      this.user = {
        id: session.user.id,
        firstName: session.user.first_name,
        lastName: session.user.last_name,
        fullName: [session.user.first_name, session.user.last_name].filter(Boolean).join(" "),
        imageUrl: session.user.image_url,
        primaryEmailAddress: address ? { id: address.id, emailAddress: address.email_address } : null,
        organizationMemberships: session.user.organization_memberships.map((one) => ({
          id: one.id,
          role: one.role,
          organization: { id: one.organization.id, name: one.organization.name, slug: one.organization.slug },
        })),
      };
      const active = this.user.organizationMemberships.find(
        (one) => one.organization.id === session.last_active_organization_id,
      );
      this.organization = active ? active.organization : null;
      this.session = {
        id: session.id,
        status: session.status,
        user: this.user,
        lastActiveOrganizationId: session.last_active_organization_id,
        getToken: (options) => this._getToken(options),
      };
    }

    // Tokens

    _tokenIsOld() {
      return !this._token || readPayload(this._token).exp - EXPIRY_MARGIN_SECONDS <= Date.now() / 1000;
    }

    async _getToken({ skipCache = false } = {}) {
      if (!this.session) return null;
      if (!skipCache && !this._tokenIsOld()) return this._token;
      this._tokenRequest ??= call("POST", `/v1/client/sessions/${this.session.id}/tokens`).finally(() => {
        this._tokenRequest = null;
      });
      const answer = await this._tokenRequest;
      this._token = answer.jwt;
      rememberToken(answer.jwt);
      return answer.jwt;
    }

    async _refresh() {
      if (!this.session) return;
      try {
        await this._getToken({ skipCache: true });
      } catch (error) {
        // Signed out elsewhere, or removed: the next page will notice as well.
        if (error instanceof ClerkAPIResponseError && error.status === 401) this._becomeSignedOut();
      }
    }

    async _becomeSignedIn(answer) {
      this._accept(answer.response);
      await this._getToken({ skipCache: true });
      rememberUpdate(this.client.uat);
      this._tell();
    }

    _becomeSignedOut() {
      this._accept({ ...this.client, sessions: [], last_active_session_id: null, uat: 0 });
      forgetToken();
      rememberUpdate(0);
      this._tell();
    }

    async setActive({ organization }) {
      const wanted = organization && typeof organization === "object" ? organization.id : organization;
      const answer = await call("POST", `/v1/client/sessions/${this.session.id}/touch`, {
        active_organization_id: wanted || null,
      });
      await this._becomeSignedIn(answer);
    }

    async signOut(options = {}) {
      await call("DELETE", "/v1/client/sessions");
      this._becomeSignedOut();
      if (typeof options === "object" && options.redirectUrl) this._go(options.redirectUrl);
    }

    // Going on: only to pages of the base domain, whatever the address bar says.

    _ownUrl(target) {
      try {
        const url = new URL(target, location.href);
        const name = url.hostname;
        const ours = name === baseDomain || name.endsWith(`.${baseDomain}`) || url.origin === location.origin;
        return ours && /^https?:$/.test(url.protocol) ? url.href : null;
      } catch {
        return null;
      }
    }

    _go(target) {
      location.assign(this._ownUrl(target) || "/");
    }

    _destination(props, query) {
      const asked = query.get("redirect_url");
      return props.forceRedirectUrl || asked || props.fallbackRedirectUrl || props.afterSignInUrl || "/";
    }

    // Components

    mountSignIn(node, props = {}) {
      const people = element("div", { class: "cl-people" }, element("p", { class: "cl-muted" }, "Loading people…"));
      const search = element("input", {
        class: "cl-input cl-search",
        type: "search",
        placeholder: "Search by name or e-mail",
        "aria-label": "Search people",
        autocomplete: "off",
        hidden: true,
      });
      const alert = element("p", { class: "cl-alert", role: "alert", hidden: true });
      const status = element("p", { class: "cl-empty", role: "status" });
      search.addEventListener("input", () => filter(search.value));

      function filter(text) {
        const wanted = foldedForSearch(text);
        let found = 0;
        for (const group of people.querySelectorAll(".cl-group")) {
          let shown = 0;
          for (const row of group.querySelectorAll("li")) {
            row.hidden = !foldedForSearch(row.textContent).includes(wanted);
            if (!row.hidden) shown += 1;
          }
          group.hidden = shown === 0;
          found += shown;
        }
        status.textContent = found ? "" : `Nobody matches “${text}”.`;
      }

      const choose = async (person, organization, button) => {
        alert.hidden = true;
        for (const other of people.querySelectorAll("button")) other.disabled = true;
        button.setAttribute("aria-busy", "true");
        try {
          const answer = await call("POST", "/v1/client/sign_ins", {
            user_id: person.user_id,
            organization_id: organization ? organization.id : null,
          });
          await this._becomeSignedIn(answer);
          this._go(this._destination(props, new URLSearchParams(location.search)));
        } catch (error) {
          button.removeAttribute("aria-busy");
          for (const other of people.querySelectorAll("button")) other.disabled = false;
          alert.textContent = error.message;
          alert.hidden = false;
        }
      };

      const show = ({ groups }) => {
        const here = location.hostname.split(".")[0];
        const own = (group) => (group.organization && group.organization.slug === here ? 0 : 1);
        const ordered = [...groups].sort((one, other) => own(one) - own(other));
        people.replaceChildren(
          ...ordered.map((group, index) => {
            const headingId = `cl-group-${index}`;
            const title = group.organization ? group.organization.name : "Not in a school yet";
            return element(
              "section",
              { class: "cl-group", "aria-labelledby": headingId },
              element("h3", { class: "cl-group-title", id: headingId }, title),
              element(
                "ul",
                { class: "cl-list" },
                ...group.people.map((person) => {
                  const button = element(
                    "button",
                    { class: "cl-person", type: "button", on: { click: () => void choose(person, group.organization, button) } },
                    avatar(person.name, person.user_id),
                    element(
                      "span",
                      { class: "cl-person-text" },
                      element("span", { class: "cl-person-name" }, person.name),
                      element("span", { class: "cl-muted" }, person.email),
                    ),
                    person.role ? element("span", { class: `cl-badge cl-badge-${person.role.toLowerCase()}` }, person.role) : null,
                  );
                  return element("li", {}, button);
                }),
              ),
            );
          }),
        );
        const count = groups.reduce((sum, group) => sum + group.people.length, 0);
        search.hidden = count < SEARCH_FROM_PEOPLE;
        if (!count) status.textContent = "There is nobody yet. Create an account to begin.";
      };

      this._mount(node, "Sign in", "Choose who you are. No password on this machine.", [
        alert,
        search,
        people,
        status,
        this._crossLink("New here?", "Create an account", props.signUpUrl),
      ]);
      call("GET", "/v1/client/people").then(show, () => {
        people.replaceChildren();
        alert.textContent = "The list of people could not be loaded.";
        alert.hidden = false;
      });
    }

    mountSignUp(node, props = {}) {
      const alert = element("p", { class: "cl-alert", role: "alert", hidden: true });
      const fields = {};
      const field = (name, label, attributes) => {
        const problem = element("span", { class: "cl-problem", id: `cl-${name}-problem` });
        const input = element("input", { class: "cl-input", name, id: `cl-${name}`, ...attributes });
        fields[name] = { input, problem };
        return element("div", { class: "cl-field" }, element("label", { for: `cl-${name}` }, label), input, problem);
      };
      const complain = (name, text) => {
        const { input, problem } = fields[name];
        problem.textContent = text;
        if (text) {
          input.setAttribute("aria-invalid", "true");
          input.setAttribute("aria-describedby", problem.id);
          input.focus();
        } else {
          input.removeAttribute("aria-invalid");
          input.removeAttribute("aria-describedby");
        }
      };
      const button = element("button", { class: "cl-button", type: "submit" }, "Create account");
      const submit = async (event) => {
        event.preventDefault();
        alert.hidden = true;
        for (const name of Object.keys(fields)) complain(name, "");
        button.disabled = true;
        try {
          const values = Object.fromEntries(Object.entries(fields).map(([name, { input }]) => [name, input.value]));
          await this._becomeSignedIn(await call("POST", "/v1/client/sign_ups", values));
          this._go(this._destination(props, new URLSearchParams(location.search)));
        } catch (error) {
          button.disabled = false;
          const first = (error.errors || [])[0];
          const name = first && first.meta && first.meta.param_name;
          if (name && fields[name]) complain(name, first.message);
          else {
            alert.textContent = error.message;
            alert.hidden = false;
          }
        }
      };
      const form = element(
        "form",
        { class: "cl-form", novalidate: true, on: { submit: (event) => void submit(event) } },
        element(
          "div",
          { class: "cl-pair" },
          field("first_name", "Given name", { autocomplete: "given-name", required: true }),
          field("last_name", "Family name", { autocomplete: "family-name" }),
        ),
        field("email_address", "E-mail", { type: "email", autocomplete: "email", required: true }),
        button,
      );
      this._mount(node, "Create your account", "No password on this machine.", [
        alert,
        form,
        this._crossLink("Already have an account?", "Sign in", props.signInUrl),
      ]);
    }

    mountUserButton(node, props = {}) {
      if (!this.user) {
        node.replaceChildren();
        return;
      }
      const name = this.user.fullName || this.user.primaryEmailAddress.emailAddress;
      const leave = element(
        "button",
        {
          class: "cl-menu-item",
          type: "button",
          on: { click: () => void this.signOut({ redirectUrl: props.afterSignOutUrl || "/" }) },
        },
        "Sign out",
      );
      const menu = element(
        "details",
        { class: "cl-menu" },
        element("summary", { class: "cl-menu-button", "aria-label": `Account of ${name}` }, avatar(name, this.user.id)),
        element(
          "div",
          { class: "cl-menu-panel" },
          element("span", { class: "cl-strong" }, name),
          element("span", { class: "cl-muted" }, this.user.primaryEmailAddress.emailAddress),
          leave,
        ),
      );
      menu.addEventListener("keydown", (event) => {
        if (event.key !== "Escape" || !menu.open) return;
        menu.open = false;
        menu.firstElementChild.focus();
      });
      document.addEventListener("click", (event) => {
        if (!menu.contains(event.target)) menu.open = false;
      });
      node.replaceChildren(element("div", { class: "cl-root" }, menu));
    }

    unmountSignIn(node) {
      node.replaceChildren();
    }

    unmountSignUp(node) {
      node.replaceChildren();
    }

    unmountUserButton(node) {
      node.replaceChildren();
    }

    _mount(node, title, subtitle, children) {
      node.replaceChildren(
        element(
          "div",
          { class: "cl-root" },
          element(
            "div",
            { class: "cl-card" },
            element("h2", { class: "cl-title" }, title),
            element("p", { class: "cl-subtitle" }, subtitle),
            ...children,
            element("p", { class: "cl-note" }, "Local stand-in for Clerk"),
          ),
        ),
      );
    }

    _crossLink(question, text, url) {
      const target = url && this._ownUrl(url);
      if (!target) return null;
      const link = new URL(target);
      const asked = new URLSearchParams(location.search).get("redirect_url");
      if (asked) link.searchParams.set("redirect_url", asked);
      return element("p", { class: "cl-cross" }, `${question} `, element("a", { href: link.href }, text));
    }
  }

  window.Clerk = new Clerk();
})();
