// What a page stands in: it scrolls, and is where it was when the person comes back.
import { useState, type ReactNode } from "react";
import { keptScroll } from "./places.js";

/** `name`: under which its place is kept. */
export function PageScroller({ name, label, children }: { name: string; label: string; children: ReactNode }) {
  const [kept] = useState(() => keptScroll(name));
  return (
    <div ref={kept} className="page-scroller" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}
