import { useEffect, useRef } from "react";

/** Fetches more when its place comes into view. */
export function More({ on, more }: { on: boolean; more: () => void }) {
  const mark = useRef<HTMLDivElement>(null);
  const act = useRef(more);
  act.current = more;
  useEffect(() => {
    const node = mark.current;
    if (!node || !on) return;
    const observer = new IntersectionObserver((seen) => {
      if (seen.some((entry) => entry.isIntersecting)) act.current();
    });
    observer.observe(node);
    return () => observer.disconnect();
  });
  return <div ref={mark} className="h-8" />;
}
