// Asks for the key where one is set. It is kept for this tab alone, and sent as a header.

import { useState } from "preact/hooks";
import { isKey, showKey } from "../core/api";
import { t } from "../core/i18n";

export function SignIn() {
  const [wrong, setWrong] = useState("");
  const enter = async (event: SubmitEvent): Promise<void> => {
    event.preventDefault();
    const key = String(new FormData(event.currentTarget as HTMLFormElement).get("key") ?? "").trim();
    try {
      // Header values are Latin-1; what is not cannot be the key.
      if (/^[\x20-\xff]+$/.test(key) && (await isKey(key))) showKey(key);
      else setWrong(t("That is not the key."));
    } catch (error) {
      setWrong((error as Error).message);
    }
  };
  return (
    <main class="sign-in">
      <form class="card form" onSubmit={(event) => void enter(event)}>
        <h1>Dozor</h1>
        <p class="dim">{t("This Dozor is guarded by a key, which whoever runs it has set as DOZOR_API_KEY.")}</p>
        {wrong && (
          <p role="alert" class="status critical">
            {wrong}
          </p>
        )}
        <input type="text" name="user" value="dozor" autocomplete="username" hidden />
        <label>
          {t("Key")}
          <input name="key" type="password" required autocomplete="current-password" />
        </label>
        <button class="first">{t("Show me")}</button>
        <p class="dim small">{t("It is kept until this tab is closed, and nowhere else.")}</p>
      </form>
    </main>
  );
}
