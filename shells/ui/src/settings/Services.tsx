// Programs that the daemon runs beside itself.
import type { ServiceEntry as Service, ServiceLogs } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { useEndpoint } from "../endpoint.js";
import { client, usePicture } from "../engine.js";
import { visible } from "../Plain.js";
import { count, exactly, said, when } from "../words.js";
import { Problem } from "./Problem.js";

const BADGE: Partial<Record<Service["state"], string>> = {
  running: "badge-good",
  crashed: "badge-bad",
  backoff: "badge-warning",
};

export default function ServicesSection() {
  const services = usePicture((state) => state.services);
  const id = useId();
  return (
    <section aria-labelledby={id}>
      <h2 id={id}>Services</h2>
      <p className="quiet">Programs that run beside Aster. They are set in config.toml.</p>
      {services.length === 0 && <p className="quiet">No services.</p>}
      <ul className="rows">
        {services.map((service) => (
          <Row key={service.name} service={service} />
        ))}
      </ul>
    </section>
  );
}

function Row({ service }: { service: Service }) {
  const { name, description, state, pid, last_start, last_exit, restart_attempt, next_restart } = service;
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);
  const [open, setOpen] = useState(false);
  const path = `/api/services/${encodeURIComponent(name)}`;
  const act = (what: "start" | "stop" | "restart"): void => {
    setProblem(null);
    client.call("POST", `${path}/${what}`).catch((error: unknown) => setProblem(said(error)));
  };
  const down = state === "stopped" || state === "crashed" || state === "backoff";
  return (
    <li className="row-item">
      <div className="row-main">
        <strong>{visible(name)}</strong>
        <span className={`badge ${BADGE[state] ?? ""}`}>{state}</span>
        <span className="row-words quiet">{visible(description)}</span>
        {down && (
          <button type="button" className="small-button" onClick={() => act("start")}>
            Start
          </button>
        )}
        {state !== "stopped" && state !== "crashed" && (
          <>
            <button type="button" className="small-button" onClick={() => act("restart")}>
              Restart
            </button>
            <button type="button" className="small-button" onClick={() => act("stop")}>
              Stop
            </button>
          </>
        )}
        <button type="button" className="small-button" aria-expanded={open} onClick={() => setOpen(!open)}>
          Output
        </button>
      </div>
      <p className="quiet">
        {pid != null && <>Process {pid}. </>}
        {last_start != null && <>Started {when(last_start)}. </>}
        {last_exit && (
          <>
            Ended {when(last_exit.time)}:{" "}
            {visible(
              last_exit.error ?? (last_exit.signal ? `by ${last_exit.signal}` : `code ${last_exit.code ?? "unknown"}`),
            )}
            .{" "}
          </>
        )}
        {restart_attempt > 0 && <>Started again {count(restart_attempt)} times. </>}
        {next_restart != null && <>Next try: {exactly(next_restart)}.</>}
      </p>
      <Problem problem={problem} />
      {open && <Logs path={`${path}/logs?limit=400`} />}
    </li>
  );
}

const LOG_EVENTS = ["service_changed", "heartbeat"] as const;

function Logs({ path }: { path: string }) {
  const logs = useEndpoint<ServiceLogs>(path, LOG_EVENTS);
  if (logs.data === null) return <Problem problem={logs.problem} />;
  const { entries, dropped, path: file } = logs.data;
  return (
    <>
      {dropped > 0 && <p className="quiet">{count(dropped)} lines came too fast to be kept.</p>}
      <pre className="plain boxed output" tabIndex={0}>
        {entries.length === 0
          ? "No output yet."
          : entries.map(({ seq, stream, text }) => (
              <span key={seq} className={stream}>
                {visible(text)}
                {"\n"}
              </span>
            ))}
      </pre>
      <p className="quiet">
        <button type="button" className="link" onClick={logs.reload}>
          Refresh
        </button>
        {file !== null && <> All of it: {visible(file)}</>}
      </p>
    </>
  );
}
