// The page of the API's documentation. It asks nothing of the network but the document itself.
const place = document.getElementById("api-docs");
const root = document.documentElement;

// Swagger UI has its own name for the dark theme.
const follow = () => root.classList.toggle("dark-mode", root.classList.contains("dark"));
new MutationObserver(follow).observe(root, { attributes: true, attributeFilter: ["class"] });
follow();

window.SwaggerUIBundle({
  domNode: place,
  url: place.dataset.url,
  validatorUrl: null, // Without this it would send the document's address to a validator on the internet.
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
});
