// Which daemon this is, and its state.
import type { Health, Snapshot } from "@aster-sidecar/client";
import { useEffect, useId, useState } from "react";
import { Note } from "../Buttons.js";
import { useEndpoint } from "../endpoint.js";
import { client, host, usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { visible } from "../Plain.js";
import { said } from "../problems.js";
import { bytes, count, duration, exactly } from "../words.js";
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
    [texts.settings.about.version, health?.version],
    [texts.settings.about.protocol, health ? String(health.protocol) : undefined],
    [texts.settings.about.status, health?.status],
    [texts.settings.about.framework, health?.framework],
    [texts.settings.about.port, health ? String(health.port) : undefined],
    [texts.settings.about.process, health ? String(health.pid) : undefined],
    [texts.settings.about.instance, health?.instance_id],
    [texts.settings.about.since, snapshot.data ? exactly(snapshot.data.daemon.started_at) : undefined],
    [texts.settings.about.uptime, metrics?.uptime_s === undefined ? undefined : duration(metrics.uptime_s * 1000)],
    [texts.settings.about.store, metrics?.store_bytes === undefined ? undefined : bytes(metrics.store_bytes)],
    [texts.shared.conversations, metrics?.sessions === undefined ? undefined : count(metrics.sessions)],
    [texts.settings.about.streams, metrics?.streams === undefined ? undefined : count(metrics.streams)],
  ];
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>{texts.settings.sections.about}</h2>
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
            {texts.shared.openLogs}
          </button>
          <button
            type="button"
            onClick={() => {
              void host?.checkForUpdates().then(({ supported, message }) => {
                setUpdates(message ?? (supported ? texts.settings.about.newest : texts.settings.about.noUpdates));
              });
            }}
          >
            {texts.settings.about.checkForUpdates}
          </button>
          {updates !== null && <span role="status">{visible(updates)}</span>}
        </div>
      )}
    </section>
  );
}
