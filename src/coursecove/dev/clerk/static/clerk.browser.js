/* Stands in for Clerk's browser package: the part of its interface that CourseCove uses, with the same names.
   Served in one file with components.js, which adds what can be mounted. */
(() => {
  "use strict";

  const script = document.currentScript;
  const REFRESH_MILLISECONDS = 50_000;
  const EXPIRY_MARGIN_SECONDS = 10;
  const YEARS = 315_360_000;

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
      this._host = host;
      this._call = call;
    }

    get isSignedIn() {
      return this.session !== null;
    }

    load() {
      this._loading ??= this._load();
      return this._loading;
    }

    async _load() {
      const [answer] = await Promise.all([call("GET", "/v1/client"), this._loadStyles()]);
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
  }

  window.Clerk = new Clerk();
})();
