// Whether something is in sight, and how wide it is.

import type { RefObject } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

interface Sight {
  box: RefObject<HTMLDivElement | null>;
  /** In whole pixels; 0 before it is known. */
  width: number;
  /** Whether it is in the window, or not far from it. */
  seen: boolean;
}

export function useSight(): Sight {
  const box = useRef<HTMLDivElement>(null);
  const [width, setWidth] = useState(0);
  const [seen, setSeen] = useState(false);
  useEffect(() => {
    const sizes = new ResizeObserver(([entry]) => setWidth(Math.floor(entry!.contentRect.width)));
    const sights = new IntersectionObserver(([entry]) => setSeen(entry!.isIntersecting), { rootMargin: "200px" });
    sizes.observe(box.current!);
    sights.observe(box.current!);
    return () => {
      sizes.disconnect();
      sights.disconnect();
    };
  }, []);
  return { box, width, seen };
}
