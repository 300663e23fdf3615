// Clerk in the browser: sign-in and sign-up pages, signing out, and a session token that stays fresh.
// The page says which instance: <meta name="clerk-publishable-key">, <meta name="clerk-script"> (address of Clerk's script).

const meta = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";

let loading;

/** Clerk, loaded once and on first need; rejects when its script or its server cannot be reached. */
function clerk() {
  loading ??= (async () => {
    await new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = meta("clerk-script");
      script.async = true;
      script.crossOrigin = "anonymous";
      script.dataset.clerkPublishableKey = meta("clerk-publishable-key");
      script.addEventListener("load", resolve);
      script.addEventListener("error", () => reject(new Error("Clerk's script did not load")));
      document.head.append(script);
    });
    await window.Clerk.load();
    return window.Clerk;
  })();
  // A later attempt may find the network back.
  loading.catch(() => (loading = undefined));
  return loading;
}

const cookie = (name) =>
  document.cookie
    .split("; ")
    .find((entry) => entry.startsWith(`${name}=`))
    ?.slice(name.length + 1);

/** Seconds until the session token of this host expires; zero when there is none or it cannot be read. */
function secondsLeft() {
  try {
    const [, payload] = cookie("__session").split(".");
    const { exp } = JSON.parse(atob(payload.replace(/-/g, "+").replace(/_/g, "/")));
    return exp - Date.now() / 1000;
  } catch {
    return 0;
  }
}

/** Have a token that outlives the next request; Clerk writes it into the cookie. Never rejects: the server decides. */
async function freshToken() {
  if (secondsLeft() > 10) return;
  try {
    const instance = await clerk();
    await instance.session?.getToken({ skipCache: true });
  } catch {
    // The request goes out as it is and is answered with the sign-in page.
  }
}

function say(element, text) {
  const status = element.querySelector("[data-clerk-status]") ?? element;
  status.textContent = text;
  status.removeAttribute("aria-busy");
}

async function mount(element) {
  const { clerkMount, afterSignIn = "/", afterSignUp = "/", signInUrl = "/sign-in", signUpUrl = "/sign-up" } = element.dataset;
  try {
    const instance = await clerk();
    // Signed in already, for instance in another tab.
    if (instance.session) {
      location.replace(clerkMount === "sign-up" ? afterSignUp : afterSignIn);
      return;
    }
    const place = document.createElement("div");
    element.replaceChildren(place);
    if (clerkMount === "sign-up") instance.mountSignUp(place, { signInUrl, forceRedirectUrl: afterSignUp, signInForceRedirectUrl: afterSignIn });
    else instance.mountSignIn(place, { signUpUrl, forceRedirectUrl: afterSignIn, signUpForceRedirectUrl: afterSignUp });
  } catch {
    say(element, document.querySelector("#words").dataset.noSignIn);
  }
}

async function signOut(element) {
  const redirectUrl = element.dataset.clerkSignOut || "/";
  try {
    const instance = await clerk();
    await instance.signOut({ redirectUrl });
  } catch {
    location.assign(element.href ?? redirectUrl);
  }
}

/** A form whose token had expired comes back in a page of its own and is sent again, once. */
async function resubmit(form) {
  try {
    const instance = await clerk();
    if (instance.session) {
      await instance.session.getToken({ skipCache: true });
      delete form.dataset.resubmit;
      form.submit();
      return;
    }
  } catch {
    // Falls through to the sign-in page.
  }
  location.assign(form.dataset.signInUrl ?? "/sign-in");
}

if (meta("clerk-publishable-key") && meta("clerk-script")) {
  for (const element of document.querySelectorAll("[data-clerk-mount]")) mount(element);

  const form = document.querySelector("form[data-resubmit]");
  if (form) resubmit(form);

  document.addEventListener("click", (event) => {
    const element = event.target.closest?.("[data-clerk-sign-out]");
    if (!element) return;
    event.preventDefault();
    signOut(element);
  });

  // Signed-in pages only: htmx requests are not navigations, so the server cannot send them through Clerk's handshake.
  if (document.querySelector('meta[name="clerk-signed-in"]')) {
    document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => {
      if (secondsLeft() > 10) return;
      const send = ctx.fetch;
      ctx.fetch = async (...request) => {
        await freshToken();
        return send(...request);
      };
    });
    // The same for a plain form that has been open for a while.
    document.addEventListener("submit", (event) => {
      const sent = event.target;
      if (event.defaultPrevented || sent.method !== "post" || secondsLeft() > 10 || sent.dataset.refreshed) return;
      if ([...sent.attributes].some((attribute) => attribute.name.startsWith("hx-"))) return;
      event.preventDefault();
      sent.dataset.refreshed = "true";
      // A form cannot be submitted while its submit event is under way: wait for the next task.
      setTimeout(async () => {
        await freshToken();
        delete sent.dataset.sent;
        sent.requestSubmit(event.submitter);
      });
    });
  }
}
