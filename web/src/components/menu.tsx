import type { ComponentChildren } from "preact";
import { useEffect, useRef } from "preact/hooks";

export interface Choice {
  text: string;
  run: () => void;
}

/** A button that unfolds further ones. */
export function Menu({ label, children, choices, quiet }: { label: string; children: ComponentChildren; choices: Choice[]; quiet?: boolean }) {
  const box = useRef<HTMLDetailsElement>(null);
  const close = (): void => {
    if (box.current) box.current.open = false;
  };
  useEffect(() => {
    const elsewhere = (event: Event): void => {
      if (!box.current?.contains(event.target as Node)) close();
    };
    const escape = (event: KeyboardEvent): void => {
      if (event.key === "Escape" && box.current?.open) {
        close();
        box.current.querySelector("summary")?.focus();
      }
    };
    addEventListener("pointerdown", elsewhere);
    addEventListener("keydown", escape);
    return () => {
      removeEventListener("pointerdown", elsewhere);
      removeEventListener("keydown", escape);
    };
  }, []);
  return (
    <details class="menu" ref={box}>
      <summary class={quiet ? "button quiet" : "button"} aria-label={label}>
        {children}
      </summary>
      <div class="choices">
        {choices.map((choice) => (
          <button
            key={choice.text}
            onClick={() => {
              close();
              choice.run();
            }}
          >
            {choice.text}
          </button>
        ))}
      </div>
    </details>
  );
}
