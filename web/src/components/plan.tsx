// How the database would run a statement, on asking.

import { useState } from "preact/hooks";
import { ApiError, post } from "../core/api";
import { t, worded } from "../core/i18n";
import { Empty, Section } from "./layout";
import { Told } from "./text";

const ask = (fingerprint: string, pool: string) => post("queries/{fingerprint}/plan", { path: { fingerprint }, query: { pool } });

export function Plan({ fingerprint, pool }: { fingerprint: string; pool: string }) {
  const [plan, setPlan] = useState<Awaited<ReturnType<typeof ask>> | null>(null);
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const look = async (): Promise<void> => {
    setBusy(true);
    try {
      setPlan(await ask(fingerprint, pool));
      setFault("");
    } catch (error) {
      setFault(error instanceof ApiError ? error.message : String(error));
    }
    setBusy(false);
  };
  return (
    <Section
      title={t("How the database would run it")}
      aside={
        <button disabled={busy} onClick={() => void look()}>
          {busy ? t("Asking the database …") : t("Ask the database")}
        </button>
      }
    >
      {fault && (
        <p role="alert" class="status warning">
          <bdi>{fault}</bdi>
        </p>
      )}
      {plan ? (
        <>
          <pre class="card plan" tabIndex={0}>
            <Told most={20000}>{plan.plan.join("\n")}</Told>
          </pre>
          {plan.notes.map((note) => (
            <p key={note} class="hint dim">
              <Told most={400}>{worded(note)}</Told>
            </p>
          ))}
        </>
      ) : (
        !fault && <Empty title={t("The plan is asked for over a connection of Dozor's own; the statement is not run.")} />
      )}
    </Section>
  );
}
