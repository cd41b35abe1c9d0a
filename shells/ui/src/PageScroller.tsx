// The scroll container of a page. It restores the scroll position when the person comes back.
import { useState, type ReactNode } from "react";
import { keptScroll } from "./places.js";

/** `name`: the name under which the scroll position is kept. */
export function PageScroller({ name, label, children }: { name: string; label: string; children: ReactNode }) {
  const [kept] = useState(() => keptScroll(name));
  return (
    <div ref={kept} className="page-scroller" tabIndex={0} role="region" aria-label={label}>
      {children}
    </div>
  );
}
