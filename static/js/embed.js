// In a frame of the school's own website: tell the site around how high the page is, and open everything but the
// catalogue and its times in a window of its own, where the address can be seen and one can sign in.

const around = document.querySelector('meta[name="framed-by"]')?.content;
if (around && window.parent !== window) {
  let told = 0;
  const tell = () => {
    const height = Math.ceil(document.body.getBoundingClientRect().height);
    if (height === told) return;
    told = height;
    window.parent.postMessage({ source: "coursecove", height }, around);
  };
  new ResizeObserver(tell).observe(document.body);
  tell();
}

function leadOut() {
  for (const link of document.querySelectorAll("a[href]")) {
    const { origin, pathname } = new URL(link.href, location.href);
    if (origin === location.origin && /^\/embed(\/|$)/.test(pathname)) continue;
    link.target = "_blank";
    link.rel = "noopener";
  }
}
document.addEventListener("htmx:after:swap", leadOut);
leadOut();
