// One of a few, whose choice stands in the address.

import { t } from "../core/i18n";
import { ask, asked } from "../core/location";

/** Under `name` in the address, where it is not the `standard` one. */
export function Choose<V extends string>({ name, title, choices, standard }: { name: string; title: string; choices: [V, string][]; standard: V }) {
  return (
    <label class="choose">
      {title}{" "}
      <select value={asked(name) || standard} onChange={(event) => ask({ [name]: event.currentTarget.value === standard ? null : event.currentTarget.value })}>
        {choices.map(([value, words]) => (
          <option key={value} value={value}>
            {t(words)}
          </option>
        ))}
      </select>
    </label>
  );
}
