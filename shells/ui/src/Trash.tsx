// The trash, a part of the Archive page: deleted conversations until they are deleted for good.
import type { SessionInfo } from "@aster-sidecar/client";
import { useEffect, useRef, useState } from "react";
import { visible, visibleText } from "./Plain.js";
import { purge, restore } from "./sessions.js";
import { exactly, when } from "./words.js";

export function Trashed({ session }: { session: SessionInfo }) {
  const [asked, setAsked] = useState(false);
  const no = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (asked) no.current?.focus();
  }, [asked]);
  const { session_id, title, deleted_at, restorable_until } = session;
  const name = visibleText(title);
  return (
    <li className="row-item">
      <div className="row-main">
        <span className="row-words">
          {visible(title)}{" "}
          <span className="quiet">
            deleted {when(deleted_at ?? "")}
            {restorable_until && (
              <>
                , deleted for good on{" "}
                <time dateTime={restorable_until} title={exactly(restorable_until)}>
                  {when(restorable_until)}
                </time>
              </>
            )}
          </span>
        </span>
        {asked ? (
          <>
            <span role="alert">This can&rsquo;t be undone.</span>
            <button
              type="button"
              className="small-button danger"
              aria-label={`Delete now: ${name}`}
              onClick={() => void purge(session_id)}
            >
              Delete now
            </button>
            <button
              ref={no}
              type="button"
              className="small-button"
              aria-label={`Keep: ${name}`}
              onClick={() => {
                setAsked(false);
              }}
            >
              Keep
            </button>
          </>
        ) : (
          <>
            <button
              type="button"
              className="small-button"
              aria-label={`Restore: ${name}`}
              onClick={() => void restore(session_id)}
            >
              Restore
            </button>
            <button
              type="button"
              className="small-button danger"
              aria-label={`Delete for good: ${name}`}
              onClick={() => {
                setAsked(true);
              }}
            >
              Delete for good
            </button>
          </>
        )}
      </div>
    </li>
  );
}
