// The programs that the daemon runs as services.
import type { ServiceEntry as Service, ServiceLogs } from "@aster-sidecar/client";
import { useId, useState } from "react";
import { useEndpoint } from "../endpoint.js";
import { client, usePicture } from "../engine.js";
import { texts } from "../messages.js";
import { visible } from "../Plain.js";
import { said } from "../problems.js";
import { exactly, when } from "../words.js";
import { Lines } from "./Lines.js";
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
      <h2 id={id}>{texts.settings.sections.services}</h2>
      <p className="quiet">{texts.settings.services.lead}</p>
      {services.length === 0 && <p className="quiet">{texts.settings.services.none}</p>}
      <ul className="rows">
        {services.map((service) => (
          <Row key={service.name} service={service} />
        ))}
      </ul>
    </section>
  );
}

/** How a process ended, in words. */
function howOf({ error, signal, code }: NonNullable<Service["last_exit"]>): string {
  if (error != null) return error;
  if (signal) return texts.settings.services.bySignal(signal);
  return code == null ? texts.settings.services.withoutCode : texts.settings.services.withCode(code);
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
        <span className={`badge ${BADGE[state] ?? ""}`}>{texts.settings.services.states[state]}</span>
        <span className="row-words quiet">{visible(description)}</span>
        {down && (
          <button type="button" className="small-button" onClick={() => act("start")}>
            {texts.shared.start}
          </button>
        )}
        {state !== "stopped" && state !== "crashed" && (
          <>
            <button type="button" className="small-button" onClick={() => act("restart")}>
              {texts.shared.restart}
            </button>
            <button type="button" className="small-button" onClick={() => act("stop")}>
              {texts.shared.stop}
            </button>
          </>
        )}
        <button type="button" className="small-button" aria-expanded={open} onClick={() => setOpen(!open)}>
          {texts.shared.output}
        </button>
      </div>
      <p className="quiet">
        {pid != null && <>{texts.settings.services.process(pid)} </>}
        {last_start != null && <>{texts.settings.services.started(when(last_start))} </>}
        {last_exit && <>{texts.settings.services.ended(when(last_exit.time), visible(howOf(last_exit)))} </>}
        {restart_attempt > 0 && <>{texts.settings.services.startedAgain(restart_attempt)} </>}
        {next_restart != null && texts.settings.services.nextTry(exactly(next_restart))}
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
  return <Lines logs={logs.data} onRefresh={logs.reload} />;
}
