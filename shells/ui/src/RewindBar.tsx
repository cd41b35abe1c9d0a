// The line above the composer that says what a rewind took out, and undoes it.
import type { Session } from "@aster-sidecar/client";
import { useEffect, useState } from "react";
import { announce } from "./announce.js";
import { onEvent } from "./engine.js";
import { texts } from "./messages.js";
import { unrewind } from "./revisions.js";

export function RewindBar({ session_id, rewind }: Pick<Session, "session_id" | "rewind">) {
  const [working, setWorking] = useState(false);
  useEffect(
    () =>
      onEvent((event) => {
        if (event.session_id !== session_id) return;
        if (event.type === "history_rewound") announce(texts.rewind.taken(event.data.messages));
        else if (event.type === "history_unrewound") announce(texts.rewind.back(event.data.messages));
      }),
    [session_id],
  );
  if (rewind === null) return null;
  return (
    <div className="rewind-bar">
      <p>
        {texts.rewind.taken(rewind.messages)}
        {rewind.files && <> {texts.rewind.takenWithFiles}</>}
      </p>
      <button
        type="button"
        className="link"
        disabled={working}
        onClick={() => {
          setWorking(true);
          void unrewind(session_id).finally(() => {
            setWorking(false);
          });
        }}
      >
        {texts.shared.undo}
      </button>
    </div>
  );
}
