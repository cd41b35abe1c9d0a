// Shown instead of a conversation that does not exist: it was deleted, which can be undone here, or it never existed.
import { useEffect, useState } from "react";
import { Note } from "./Buttons.js";
import { client, onEvent } from "./engine.js";
import { texts } from "./messages.js";
import { visible } from "./Plain.js";
import { go, newHref } from "./route.js";
import { restore } from "./sessions.js";
import { exactly } from "./words.js";

/** The time until which a missing conversation can be restored; null: it can't, or this is not known yet. */
function useRestorable(session_id: string): string | null {
  const [until, setUntil] = useState<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    const read = (): void => {
      client.sessions.get(session_id, { signal: stop.signal }).catch((error: unknown) => {
        const { code, details } = error as { code?: string; details?: { restorable_until?: string } | null };
        if (code === "session_not_found") setUntil(details?.restorable_until ?? null);
      });
    };
    read();
    const leave = onEvent((event) => {
      if (event.type === "session_changed" && event.session_id === session_id) read();
    });
    return () => {
      stop.abort();
      leave();
    };
  }, [session_id]);
  return until;
}

/** `problem`: why it could not be read; null when it existed until now. */
export function Gone({
  session_id,
  problem,
}: {
  session_id: string;
  problem: { message: string; hint: string | null } | null;
}) {
  const until = useRestorable(session_id);
  const deleted = problem === null || until !== null;
  return (
    <Note
      kind={deleted ? "warning" : "error"}
      actions={
        <>
          {until !== null && (
            <button type="button" className="primary" onClick={() => void restore(session_id)}>
              {texts.shared.restore}
            </button>
          )}
          <button
            type="button"
            onClick={() => {
              go(newHref());
            }}
          >
            {texts.shared.newConversation}
          </button>
        </>
      }
    >
      {deleted ? texts.conversation.deleted : visible(problem.message)}
      {until !== null && <span className="hint">{texts.conversation.restorable(exactly(until))}</span>}
      {!deleted && problem.hint !== null && <span className="hint">{visible(problem.hint)}</span>}
    </Note>
  );
}
