// How somebody wants the page, and which keys there are: two windows over it.

import type { Signal } from "@preact/signals";
import { hasKey, showKey } from "../core/api";
import { t } from "../core/i18n";
import { allKeys } from "../core/keys";
import { wantNotices } from "../core/notices";
import { density, DENSITIES, language, LANGUAGES, person, theme, THEMES, told, zone, ZONES } from "../core/preferences";
import { root } from "../core/env";
import { Dialog } from "./dialog";

function Choose<T extends string>({ title, of, words }: { title: string; of: Signal<T>; words: [T, string][] }) {
  return (
    <label class="choose">
      <span>{title}</span>
      <select value={of.value} onChange={(event) => (of.value = event.currentTarget.value as T)}>
        {words.map(([value, word]) => (
          <option key={value} value={value}>
            {word}
          </option>
        ))}
      </select>
    </label>
  );
}

export function Preferences({ close }: { close: () => void }) {
  const pair = <T extends string>(values: readonly T[], words: string[]): [T, string][] =>
    values.map((value, at) => [value, words[at] ?? value]);
  return (
    <Dialog title={t("Preferences")} close={close}>
      <p class="dim">{t("Kept in this browser alone.")}</p>
      <div class="form">
        <Choose title={t("Colours")} of={theme} words={pair(THEMES, [t("as the system"), t("light"), t("dark")])} />
        <Choose title={t("Density")} of={density} words={pair(DENSITIES, [t("comfortable"), t("compact")])} />
        <Choose title={t("Times")} of={zone} words={pair(ZONES, [t("local"), "UTC"])} />
        <Choose title={t("Language")} of={language} words={pair(LANGUAGES, [t("as the browser"), "English", "Русский"])} />
        <label class="choose">
          <span>{t("Your name, beside what you do")}</span>
          <input
            value={person.value}
            maxLength={200}
            autocomplete="name"
            onChange={(event) => (person.value = event.currentTarget.value.trim())}
          />
        </label>
        {"Notification" in window && (
          <label class="tick">
            <input
              type="checkbox"
              checked={told.value === "yes"}
              onChange={(event) => void wantNotices(event.currentTarget.checked)}
            />
            {t("Notify me here when an alert begins to fire")}
          </label>
        )}
      </div>
      <p class="links">
        <a href={new URL("?plain", root).href}>{t("The page without JavaScript")}</a>
        {hasKey() && (
          <button
            class="text"
            onClick={() => {
              showKey(null);
              location.reload();
            }}
          >
            {t("Forget the key")}
          </button>
        )}
      </p>
    </Dialog>
  );
}

export function KeyList({ close }: { close: () => void }) {
  return (
    <Dialog title={t("Keys")} close={close}>
      <table class="keys">
        <tbody>
          {allKeys().map((key) => (
            <tr key={key.keys + key.does}>
              <th scope="row">
                {key.keys.split(" ").map((one, at) => (one === "/" && key.keys !== "/" ? " / " : <kbd key={at}>{one}</kbd>))}
              </th>
              <td>{t(key.does)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Dialog>
  );
}
