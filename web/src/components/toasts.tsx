import { t } from "../core/i18n";
import { toasts, unsay } from "../core/toasts";
import { Shape } from "./shape";

export function Toasts() {
  return (
    <div class="toasts" role="status" aria-live="polite">
      {toasts.value.map((toast) => (
        <div key={toast.id} class={`toast ${toast.tone}`}>
          <Shape kind={toast.tone === "bad" ? "warning" : "healthy"} />
          <p>
            <bdi>{toast.text}</bdi>
          </p>
          {toast.undo && (
            <button
              onClick={() => {
                unsay(toast.id);
                toast.undo?.();
              }}
            >
              {t("Undo")}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
