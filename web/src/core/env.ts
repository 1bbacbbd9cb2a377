// Where the page stands. The document says it, relative to itself, so that any path and any proxy in front will do.

const said = document.documentElement.dataset;

/** The page's root. */
export const root = new URL(said.root ?? "./", location.href);

/** The API's root, with a slash at its end. */
export const apiRoot = new URL(said.api ?? "./api/v1/monitoring/", location.href);
