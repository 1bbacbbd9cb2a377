import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { t } from "../core/i18n";
import { Icon } from "./icon";

/** A window over the page; Escape and a click beside it close it. */
export function Dialog({ title, close, children }: { title: string; close: () => void; children: ComponentChildren }) {
  const box = useRef<HTMLDialogElement>(null);
  useEffect(() => box.current?.showModal(), []);
  return (
    <dialog
      ref={box}
      aria-label={title}
      onClose={close}
      onClick={(event) => event.target === box.current && box.current?.close()}
    >
      <div class="dialog">
        <h2>{title}</h2>
        {children}
        <button class="round close" aria-label={t("Close")} onClick={() => box.current?.close()}>
          <Icon name="close" />
        </button>
      </div>
    </dialog>
  );
}
