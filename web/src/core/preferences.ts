// How somebody wants the page: remembered in the browser, never sent.

import { effect } from "@preact/signals";
import { remembered } from "./storage";

export const THEMES = ["auto", "light", "dark"] as const;
export const DENSITIES = ["comfortable", "compact"] as const;
export const ZONES = ["local", "utc"] as const;
export const LANGUAGES = ["auto", "en", "ru"] as const;

export const theme = remembered<(typeof THEMES)[number]>("theme", "auto", THEMES);
export const density = remembered<(typeof DENSITIES)[number]>("density", "comfortable", DENSITIES);
export const zone = remembered<(typeof ZONES)[number]>("zone", "local", ZONES);
export const language = remembered<(typeof LANGUAGES)[number]>("language", "auto", LANGUAGES);
export const told = remembered<"no" | "yes">("notifications", "no", ["no", "yes"]);

/** The name under which actions are done, for the others to see. */
export const person = remembered<string>("person", "");

effect(() => {
  const html = document.documentElement;
  html.dataset.theme = theme.value;
  html.dataset.density = density.value;
});
