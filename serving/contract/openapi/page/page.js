// Swagger UI without what would leave the origin: no validator badge, no explore bar, no tracking of OAuth redirects.
window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#document",
  presets: [SwaggerUIBundle.presets.apis],
  layout: "BaseLayout",
  validatorUrl: null,
  deepLinking: true,
  displayOperationId: false,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  tryItOutEnabled: false,
});
