// Shows /openapi.json. "Authorize" takes a token, which stays in this page's memory:
// it is gone with the page, and "Try it out" sends it to this host alone.
window.ui = SwaggerUIBundle({
  url: '/openapi.json',
  dom_id: '#docs',
  deepLinking: true,
  displayRequestDuration: true,
  docExpansion: 'list',
  defaultModelsExpandDepth: 0,
  persistAuthorization: false,
  tryItOutEnabled: true,
  // The usual value shows a badge from a validator on another host.
  validatorUrl: null,
  syntaxHighlight: { activated: true, theme: 'agate' },
});
