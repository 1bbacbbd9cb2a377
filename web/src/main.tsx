// Takes the document over. It was drawn by the server, and stays as it was where this does not arrive.

import { render } from "preact";
import { App } from "./app";
import { listen } from "./core/keys";
import { follow } from "./core/live";
import { watchForNotices } from "./core/notices";
import "./styles/tokens.css";
import "./styles/base.css";
import "./styles/frame.css";
import "./styles/parts.css";
import "./styles/alerts.css";
import "./styles/charts.css";

/** Change the style sheet: the document was drawn with another, and has this one along, of no medium. */
async function dress(): Promise<void> {
  const [mine, ...plain] = [...document.querySelectorAll<HTMLLinkElement>("link[rel=stylesheet]")].reverse();
  if (!mine) return;
  if (!mine.sheet)
    await new Promise((done, failed) => {
      mine.onload = done;
      mine.onerror = () => failed(new Error("the style sheet did not arrive"));
    });
  mine.media = "all";
  for (const one of plain) one.remove();
}

function take(): void {
  document.body.replaceChildren();
  document.documentElement.classList.add("app");
  listen();
  watchForNotices();
  void follow();
  render(<App />, document.body);
}

void dress().then(take);
