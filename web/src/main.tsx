// Takes the document over. It was drawn by the server, and stays as it was where this, or what it wants to show, does not arrive.

import { effect } from "@preact/signals";
import { render } from "preact";
import { App } from "./app";
import { keyWanted } from "./core/api";
import { listen } from "./core/keys";
import { follow, overview, trouble } from "./core/live";
import { watchForNotices } from "./core/notices";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/parts.css";
import "./styles/alerts.css";
import "./styles/charts.css";

/** The document's style sheets: the page's own, which came along and is of no medium, and what the document was drawn with. */
const [mine, ...plain] = [...document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")].reverse();

const dressed = new Promise<void>((done, failed) => {
  if (!mine || mine.sheet) return done();
  mine.onload = () => done();
  mine.onerror = () => failed(new Error("the style sheet did not arrive"));
});

/** There is something to show. Until then what the server drew says more than an empty page. */
const known = new Promise<void>((done) => {
  effect(() => {
    if (overview.value || trouble.value || keyWanted.value) done();
  });
});

function take(): void {
  if (mine) mine.media = "all";
  for (const one of plain) one.remove();
  document.body.replaceChildren();
  document.documentElement.classList.add("app");
  listen();
  watchForNotices();
  render(<App />, document.body);
}

void follow();
void Promise.all([dressed, known]).then(take);
