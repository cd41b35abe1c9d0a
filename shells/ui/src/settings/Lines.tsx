// Lines that a program wrote.
import type { ServiceLogs } from "@aster-sidecar/client";
import type { ReactNode, Ref } from "react";
import { texts } from "../messages.js";
import { visible } from "../Plain.js";

interface LinesProps {
  logs: ServiceLogs;
  onRefresh: () => void;
  box?: Ref<HTMLPreElement>;
  children?: ReactNode;
}

export function Lines({ logs, onRefresh, box, children }: LinesProps) {
  const { entries, dropped, path } = logs;
  return (
    <>
      {dropped > 0 && <p className="quiet">{texts.settings.lines.dropped(dropped)}</p>}
      <pre ref={box} className="plain boxed output" tabIndex={0}>
        {entries.length === 0
          ? texts.settings.lines.none
          : entries.map(({ seq, stream, text }) => (
              <span key={seq} className={stream}>
                {visible(text)}
                {"\n"}
              </span>
            ))}
      </pre>
      <div className="quiet lines-end">
        <button type="button" className="link" onClick={onRefresh}>
          {texts.settings.lines.refresh}
        </button>
        {children}
        {path !== null && <span>{texts.settings.lines.file(visible(path))}</span>}
      </div>
    </>
  );
}
