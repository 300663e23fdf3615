/* The components that can be mounted: plain, accessible DOM, and no inline styles, so that a strict
   Content-Security-Policy holds.  Served in one file with clerk.browser.js, behind it. */
(() => {
  "use strict";

  const SEARCH_FROM_PEOPLE = 6;
  const Clerk = window.Clerk.constructor;
  const call = window.Clerk._call;
  const host = window.Clerk._host;

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

  class Components {
    _loadStyles() {
      return loadStyles();
    }

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
        // A host that is no school is the bare domain: whoever belongs to no school comes first there.
        const onPlatform = !groups.some((group) => group.organization && group.organization.slug === here);
        const own = (group) => ((group.organization ? group.organization.slug === here : onPlatform) ? 0 : 1);
        const ordered = [...groups].sort((one, other) => own(one) - own(other));
        people.replaceChildren(
          ...ordered.map((group, index) => {
            const headingId = `cl-group-${index}`;
            const title = group.organization ? group.organization.name : onPlatform ? "Platform" : "Not in a school yet";
            return element(
              "section",
              { class: "cl-group", "aria-labelledby": headingId },
              element("h2", { class: "cl-group-title", id: headingId }, title),
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

      this._mount(node, "Sign in", "Choose who you are. No password needed.", [
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
      this._mount(node, "Create your account", "No password needed on this machine.", [
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
      menu.addEventListener("toggle", () => {
        // The panel opens towards the side that has room for it.
        const { left } = menu.getBoundingClientRect();
        menu.classList.toggle("cl-menu-start", left < document.documentElement.clientWidth / 2);
      });
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
            element("h1", { class: "cl-title" }, title),
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

  for (const name of Object.getOwnPropertyNames(Components.prototype)) {
    if (name !== "constructor") Clerk.prototype[name] = Components.prototype[name];
  }
})();
