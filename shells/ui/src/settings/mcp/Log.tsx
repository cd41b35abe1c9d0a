// What an MCP server wrote, as it comes.
import type { ServiceLogs } from "@aster-sidecar/client";
import { useCallback, useEffect, useId, useRef, useState } from "react";
import { client, onEvent, usePicture } from "../../engine.js";
import { texts } from "../../messages.js";
import { said } from "../../problems.js";
import { Lines } from "../Lines.js";
import { Problem } from "../Problem.js";
import { pathOf } from "./useServer.js";

const MOST_LINES = 400;
const FOLLOW_MS = 1000;

export function Log({ name }: { name: string }) {
  const instance = usePicture((state) => state.connection.instance_id);
  // The numbers of lines begin anew when the daemon does.
  return <LogOf key={instance} name={name} />;
}

function LogOf({ name }: { name: string }) {
  const [logs, setLogs] = useState<ServiceLogs | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const [following, setFollowing] = useState(false);
  const box = useRef<HTMLPreElement>(null);
  const reading = useRef(false);
  const last = useRef(0);
  const id = useId();

  const read = useCallback((): void => {
    if (reading.current) return;
    reading.current = true;
    const after = last.current > 0 ? `&after=${last.current}` : "";
    client
      .call<ServiceLogs>("GET", `${pathOf(name)}/logs?limit=${MOST_LINES}${after}`)
      .then(
        (fresh) => {
          last.current = fresh.entries.at(-1)?.seq ?? last.current;
          setLogs((before) => ({
            ...fresh,
            entries: [...(before?.entries ?? []), ...fresh.entries].slice(-MOST_LINES),
          }));
          setProblem(null);
        },
        (error: unknown) => setProblem(said(error)),
      )
      .finally(() => (reading.current = false));
  }, [name]);

  useEffect(() => {
    read();
    return onEvent((event) => {
      if (event.type === "mcp_changed" && event.data.name === name) read();
    });
  }, [read, name]);

  useEffect(() => {
    if (!following) return;
    const timer = setInterval(() => {
      if (document.visibilityState === "visible") read();
    }, FOLLOW_MS);
    return () => clearInterval(timer);
  }, [following, read]);

  useEffect(() => {
    if (following) box.current?.scrollTo({ top: box.current.scrollHeight });
  }, [following, logs]);

  return (
    <section aria-labelledby={id}>
      <h3 id={id}>{texts.shared.output}</h3>
      <Problem problem={problem} />
      {logs && (
        <Lines logs={logs} onRefresh={read} box={box}>
          <label className="check-label">
            <input
              type="checkbox"
              checked={following}
              onChange={(event) => {
                setFollowing(event.target.checked);
                read();
              }}
            />
            {texts.settings.mcp.follow}
          </label>
        </Lines>
      )}
    </section>
  );
}
