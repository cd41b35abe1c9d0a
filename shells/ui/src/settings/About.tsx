// Which daemon this is, and how it is.
import type { Health, Snapshot } from "@aster-sidecar/client";
import { useEffect, useId, useState } from "react";
import { Note } from "../Buttons.js";
import { useEndpoint } from "../endpoint.js";
import { client, host, usePicture } from "../engine.js";
import { visible } from "../Plain.js";
import { bytes, count, duration, exactly, said } from "../words.js";
import { Problem } from "./Problem.js";

const WITH = ["config_changed", "secrets_changed", "agents_changed"] as const;

export function AboutSection() {
  const snapshot = useEndpoint<Snapshot>("/api/snapshot?sessions=1", WITH);
  const instance = usePicture((state) => state.connection.instance_id);
  const [health, setHealth] = useState<Health | null>(null);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const [updates, setUpdates] = useState<string | null>(null);
  const id = useId();
  useEffect(() => {
    client.health().then(setHealth, (error: unknown) => setProblem(said(error)));
  }, [instance]);
  const metrics = snapshot.data?.metrics;
  const facts: [string, string | undefined][] = [
    ["Version", health?.version],
    ["Protocol", health ? String(health.protocol) : undefined],
    ["Status", health?.status],
    ["Framework", health?.framework],
    ["Port", health ? String(health.port) : undefined],
    ["Process", health ? String(health.pid) : undefined],
    ["Instance", health?.instance_id],
    ["Running since", snapshot.data ? exactly(snapshot.data.daemon.started_at) : undefined],
    ["Up for", metrics?.uptime_s === undefined ? undefined : duration(metrics.uptime_s * 1000)],
    ["Store", metrics?.store_bytes === undefined ? undefined : bytes(metrics.store_bytes)],
    ["Conversations", metrics?.sessions === undefined ? undefined : count(metrics.sessions)],
    ["Open streams", metrics?.streams === undefined ? undefined : count(metrics.streams)],
  ];
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>About</h2>
      <Problem problem={problem} />
      {snapshot.data?.warnings.map((warning) => (
        <Note key={warning.code} kind="warning">
          {visible(warning.message)}
          {warning.hint && <span className="hint">{visible(warning.hint)}</span>}
        </Note>
      ))}
      <dl className="facts">
        {facts.map(
          ([name, value]) =>
            value !== undefined && (
              <div key={name} className="fact">
                <dt>{name}</dt>
                <dd>{visible(value)}</dd>
              </div>
            ),
        )}
      </dl>
      {host && (
        <div className="form-buttons">
          <button type="button" onClick={() => void host?.openLogs()}>
            Open logs
          </button>
          <button
            type="button"
            onClick={() => {
              void host?.checkForUpdates().then(({ supported, message }) => {
                setUpdates(message ?? (supported ? "This is the newest version." : "This app does not update itself."));
              });
            }}
          >
            Check for updates
          </button>
          {updates !== null && <span role="status">{visible(updates)}</span>}
        </div>
      )}
    </section>
  );
}
