// The trash, a part of the Archive page: deleted conversations until they are deleted permanently.
import type { SessionInfo } from "@aster-sidecar/client";
import { useEffect, useRef, useState } from "react";
import { texts } from "./messages.js";
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
            {restorable_until
              ? texts.archive.deletedUntil(
                  when(deleted_at ?? ""),
                  <time dateTime={restorable_until} title={exactly(restorable_until)}>
                    {when(restorable_until)}
                  </time>,
                )
              : texts.archive.deletedAt(when(deleted_at ?? ""))}
          </span>
        </span>
        {asked ? (
          <>
            <span role="alert">{texts.archive.sure}</span>
            <button
              type="button"
              className="small-button danger"
              aria-label={texts.archive.deleteNowLabel(name)}
              onClick={() => void purge(session_id)}
            >
              {texts.archive.deleteNow}
            </button>
            <button
              ref={no}
              type="button"
              className="small-button"
              aria-label={texts.archive.keepLabel(name)}
              onClick={() => {
                setAsked(false);
              }}
            >
              {texts.shared.keep}
            </button>
          </>
        ) : (
          <>
            <button
              type="button"
              className="small-button"
              aria-label={texts.archive.restoreLabel(name)}
              onClick={() => void restore(session_id)}
            >
              {texts.shared.restore}
            </button>
            <button
              type="button"
              className="small-button danger"
              aria-label={texts.archive.purgeLabel(name)}
              onClick={() => {
                setAsked(true);
              }}
            >
              {texts.archive.purge}
            </button>
          </>
        )}
      </div>
    </li>
  );
}
