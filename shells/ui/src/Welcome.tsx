// The first run, step by step, as the daemon reports it. No step is required before a conversation.
import { isOn, type Immutable, type Onboarding } from "@aster-sidecar/client";
import { useState } from "react";
import { Note } from "./Buttons.js";
import { client, host, usePicture } from "./engine.js";
import { Icon } from "./Icon.js";
import { texts } from "./messages.js";
import { PageScroller } from "./PageScroller.js";
import { visible } from "./Plain.js";
import { go, newHref } from "./route.js";
import { Modes } from "./settings/Modes.js";
import { ModelsSection } from "./settings/Models.js";
import { Problem } from "./settings/Problem.js";
import { said } from "./problems.js";

const CHECKS = { ok: "check", warning: "warning", blocked: "cross" } as const;

type OnboardingStep = Immutable<Onboarding["steps"][number]>;

export default function Welcome() {
  const onboarding = usePicture((state) => state.onboarding);
  const shell = usePicture((state) => isOn(state, "companion_shell"));
  const chosen = usePicture((state) => state.config?.values.model?.value);
  const model = typeof chosen === "string" && chosen !== "" ? chosen : "demo";
  const demo = model.split(":")[0] === "demo";
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState<ReturnType<typeof said> | null>(null);

  async function act(step: string, action: "complete" | "skip" | "reset"): Promise<void> {
    setBusy(true);
    setProblem(null);
    try {
      if (step === "provider" && action === "complete" && demo) await client.config.set({ model });
      const after = await client.call<Onboarding>("POST", "/api/onboarding", { step, action });
      if (after.done && step === "done") go(newHref());
    } catch (error) {
      setProblem(said(error));
    } finally {
      setBusy(false);
    }
  }

  const steps = shell ? (onboarding?.steps ?? []) : [];
  const left = steps.filter(({ state, optional }) => !optional && (state === "todo" || state === "current")).length;
  return (
    <PageScroller name="welcome" label={texts.welcome.label}>
      <div className="page">
        <h1>{texts.welcome.title}</h1>
        <p className="lead">
          {!shell ? texts.welcome.off : left > 0 ? texts.welcome.left(left) : texts.welcome.complete}
        </p>
        <div className="form-buttons">
          <a className="button start" href="#/new">
            {texts.shared.startConversation}
          </a>
        </div>
        <Problem problem={problem} />
        <ol className="steps">
          {steps.map((step, place) => (
            <Step
              key={step.id}
              step={step}
              number={place + 1}
              current={step.id === onboarding?.current}
              busy={busy}
              demo={demo}
              act={(action) => void act(step.id, action)}
            />
          ))}
        </ol>
      </div>
    </PageScroller>
  );
}

interface StepProps {
  step: OnboardingStep;
  number: number;
  current: boolean;
  busy: boolean;
  /** Whether the demo model answers. */
  demo: boolean;
  act: (action: "complete" | "skip" | "reset") => void;
}

function Step({ step, number, current, busy, demo, act }: StepProps) {
  const { id, state, checks, failures, last_error, actions } = step;
  const [opened, setOpened] = useState(false);
  const open = current || opened;
  const over = state === "done" || state === "skipped";
  // The list of models shows which model answers messages, and whether it can.
  const shown = id === "provider" ? checks.filter(({ status }) => status !== "ok") : checks;
  return (
    <li className={`step step-${current ? "current" : state}`} aria-current={current ? "step" : undefined}>
      <div className="step-head">
        <span className="step-mark">{over ? <Icon name="check" /> : number}</span>
        <h2>{texts.welcome.names[id] ?? id}</h2>
        {state === "skipped" && <span className="badge">{texts.welcome.skipped}</span>}
        {step.optional && !over && <span className="badge">{texts.welcome.optional}</span>}
        {!current && (
          <button type="button" className="small-button" aria-expanded={open} onClick={() => setOpened(!opened)}>
            {open ? texts.welcome.hide : texts.welcome.show}
            <span className="out-of-sight"> {texts.welcome.names[id] ?? id}</span>
          </button>
        )}
      </div>
      {open && (
        <div className="step-body">
          <p>{texts.welcome.words[id]}</p>
          {shown.length > 0 && (
            <ul className="checks">
              {shown.map((check) => (
                <li key={check.id} className={`check-${check.status}`}>
                  <Icon name={CHECKS[check.status]} />
                  <span>
                    <span className="out-of-sight">{texts.welcome.status[check.status]}</span>
                    {visible(check.message)}
                    {check.remedy && <span className="hint">{visible(check.remedy)}</span>}
                  </span>
                </li>
              ))}
            </ul>
          )}
          {id === "provider" && <ModelsSection />}
          {id === "permissions" && <Modes />}
          {id === "handoff" && host === null && <p className="quiet">{texts.welcome.inBrowser}</p>}
          {failures > 0 && (
            <Note kind="warning">
              {texts.welcome.failed(failures)} {last_error && visible(last_error.message)}
              {actions.length > 0 && <span className="hint">{visible(actions.join(" "))}</span>}
            </Note>
          )}
          <div className="form-buttons">
            {over ? (
              <button type="button" disabled={busy} onClick={() => act("reset")}>
                {texts.welcome.startOver}
              </button>
            ) : (
              <>
                <button type="button" className="primary" disabled={busy} onClick={() => act("complete")}>
                  {id === "done"
                    ? texts.shared.startConversation
                    : id === "provider" && demo
                      ? texts.welcome.continueWithDemo
                      : texts.shared.continue}
                </button>
                {id !== "done" && (
                  <button type="button" disabled={busy} onClick={() => act("skip")}>
                    {texts.welcome.skip}
                  </button>
                )}
              </>
            )}
          </div>
        </div>
      )}
    </li>
  );
}
